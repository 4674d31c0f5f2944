"""What libvirt copies by itself tells how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from executor.engine import apply as engine
from executor.engine import copying, source, store
from executor.engine.cloning import clone
from executor.hypervisor.calls import Call, hooked
from tests.hypervisor.guests import eventually, real
from tests.storage import pictures
from tests.storage.objects import DATA, disk, image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from executor.hypervisor.errors import LibvirtError
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.pools import Pool

pytestmark = pytest.mark.libvirt


class Slow:
    """A hook that lets no copy end before it was told how far that is; ``told`` is what was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, int | None]] = []

    def __call__(self, *told: str | int | None) -> None:
        self.told.append(told)  # type: ignore[arg-type]

    @property
    def copies(self) -> list[tuple[str, int, int | None]]:
        return [each for each in self.told if each[0].startswith("copying")]

    def before(self, call: Call) -> None:
        """Take no notice."""

    def after(self, call: Call, error: LibvirtError | None) -> None:
        if call.method == "createXMLFrom" and error is None:
            eventually(lambda: self.copies, what="how far the copy is")


def test_copies_tell_how_far_they_are(
    qemu: Hypervisor, pool: Pool, write: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "EVERY", 0.01)
    path = pictures.made(tmp_path / "sources" / "it", "qcow2", DATA)
    every = ""
    # An image from a file, a disk from it, an image from that.
    for text in (
        image(f"file: {{path: '{path}'}}"),
        disk("imageRef: {name: debian}"),
        "---\n" + image("diskRef: {name: root}", name="golden"),
    ):
        every += text
        with hooked(Slow()) as slow:
            done = list(engine.apply(qemu, source.read([write(every)]), progress=slow))
        assert [each.error for each in done if each.error] == []
        assert {what for what, _, _ in slow.copies} == {"copying"}
        assert all(0 <= at <= int(whole or 0) for _, at, whole in slow.copies)
    one = f"<disk type='file' device='disk'><driver type='qcow2'/><source file='{pool.volume('root').path()}'/>"
    qemu.domains.define(real("web-1", devices=f"{one}<target dev='vda'/></disk>"))
    with hooked(Slow()) as slow:
        clone(qemu, store.Guest(qemu.domains.by_name("web-1"), None), "web-2", namespace="default", progress=slow)
    assert {what for what, _, _ in slow.copies} == {"copying vda"}
