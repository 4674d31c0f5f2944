"""An image's file put into a pool: under a temporary name, verified there, and only then made under its own.

libvirt renames no volumes. So the file goes into a volume whose name says that it is a part, is read back and compared,
and libvirt makes the volume that people see from it. That this one is whole is written down after the last step: what
a kill leaves behind at any other is thrown away by the next pass, which starts anew.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from executor.engine import copying, volumes
from executor.storage import qcow2
from executor.storage.checksum import Digests
from executor.storage.headers import Head, Refused
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from executor.hypervisor.pools import Pool
    from executor.hypervisor.volumes import Volume
    from executor.storage.headers import Header

    Progress = Callable[[str, int, int | None], object]
    """Is told what is being done, how many bytes of it, and of how many, where that is known."""

_SUFFIX: Final = ".kubevmm-part"


@dataclass(frozen=True)
class Judged:
    """An image's file that was looked at whole: nothing in it points outside, and it has these digests."""

    file: BinaryIO
    header: Header
    digests: Digests


def land(pool: Pool, spec: Mapping[str, Any], name: str, judged: Judged, progress: Progress | None) -> Volume:
    """Return the volume *name* of *pool*, made from the file.

    Raises KubevmmError, and then nothing is left behind.
    """
    _check(pool, judged)
    size = judged.digests.length
    part = pool.create_volume(
        volumes.xml({"name": part_of(name), "capacity": f"{size} bytes", "allocation": "0 bytes"})
    )
    try:
        _fill(pool, part, judged, progress)
        form = _final_format(pool, judged.header)
        document = volumes.new(spec, name, judged.header.virtual_size, form, pool)
        return made(pool, document, part, progress)
    finally:
        # Also where it failed, or somebody lost patience; a kill leaves it to the next pass.
        with contextlib.suppress(KubevmmError):
            part.delete()


def made(pool: Pool, document: dict[str, Any], source: Volume, progress: Progress | None) -> Volume:
    """Return the volume *document* of *pool*, a copy of *source* that stands alone. Raises KubevmmError."""
    with copying.told(pool, str(document["name"]), source, progress):
        volume = pool.create_volume(volumes.xml(document), source=source)
    try:
        pool.settle()
        _check_made(volume, ((document.get("target") or {}).get("format") or {}).get("type") or "raw")
    except BaseException:
        with contextlib.suppress(KubevmmError):
            volume.delete()
        raise
    return volume


def _check_made(volume: Volume, wanted: str) -> None:
    found = volumes.content(volume)
    if found.backing or (found.format != wanted and (found.format, wanted) != ("iso", "raw")):
        raise Refused(f"the volume {volume.name} came out as {found.format}, not as {wanted} that stands alone")


def part_of(name: str) -> str:
    """Return the name of the volume that the image *name* comes in by."""
    return name + _SUFFIX


def begun(pool: Pool, name: str) -> bool:
    """Say whether somebody began to bring the image and did not end: its own volume, if there is one, is not whole."""
    return volumes.find(pool, part_of(name)) is not None


def discard(pool: Pool, name: str, *, whole: bool) -> None:
    """Delete the part that an earlier try left; with *whole* also what it made of that, where nobody knows how far."""
    for each in (part_of(name), *([name] if whole else [])):
        volume = volumes.find(pool, each)
        if volume is not None:
            volume.delete()


def _check(pool: Pool, judged: Judged) -> None:
    """Raise Refused where *pool* cannot take the image."""
    header, size = judged.header, judged.digests.length
    if header.format != "raw" and not volumes.in_files(pool):
        raise Refused(
            f"the pool {pool.name} has raw volumes alone, and the image is {header.format}",
            hint="`qemu-img convert -O raw` makes one that fits",
        )
    free = pool.info().available
    holds = size
    if header.format == "qcow2":
        holds = qcow2.unpacked(Head(judged.file, size), most=free)
    if size > free or holds > free:
        raise Refused(f"it unpacks to {max(holds, size)} bytes or more, and the pool {pool.name} has {free} left")


def _fill(pool: Pool, part: Volume, judged: Judged, progress: Progress | None) -> None:
    """Write the file into *part*, read it back, and let libvirt look at it."""
    size = judged.digests.length

    def told(what: str) -> Callable[[int], object] | None:
        return None if progress is None else lambda done: progress(what, done, size)

    judged.file.seek(0)
    part.upload(judged.file, length=size, sparse=volumes.in_files(pool), progress=told("uploading"))
    pool.settle()
    found = Digests()
    part.download(cast("BinaryIO", found), length=size, progress=told("verifying"))
    if found["sha512"] != judged.digests["sha512"]:
        raise Refused(f"what the pool {pool.name} holds is not what was sent: somebody changed the file meanwhile")
    seen = volumes.content(part)
    form = "raw" if seen.format == "iso" else seen.format
    if form != judged.header.format or seen.backing:
        raise Refused(f"libvirt takes it for {seen.format}, and it is {judged.header.format}")


def _final_format(pool: Pool, header: Header) -> str | None:
    if not volumes.in_files(pool):
        return None
    return "raw" if header.format == "raw" else "qcow2"
