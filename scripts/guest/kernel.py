"""Finds a kernel of the distribution's with the modules that go with it, or fetches one without installing it.

Looked through, in this order: the folder that KUBEVMM_KERNEL_ROOT names (as a package unpacks: boot/vmlinuz-VERSION
and lib/modules/VERSION), what is installed and may be read, and the cache, into which a package of Debian's or
Ubuntu's is unpacked. Installing it would make it one that the machine itself may boot next, which nobody asked for.
"""

from __future__ import annotations

import functools
import gzip
import lzma
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import zstandard

from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VARIABLE = "KUBEVMM_KERNEL_ROOT"

# The small kernels for virtual machines, Debian's and Ubuntu's.
PACKAGES = ("linux-image-cloud-amd64", "linux-image-virtual")

# What the guest needs, as modules or built in.
NEEDED = (
    "virtio_pci", "virtio_blk", "virtio_net", "virtio_balloon", "virtio_console", "virtio_scsi", "sd_mod", "sr_mod",
    "isofs", "button", "evdev",
)  # fmt: skip

UNPACK: dict[str, Callable[[bytes], bytes]] = {
    ".ko": bytes,
    ".ko.gz": gzip.decompress,
    ".ko.xz": lzma.decompress,
    ".ko.zst": lambda packed: zstandard.ZstdDecompressor().decompressobj().decompress(packed),
}
"""How to read a module, by the end of its name; busybox itself knows but some of these forms."""


class Kernel(NamedTuple):
    """A kernel's image, and the folder of its modules."""

    image: Path
    modules: Path

    def missing(self) -> list[str]:
        """Return which of the needed modules it has neither as a file nor built in."""
        there = self._files().keys() | self._builtin()
        return [name for name in NEEDED if name not in there]

    def needed(self) -> dict[str, bytes]:
        """Return the needed modules that are not built in, plain, by name, each after those that it depends on."""
        files, ordered = self._files(), dict[str, bytes]()
        for name in NEEDED:
            _collect(name, files, ordered)
        return ordered

    def _files(self) -> dict[str, Path]:
        return {_name(path): path for path in self.modules.rglob("*.ko*") if "".join(path.suffixes) in UNPACK}

    def _builtin(self) -> set[str]:
        listed = self.modules / "modules.builtin"
        return {_name(Path(line)) for line in listed.read_text("utf-8").splitlines()} if listed.is_file() else set()


@functools.cache
def find() -> Kernel:
    """Return the kernel to boot; raises KubevmmError where none is there and none can be fetched."""
    if given := os.environ.get(VARIABLE):
        if found := _best(Path(given)):
            return found
        message = f"{VARIABLE}={given} has no boot/vmlinuz-VERSION with what a guest needs in lib/modules/VERSION"
        raise KubevmmError(message, hint="unpack a kernel's packages there with `dpkg-deb -x`, its modules' too")
    cache = _cache()
    if found := _best(Path("/")) or _best(cache):
        return found
    fetch(cache)
    if found := _best(cache):
        return found
    lacks = ", ".join({name: None for kernel in kernels(cache) for name in kernel.missing()}) or "a kernel"
    raise KubevmmError(f"what was fetched to {cache} lacks {lacks}", hint=f"have {VARIABLE} name a folder with another")


def kernels(root: Path) -> Iterator[Kernel]:
    """Yield the kernels below *root* that may be read and have their modules beside them."""
    for folder in ("lib/modules", "usr/lib/modules"):
        for modules in sorted(root.glob(f"{folder}/*/")):
            for image in (root / "boot" / f"vmlinuz-{modules.name}", modules / "vmlinuz"):
                # Ubuntu's are for root alone.
                if image.is_file() and os.access(image, os.R_OK):
                    yield Kernel(image, modules)


def _best(root: Path) -> Kernel | None:
    """Return a kernel that has what is needed: first one for virtual machines, which boots sooner, then the newest."""
    fit = [kernel for kernel in kernels(root) if not kernel.missing()]
    return max(fit, key=lambda kernel: ("cloud" in kernel.modules.name, _version(kernel.modules.name)), default=None)


def _version(name: str) -> list[tuple[int, str]]:
    return [(int(number or 0), word) for number, word in re.findall(r"(\d+)|(\D+)", name)]


def _name(path: Path) -> str:
    """Return a module's name as others refer to it, from its file's."""
    return path.name.partition(".")[0].replace("-", "_")


def _collect(name: str, files: dict[str, Path], ordered: dict[str, bytes]) -> None:
    """Add the module behind those that it says itself it depends on: where it is not installed, there is no list."""
    if name in ordered or name not in files:
        return
    path = files[name]
    content = UNPACK["".join(path.suffixes)](path.read_bytes())
    if depends := re.search(rb"\0depends=([^\0]*)\0", content):
        for other in filter(None, depends[1].decode().split(",")):
            _collect(other.replace("-", "_"), files, ordered)
    ordered[name] = content


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification has relative paths ignored.
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "kubevmm" / "kernel"


def fetch(folder: Path) -> None:
    """Unpack the newest kernel's packages in *folder*, whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".kernel-", dir=folder.parent) as scratch:
        options, names = _wanted(Path(scratch))
        _run(["apt-get", *options, "download", *names], scratch)
        for package in Path(scratch).glob("*.deb"):
            _run(["dpkg-deb", "-x", str(package), str(Path(scratch, "tree"))], scratch)
        # Another may have done the same meanwhile, and boot from it.
        if _best(folder) is None:
            if folder.exists():
                folder.rename(Path(scratch, "old"))
            Path(scratch, "tree").rename(folder)


def _wanted(scratch: Path) -> tuple[list[str], list[str]]:
    """Return options for apt, and the packages that hold the newest kernel for virtual machines and its modules.

    Where apt knows none, as in a container that never asked, it fetches its lists into *scratch*: that takes no root.
    """
    lists, partial = scratch / "lists", scratch / "lists" / "partial"
    own = ["-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={scratch}", "-o", "Debug::NoLocking=true"]
    # As root, apt would become a user who may not write here.
    sandbox = ["-o", "APT::Sandbox::User=root"]
    for options in (sandbox, [*sandbox, *own]):
        if options is not sandbox:
            partial.mkdir(parents=True)
            _run(["apt-get", *options, "update", "-qq"], str(scratch))
        for package in PACKAGES:
            if names := _parts(package, options, str(scratch)):
                return options, names
    raise KubevmmError(f"apt knows none of {', '.join(PACKAGES)}", hint=f"have {VARIABLE} name a folder with a kernel")


def _parts(package: str, options: list[str], scratch: str) -> list[str]:
    """Return the packages of images and modules that *package*, which holds nothing itself, stands for."""
    parts: list[str] = []
    left = [package]
    while left:
        done = subprocess.run(
            ["apt-cache", *options, "depends", left.pop()], cwd=scratch, capture_output=True, text=True, check=False
        )
        for name in re.findall(r"^ *\|?Depends: (linux-(?:image|modules|binary)-\S+)", done.stdout, re.MULTILINE):
            if name not in parts:
                parts.append(name)
                left.append(name)
    return parts


def _run(command: list[str], folder: str) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    except FileNotFoundError as error:
        message = f"{command[0]} is not here to fetch a kernel"
        raise KubevmmError(message, hint=f"have {VARIABLE} name a folder with one") from error
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        message = f"fetching a kernel: {' '.join(command[:1])} ended with {done.returncode}: {said}"
        raise KubevmmError(message, hint=f"install {' or '.join(PACKAGES)}, or have {VARIABLE} name a folder with one")
