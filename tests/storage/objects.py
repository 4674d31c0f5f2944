"""Images and disks as people write them, what came of them, and what strikes a process or its connection."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any

import pytest

from executor.engine.listing import Query, listing
from executor.hypervisor.calls import Call, hooked
from executor.hypervisor.errors import Unavailable
from tests.engine.objects import apply
from tests.storage import pictures
from tests.storage.pictures import MIB

if TYPE_CHECKING:
    from pathlib import Path

    from executor.hypervisor.errors import LibvirtError
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.pools import Pool

DATA = pictures.content(MIB)
FROM = "imageRef: {name: debian}"


def image(source: str, *, name: str = "debian", more: str = "", pools: str = "{name: images}") -> str:
    return (
        f"apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachineImage\nmetadata: {{name: {name}}}\n"
        f"spec: {{source: {{{source}}}, poolRefs: [{pools}]{more}}}\n"
    )


def disk(source: str, *, name: str = "root", more: str = "", pool: str = "images") -> str:
    return (
        f"---\napiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachineDisk\nmetadata: {{name: {name}}}\n"
        f"spec: {{poolRef: {{name: {pool}}}, source: {{{source}}}{more}}}\n"
    )


def digest(data: bytes, name: str = "sha256") -> str:
    return f"{name}:{hashlib.new(name, data).hexdigest()}"


def status(qemu: Hypervisor, kind: str = "VirtualMachineImage") -> dict[str, Any]:
    (found,) = listing(qemu, Query(kind, detail=True)).objects
    return dict(found["status"])


def ready(found: dict[str, Any]) -> tuple[str, str]:
    (condition,) = (each for each in found["conditions"] if each["type"] == "Ready")
    return condition["status"], condition["reason"]


def content(pool: Pool, name: str = "debian") -> bytes:
    back = io.BytesIO()
    pool.volume(name).download(back)
    return back.getvalue()


def disk_of(data: bytes, tmp_path: Path) -> bytes:
    """Return what a guest sees of a qcow2."""
    (tmp_path / "seen").write_bytes(data)
    pictures.qemu_img("convert", "-f", "qcow2", "-O", "raw", tmp_path / "seen", tmp_path / "seen.raw")
    return (tmp_path / "seen.raw").read_bytes()


class Killed(BaseException):
    """What ends a process at once, as far as one can see from the inside."""


class Killing:
    """A hook that kills at one of the calls, before or after it is made, and lets no other be made from then on.

    With *lost* it is not the process that ends, but the connection.
    """

    def __init__(self, at: int, *, before: bool, lost: bool = False) -> None:
        self.left = at
        self.end: BaseException = Unavailable("the connection is lost") if lost else Killed()
        self.kills_before = before
        self.dead = False

    def before(self, call: Call) -> None:
        self._count(call, self.kills_before)

    def after(self, call: Call, error: LibvirtError | None) -> None:
        if error is None:
            self._count(call, not self.kills_before)

    def _count(self, call: Call, here: bool) -> None:
        if self.dead:
            raise self.end
        if here and call.mutating:
            self.left -= 1
            if self.left < 0:
                self.dead = True
                raise self.end


def struck(qemu: Hypervisor, file: str, at: int, *, before: bool, lost: bool) -> None:
    with hooked(Killing(at, before=before, lost=lost)):
        if lost:
            apply(qemu, file)
        else:
            with pytest.raises(Killed):
                apply(qemu, file)
