"""The guest's initial RAM disk, which is all the system that it has: busybox, modules and an init.

The init writes a line each second on the serial console: a counter, and what it sees of its disks, NICs, CPUs and
memory. What is typed there a shell runs. The power button stops it.
"""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from scripts.guest.kernel import Kernel

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
    # A CPU that is plugged in stands still until it is told to work.
    for cpu in /sys/devices/system/cpu/cpu[0-9]*/online; do
      [ "$(cat "$cpu")" = 1 ] || echo 1 >"$cpu"
    done 2>/dev/null
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


def archive(kernel: Kernel) -> bytes:
    """Return the initial RAM disk for *kernel*; raises KubevmmError where there is no busybox."""
    busybox = shutil.which("busybox", path="/usr/bin:/bin")
    if busybox is None:
        raise KubevmmError("busybox is not installed", hint="`make test` installs it (package busybox-static)")
    files: dict[str, tuple[int, bytes]] = {}
    for folder in ("bin", "dev", "modules", "proc", "sys", "mnt", "tmp"):
        files[folder] = (0o040755, b"")
    files["bin/busybox"] = (0o100755, Path(busybox).read_bytes())
    modules = kernel.needed()
    for name, content in modules.items():
        files[f"modules/{name}.ko"] = (0o100644, content)
    files["init"] = (0o100755, INIT.replace("MODULES", " ".join(modules)).encode())
    return gzip.compress(cpio(files), compresslevel=1)


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
