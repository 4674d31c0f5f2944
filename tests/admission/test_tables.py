"""The tenants' policies and the tables: what nobody has thought about is refused, wherever the tables have it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from schemas import tenants
from schemas.api.kinds import KINDS
from schemas.errors import InputError
from schemas.table import EXTRA, PATH, Field, Table, Type, table
from tests.admission.api import RefusedError, manifest, path
from tests.admission.conftest import TENANT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.admission.api import Caller

ROOTS = {"VirtualMachine": "domain", "VirtualMachineDisk": "volume", "VirtualMachineSnapshot": "domainsnapshot"}
PLURALS = {kind.name: kind.plural for kind in KINDS}
REST: dict[str, dict[str, Any]] = {"VirtualMachineDisk": {"source": {"blank": {}}}}
VALUES: dict[str, Any] = {"integer": 1, "yesno": True, "onoff": True, "size": "1Gi", "map": {}}


def _maps() -> Iterator[tuple[str, str, list[str]]]:
    """Yield each map that tenants may write: the kind, its path, and the keys that they may not write there."""
    rules = tenants.load()
    for kind, element in ROOTS.items():
        root = table().roots[element]
        assert root.field is not None
        for place, shape, rule in _walk(root.type, rules[kind][root.field], root.field):
            listed = {*rule.get("$any", ()), *rule}
            refused = sorted({*shape.by_key, EXTRA} - listed)
            # A reference of ours has no room for anything.
            if any(field.where != "reference" for field in shape.fields) or not shape.fields:
                yield kind, place, refused


def _walk(shape: Type, rule: dict[str, Any], place: str) -> Iterator[tuple[str, Type, dict[str, Any]]]:
    yield place, shape, rule
    for key, inner in rule.items():
        if isinstance(inner, dict) and not key.startswith("$") and shape.by_key[key].value == "map":
            yield from _walk(shape.by_key[key].type, inner, f"{place}.{key}")


def _object(kind: str, place: str, keys: list[str]) -> dict[str, Any]:
    """Return the spec of *kind* with *keys* at *place*."""
    steps = place.split(".")
    shape = table().roots[ROOTS[kind]].type
    fields: list[Field] = []
    for step in steps[1:]:
        fields.append(shape.by_key[step])
        shape = fields[-1].type
    value: Any = {key: _value(shape.by_key[key]) if key != EXTRA else "<x/>" for key in keys}
    for field in reversed(fields):
        if field.many:
            value = [{**({field.identity: field.type.by_key[field.identity].enum[0]} if field.identity == "name"
                         and field.type.by_key["name"].enum else {field.identity: "a"} if field.identity else {}),
                      **value}]  # fmt: skip
        value = {field.key: value}
    return {steps[0]: value, **REST.get(kind, {})}


def _value(field: Field) -> Any:
    one = field.enum[0] if field.enum else VALUES.get(field.value, "x")
    if field.value == "map" and field.where == "reference":
        one = {inner.key: "x" for inner in field.type.fields if inner.required}
    if field.many and field.identity:
        one = {field.identity: "x"}
    return [one] if field.many else one


MAPS = list(_maps())


def test_there_are_as_many_maps_as_it_takes_to_believe_it() -> None:
    assert len(MAPS) > 200
    assert sum(len(keys) for _, _, keys in MAPS) > 600


def test_every_key_of_the_tables_that_is_not_known_to_be_harmless_is_refused_by_name(
    cluster: Any,  # noqa: ARG001  (marks the test)
    owner: Caller,
) -> None:
    unsaid = []
    for kind, place, keys in MAPS:
        spec = _object(kind, place, keys)
        with pytest.raises(RefusedError) as refused:
            owner.create(path(PLURALS[kind], TENANT), manifest(kind, "tried", TENANT, spec=spec), dry_run=True)
        assert refused.value.code == 403, (place, str(refused.value))
        message = str(refused.value)
        unsaid += [f"{place}.{key}" for key in keys if key not in message]

    assert unsaid == []


def test_a_key_that_the_tables_gain_is_refused_until_somebody_lists_it() -> None:
    raw = json.loads(PATH.read_text(encoding="utf-8"))
    raw["types"]["domain"].append({"element": "telepathy", "key": "telepathy", "value": "string"})

    assert tenants.policies(Table(raw), KINDS, tenants.load()) == tenants.policies(table(), KINDS, tenants.load())


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"domain": {"$any": ["telepathy"]}}, "spec.domain has no telepathy"),
        ({"domain": {"$any": ["os"]}}, "spec.domain.os holds a map: list its keys"),
        ({"domain": {"os": {"$any": ["nvram"]}}}, "spec.domain.os.nvram holds a map: list its keys"),
        ({"domain": {"title": {"$any": ["a"]}}}, "spec.domain.title holds no map"),
        ({"telepathy": "any"}, "spec has no telepathy"),
    ],
)
def test_a_rule_that_would_let_too_much_through_is_an_error(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as failed:
        tenants.policies(table(), KINDS, {"VirtualMachine": rule})

    assert said in str(failed.value)
