"""Disks go through libvirt's volumes alone, so that they work over drivers without files, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from executor.hypervisor.hypervisor import Hypervisor
from tests.engine.objects import apply, recorded
from tests.harness.hypervisors import node_uri
from tests.storage.objects import FROM, disk, image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.libvirt


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Hypervisor]:
    with Hypervisor(node_uri(tmp_path)) as hypervisor:
        hypervisor.pools.by_name("images").create_volume(
            "<volume><name>debian</name><capacity>1048576</capacity></volume>"
        )
        yield hypervisor


def test_an_image_that_is_there_is_taken_and_cloned(node: Hypervisor, write: Callable[..., str]) -> None:
    text = image("").replace("source: {}, ", "") + disk(FROM) + disk(f"{FROM}, clone: Linked", name="linked")
    file = write(text)
    lines, calls = recorded(node, file)
    assert [line.split()[1] for line in lines] == ["adopted", "created", "created"]
    assert calls == ["pool.createXMLFrom", "pool.createXML"]
    assert recorded(node, file)[1] == []
    assert "<path>/images/debian</path>" in node.pools.by_name("images").volume("linked").xml()


def test_what_the_driver_cannot_is_one_line_and_leaves_nothing(
    node: Hypervisor, write: Callable[..., str], tmp_path: Path
) -> None:
    path = tmp_path / "sources" / "it"
    path.write_bytes(b"x" * 1000)
    (line,) = apply(node, write(image(f"file: {{path: '{path}'}}", name="other", more=", format: raw")))
    assert "virStorageVolUpload" in line
    assert [each.name for each in node.pools.by_name("images").volumes()] == ["debian"]
