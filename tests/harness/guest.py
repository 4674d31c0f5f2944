"""A Linux guest that really boots in seconds: the distribution's kernel, busybox, and an init of our own.

It writes a line each second on its serial console: a counter, and what it sees of its disks, NICs, CPUs and memory.
What is typed there a shell runs. The power button stops it. Needs the package busybox-static, and one of Debian's
kernels: an installed linux-image-cloud-amd64, else that package is fetched, and unpacked in the cache.
"""

from __future__ import annotations

import functools
import gzip
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.harness.build import cache_folder
from tests.harness.errors import HarnessError, last_lines

PACKAGE = "linux-image-cloud-amd64"

# What it needs, where the kernel does not have it built in.
MODULES = (
    "virtio_pci", "virtio_blk", "virtio_net", "virtio_balloon", "virtio_console", "virtio_scsi", "sr_mod", "isofs",
    "button", "evdev",
)  # fmt: skip

INIT = r"""#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in MODULES; do
  insmod /modules/$module.ko
done
ip link set lo up 2>/dev/null
seen() { ls "$1" | tr '\n' ',' | sed 's/,$//'; }
echo "guest booted, kernel $(uname -r)"
(
  n=0
  while true; do
    n=$((n + 1))
    cpus=$(cat /sys/devices/system/cpu/online)
    memory=$(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo)
    echo "tick $n disks=$(seen /sys/block) nics=$(seen /sys/class/net) cpus=$cpus memory=$memory"
    sleep 1
  done
) &
for button in /dev/input/event*; do
  (head -c 1 "$button" >/dev/null 2>&1 && echo "guest powers off" && sync && poweroff -f) &
done
setsid sh -c 'exec sh -i </dev/ttyS0 >/dev/ttyS0 2>&1' 2>/dev/null
while true; do sleep 1000; done
"""


def guest_files(folder: Path) -> tuple[Path, Path]:
    """Write the kernel and the initial RAM disk into *folder*, readable by all, and return their paths.

    Raises HarnessError where there is no busybox, or no kernel that can be had.
    """
    kernel, modules = _kernel()
    copy, initrd = folder / "vmlinuz", folder / "initrd"
    if not copy.exists():
        shutil.copyfile(kernel, copy)
        initrd.write_bytes(_initrd(modules))
    for path in (copy, initrd):
        path.chmod(0o644)
    return copy, initrd


def document(name: str, kernel: Path, initrd: Path, *, devices: str = "", metadata: str = "", memory: int = 192) -> str:
    """Return a guest's document: *memory* in MiB, one vCPU of two, room to attach devices, a CD drive, a VNC screen."""
    ports = "<controller type='pci' model='pcie-root-port'/>" * 6
    return f"""
<domain type='qemu'>
  <name>{name}</name>
  <metadata>{metadata}</metadata>
  <memory unit='MiB'>{memory}</memory>
  <vcpu current='1'>2</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{kernel}</kernel>
    <initrd>{initrd}</initrd>
    <cmdline>console=ttyS0 panic=-1 loglevel=3 random.trust_cpu=on</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='custom'><model>qemu64</model></cpu>
  <devices>
    <controller type='pci' model='pcie-root'/>
    {ports}
    <controller type='scsi' model='virtio-scsi'/>
    <disk type='file' device='cdrom'><target dev='sda' bus='scsi'/><readonly/></disk>
    <serial type='pty'/>
    <console type='pty'/>
    <graphics type='vnc' autoport='yes' listen='127.0.0.1'/>
    <video><model type='vga'/></video>
    {devices}
  </devices>
</domain>
"""


def cpio(files: dict[str, tuple[int, bytes]]) -> bytes:
    """Return an archive in the form that the kernel unpacks (newc): by path, mode and content."""
    out = bytearray()
    for number, (path, (mode, content)) in enumerate([*files.items(), ("TRAILER!!!", (0, b""))], start=1):
        name = path.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        out += bytes(-len(out) % 4) + content
        out += bytes(-len(out) % 4)
    return bytes(out)


def _initrd(modules: Path) -> bytes:
    busybox = shutil.which("busybox", path="/usr/bin:/bin")
    if busybox is None:
        raise HarnessError("busybox is not installed", hint="`make test` installs it (package busybox-static)")
    files: dict[str, tuple[int, bytes]] = {}
    for folder in ("bin", "dev", "modules", "proc", "sys", "mnt", "tmp"):
        files[folder] = (0o040755, b"")
    files["bin/busybox"] = (0o100755, Path(busybox).read_bytes())
    found = {path.stem.replace("-", "_"): path for path in modules.rglob("*.ko")}
    ordered: list[str] = []
    for name in MODULES:
        _collect(name, found, ordered)
    for name in ordered:
        files[f"modules/{name}.ko"] = (0o100644, found[name].read_bytes())
    files["init"] = (0o100755, INIT.replace("MODULES", " ".join(ordered)).encode())
    return gzip.compress(cpio(files), compresslevel=1)


def _collect(name: str, found: dict[str, Path], ordered: list[str]) -> None:
    """Append the module and, before it, those that it says it depends on."""
    if name in ordered or name not in found:
        return
    if depends := re.search(rb"\0depends=([^\0]*)\0", found[name].read_bytes()):
        for other in filter(None, depends[1].decode().split(",")):
            _collect(other.replace("-", "_"), found, ordered)
    ordered.append(name)


@functools.cache
def _kernel() -> tuple[Path, Path]:
    """Return a kernel and the folder of its modules."""
    root = Path("/")
    if not _kernels(root):
        root = cache_folder().parent / "kernel"
        if not _kernels(root):
            _fetch(root)
    found = _kernels(root)
    if not found:
        raise HarnessError(f"{PACKAGE} has no kernel in it", hint=f"`apt-get install {PACKAGE}` gives one")
    return found[-1]


def _kernels(root: Path) -> list[tuple[Path, Path]]:
    pairs = [
        (path, root / "lib" / "modules" / path.name.removeprefix("vmlinuz-"))
        for path in sorted(root.glob("boot/vmlinuz-*-cloud-amd64"))
    ]
    return [(kernel, modules) for kernel, modules in pairs if modules.is_dir() and os.access(kernel, os.R_OK)]


def _fetch(folder: Path) -> None:
    """Unpack the newest kernel's package in *folder*, whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".kernel-", dir=folder.parent) as scratch:
        depends = _run(["apt-cache", "depends", PACKAGE], scratch)
        name = re.search(r"Depends: (linux-image-\S+)", depends)
        if name is None:
            raise HarnessError(f"apt knows no {PACKAGE}", hint="`apt-get update` may help")
        _run(["apt-get", "download", "-o", "APT::Sandbox::User=root", name[1]], scratch)
        package = next(Path(scratch).glob("*.deb"))
        _run(["dpkg-deb", "-x", str(package), str(Path(scratch, "tree"))], scratch)
        if not folder.exists():
            Path(scratch, "tree").rename(folder)


def _run(command: list[str], folder: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0:
        raise HarnessError(
            f"{' '.join(command)} ended with {done.returncode}:{last_lines(done.stderr)}",
            hint=f"`apt-get install {PACKAGE}` is as good",
        )
    return done.stdout
