"""Our own structs read what an API server hands out, and write no more than was said."""

from __future__ import annotations

import json

import msgspec
import pytest

from schemas.api.kinds import KINDS
from schemas.api.virtualmachine import RunStrategy, VirtualMachineSpec, VirtualMachineStatus
from schemas.crd import Native, Own
from schemas.descriptions import descriptions
from schemas.table import table


def test_a_spec_is_read_and_written_with_the_keys_of_the_api() -> None:
    text = b'{"runStrategy":"Always","domain":{"name":"a","vcpu":{"value":2}},"cloudInit":{"secretRef":{"name":"s"}}}'

    spec = msgspec.json.decode(text, type=VirtualMachineSpec)

    assert spec.run_strategy is RunStrategy.ALWAYS
    assert spec.cloud_init is not None
    assert spec.cloud_init.secret_ref is not None
    assert spec.cloud_init.secret_ref.name == "s"
    assert json.loads(msgspec.json.encode(spec)) == json.loads(text)


def test_what_a_newer_version_wrote_is_borne() -> None:
    status = msgspec.json.decode(b'{"printableStatus":"Levitating","aura":"green"}', type=VirtualMachineStatus)

    assert status.printable_status == "Levitating"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.short)
def test_columns_and_selectors_are_of_fields_that_exist(kind: object) -> None:
    own = Own(Native(table(), descriptions(), ()))
    parts = {"spec": own.struct(kind.spec), "status": own.struct(kind.status)}  # type: ignore[attr-defined]
    paths = [c.path for c in kind.columns if not c.path.startswith(".metadata")]  # type: ignore[attr-defined]

    for path in [*paths, *kind.selectable]:  # type: ignore[attr-defined]
        schema = {"properties": parts}
        for key in path.partition("[?")[0].replace("[*]", "").strip(".").split("."):
            inner = schema.get("items", schema)
            # Amounts are maps of any resource's name.
            schema = inner["additionalProperties"] if "additionalProperties" in inner else inner["properties"][key]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.short)
def test_what_is_needed_is_a_field(kind: object) -> None:
    own = Own(Native(table(), descriptions(), ()))

    def check(schema: dict[str, object]) -> None:
        properties = schema.get("properties", {})
        assert isinstance(properties, dict)
        assert set(schema.get("required", [])) <= set(properties)  # type: ignore[call-overload]
        for inner in properties.values():
            check(inner.get("items", inner))

    check(own.struct(kind.spec))  # type: ignore[attr-defined]
    check(own.struct(kind.status))  # type: ignore[attr-defined]
