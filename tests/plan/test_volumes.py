"""A volume is made once, grows, and is never cut or made anew."""

from __future__ import annotations

from typing import Any

import pytest

from executor.plan import actual, volume
from schemas.errors import InputError

VOLUME = """\
<volume type='file'>
  <name>root.qcow2</name>
  <key>/images/root.qcow2</key>
  <capacity unit='bytes'>10737418240</capacity>
  <allocation unit='bytes'>200704</allocation>
  <physical unit='bytes'>200704</physical>
  <target>
    <path>/images/root.qcow2</path>
    <format type='qcow2'/>
    <permissions><mode>0600</mode><owner>0</owner><group>0</group></permissions>
    <timestamps><atime>1.0</atime></timestamps>
  </target>
</volume>
"""
THERE = actual.document(VOLUME)[0]
SPEC: dict[str, Any] = {"name": "root.qcow2", "capacity": "10Gi", "target": {"format": {"type": "qcow2"}}}

CASES: list[tuple[dict[str, Any], list[str]]] = [
    (SPEC, []),
    ({**SPEC, "capacity": "10240 MiB"}, []),
    ({**SPEC, "allocation": "0 (bytes)"}, []),
    (THERE, []),
    ({**SPEC, "capacity": "20Gi"}, ["resize volume root.qcow2 in pool p to 21474836480 bytes"]),
    ({**SPEC, "capacity": "5Gi"}, ["cannot change what exists: capacity"]),
    ({**SPEC, "target": {"format": {"type": "raw"}}}, ["cannot change what exists: target.format.type"]),
    (
        {**SPEC, "capacity": "20Gi", "target": {"format": {"type": "raw"}}},
        ["cannot change what exists: target.format.type"],
    ),
    ({**SPEC, "backingStore": {"path": "/b"}}, ["cannot change what exists: backingStore.path"]),
]


@pytest.mark.parametrize(("wanted", "expected"), CASES)
def test_what_is_done_to_a_volume(wanted: dict[str, Any], expected: list[str]) -> None:
    assert [step.describe() for step in volume.plan("p", wanted, THERE)] == expected


def test_a_volume_is_made_blank_or_from_another() -> None:
    assert [step.describe() for step in volume.plan("p", SPEC, None)] == ["create volume root.qcow2 in pool p"]
    assert [step.describe() for step in volume.plan("p", SPEC, None, copied="base")] == [
        "create volume root.qcow2 in pool p as a copy of base"
    ]


def test_a_volume_without_a_size_is_refused() -> None:
    with pytest.raises(InputError, match="needs a capacity"):
        volume.plan("p", {"name": "x"}, None)


def test_what_is_not_there_is_not_deleted() -> None:
    assert volume.delete("p", None) == []
    assert [step.describe() for step in volume.delete("p", THERE)] == [
        "delete volume root.qcow2 in pool p and its data"
    ]
