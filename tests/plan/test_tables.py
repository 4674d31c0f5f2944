"""The planner's tables name what libvirt has: a slip of the pen in them would do nothing, silently."""

from __future__ import annotations

from typing import TYPE_CHECKING

from executor.plan import hotplug, identity, rules, tuning
from schemas.table import table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.table import Type

TYPES = set(table().type_names())
DEVICES = table().type("domain/devices")


def unknown(kind: Type, paths: Iterable[tuple[str, ...]]) -> list[str]:
    """Return those of *paths* that do not lead from *kind* to a key."""
    out = []
    for path in paths:
        at: Type | None = kind
        for step in path:
            field = at.by_key.get(step) if at is not None else None
            if field is None:
                out.append(f"{kind.name}: {'.'.join(path)}")
                break
            at = field.type if field.value == "map" else None
    return out


def test_every_type_of_the_rules_exists() -> None:
    named = {*rules.EMPTY, *rules.KEPT, *rules.FOLLOWS, *rules.DOUBLED, *identity.KEYS, *identity.CLASS}
    named |= {kind for kind, _ in (*rules.NOTHING, *rules.TWINS)} | set(identity.LABELS)
    assert named - TYPES == set()


def test_every_key_of_the_rules_exists() -> None:
    wrong = []
    for (name, key), twin in rules.TWINS.items():
        wrong += unknown(table().type(name), [(key,), (twin,)])
    for name, key in rules.NOTHING:
        wrong += unknown(table().type(name), [(key,)])
    for name, keys in rules.KEPT.items():
        wrong += unknown(table().type(name), [(key,) for key in keys])
    for name, rows in rules.FOLLOWS.items():
        for trigger, followers in rows:
            wrong += unknown(table().type(name), [trigger, *((key,) for key in followers)])
    for name, pairs in rules.DOUBLED.items():
        wrong += unknown(table().type(name), [(key,) for pair in pairs for key in pair])
    wrong += unknown(table().type("domain"), rules.REPORTED)
    assert wrong == []


def test_every_key_that_identifies_an_entry_exists() -> None:
    wrong = []
    for name, keys in identity.KEYS.items():
        if not isinstance(keys, str):
            wrong += unknown(table().type(name), [part for key in keys for part in key])
    for tables in (identity.CLASS, identity.LABELS):
        for name, parts in tables.items():
            wrong += unknown(table().type(name), parts)
    assert wrong == []


def test_every_list_of_a_device_is_told_apart_by_entry() -> None:
    lists = [field for field in DEVICES.fields if field.many and field.key != "redirfilters"]
    assert [field.key for field in lists if isinstance(identity.keys_of(field), str)] == []


def test_every_key_that_is_changed_in_a_running_guest_exists() -> None:
    wrong = []
    for key, row in hotplug.HOTPLUG.items():
        kind = DEVICES.by_key[key].type
        when = [part for each in row.plug or () for part, _ in each]
        when += [part for update in row.updates for part in (*update.keys, *(key for key, _ in update.when))]
        wrong += unknown(kind, when)
    domain = table().type("domain")
    wrong += unknown(domain, [*tuning.PARAMETERS, *tuning.LIFECYCLE, *tuning.ENTRIES])
    assert wrong == []
