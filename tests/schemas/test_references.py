"""References to our objects stand in YAML alone: they never reach libvirt's XML."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from analyser.codec.encode import encode
from schemas.table import table

if TYPE_CHECKING:
    from analyser.model import Node


@pytest.mark.parametrize("libvirt_order", [False, True])
@pytest.mark.parametrize(
    ("devices", "xml"),
    [
        (
            {"disks": [{"type": "volume", "source": {"diskRef": {"name": "web"}}, "target": {"dev": "vda"}}]},
            "<disk type='volume'><source/><target dev='vda'/></disk>",
        ),
        (
            {"interfaces": [{"type": "network", "source": {"networkRef": {"name": "lan", "namespace": "infra"}}}]},
            "<interface type='network'><source/></interface>",
        ),
        (
            {"graphics": [{"type": "vnc", "passwdSecretRef": {"name": "web", "key": "vnc"}}]},
            "<graphics type='vnc'/>",
        ),
    ],
)
def test_a_reference_is_left_out_of_the_xml(devices: Node, xml: str, *, libvirt_order: bool) -> None:
    root = table().roots["domain"]

    text = encode({"devices": devices}, root.type, "domain", table().namespaces, libvirt_order=libvirt_order)

    assert "".join(text.split("\n")).replace("  ", "") == f"<domain><devices>{xml}</devices></domain>"


def test_a_reference_says_which_native_key_it_stands_for() -> None:
    graphics = table().roots["domain"].type.by_key["devices"].type.by_key["graphics"].type

    assert graphics.by_key["passwdSecretRef"].stands_for == "passwd"
    assert set(graphics.references) == {"passwdSecretRef"}
