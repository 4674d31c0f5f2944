"""Any one field of a guest, changed, needs its own change of the definition, and nothing else of the running guest."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

import pytest

from executor.plan import actions, actual, domain, foreign
from executor.plan import mark as marks
from executor.plan.domain import steps_of
from tests.plan.guest import DEFINITION, RUNNING, mark_of, ours, spec

if TYPE_CHECKING:
    from collections.abc import Iterator

# Some 200 fields: the guest of the other tests, with more devices.
MORE = "".join(
    f"""<disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none' io='native' discard='unmap' detect_zeroes='unmap'/>
      <source file='/images/more-{number}.qcow2'/>
      <target dev='vd{letter}' bus='virtio'/>
      <iotune><read_bytes_sec>{number}000000</read_bytes_sec><write_bytes_sec>2000000</write_bytes_sec></iotune>
      <serial>more-{number}</serial>
      <boot order='{number + 2}'/>
    </disk>
    <interface type='bridge'>
      <mac address='52:54:00:00:01:0{number}'/>
      <source bridge='br{number}'/>
      <model type='virtio'/>
      <driver name='vhost' queues='4'/>
      <mtu size='1500'/>
      <link state='up'/>
    </interface>
    """
    for number, letter in enumerate("bcdef", 1)
)
BIG = DEFINITION.replace("<controller type='usb'", f"{MORE}<controller type='usb'", 1)
BIG_RUNNING = RUNNING.replace("<controller type='usb'", f"{MORE}<controller type='usb'", 1)
GUEST = spec(BIG)

# What tells entries apart: with another one, the entry goes and another one comes.
IDENTITIES = {
    tuple(text.split("."))
    for text in (
        "devices.disks.target.dev",
        "devices.interfaces.mac.address",
        "devices.controllers.type",
        "devices.controllers.index",
        "devices.channels.target.type",
        "devices.channels.target.name",
        "devices.inputs.type",
        "devices.inputs.bus",
        "iothreadids.iothreads.id",
        "cputune.vcpupins.vcpu",
        "clock.timers.name",
    )
}

# libvirt keeps the first address that a screen listens at in an attribute, too.
TWICE = ("listen", "listens")

Place = tuple[str | int, ...]


def _leaves(node: Any, path: Place = ()) -> Iterator[Place]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _leaves(value, (*path, index))
    else:
        yield path


LEAVES = list(_leaves(GUEST))

# What makes the guest another one, or is another's.
FIXED = {("name",), ("uuid",), ("metadata",), ("type",)}


def _other(value: Any) -> Any:
    """Return another value of the same shape."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1 if value >= 0 else 5901
    text = str(value)
    if size := re.fullmatch(r"(\d+)([KMG]i)", text):
        return f"{int(size[1]) * 2}{size[2]}" if size[1] != "4" else f"3{size[2]}"
    if re.fullmatch(r"0x[0-9a-f]+", text):
        return f"{int(text, 16) + 1:#0{len(text)}x}"
    if re.fullmatch(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", text):
        return f"{text[:-2]}fe"
    return {"0-1": "2", "127.0.0.1": "127.0.0.2"}.get(text, f"{text}x")


def _at(node: Any, path: Place) -> Any:
    for step in path:
        node = node[step]
    return node


def _put(node: Any, path: Place, value: Any) -> None:
    _at(node, path[:-1])[path[-1]] = value


def _changed(path: Place) -> dict[str, Any]:
    out = copy.deepcopy(GUEST)
    _put(out, path, _other(_at(GUEST, path)))
    return out


def _keys(path: Place) -> tuple[str, ...]:
    return tuple(step for step in path if isinstance(step, str))


def _about(step: actions.Action) -> set[tuple[str, ...]]:
    """Return the keys that *step* is about, as far as it says."""
    if isinstance(step, actions.UpdateDevice):
        texts = [f"{step.path}.{each}" for each in step.paths]
    else:
        texts = [*getattr(step, "paths", ()), *([step.path] if hasattr(step, "path") else [])]
    return {tuple(each for each in steps_of(text) if not each.startswith("[")) for text in texts}


def test_the_guest_has_some_two_hundred_fields() -> None:
    assert len(LEAVES) > 200


def test_the_guest_as_it_is_needs_nothing() -> None:
    assert domain.plan(GUEST, ours(BIG, GUEST, BIG_RUNNING), GUEST, mark=mark_of(GUEST)) == []


@pytest.mark.parametrize(
    "path", [path for path in LEAVES if path not in FIXED], ids=lambda path: ".".join(map(str, path))
)
def test_one_field_changes_alone(path: Place) -> None:
    wanted = _changed(path)
    define, *rest = domain.plan(wanted, ours(BIG, GUEST, BIG_RUNNING), GUEST, mark=mark_of(wanted))
    assert isinstance(define, actions.Define)
    keys = _keys(path)
    # Another identity is another device: the whole entry changes.
    assert all(each == keys or each == keys[: len(each)] for each in _about(define))
    # A password is no part of the mark.
    marked = [step for step in rest if isinstance(step, actions.SetMark)]
    assert len(marked) == (keys[-1] != "passwd")
    rest = [step for step in rest if step not in marked]
    assert len(rest) == 1 or (keys in IDENTITIES and len(rest) <= 2)
    for step in rest:
        assert all(each[: len(keys)] == keys[: len(each)] for each in _about(step))
    after = actual.document(define.xml)[0]
    after["metadata"] = foreign.without(after["metadata"], marks.URI)
    if keys in IDENTITIES or set(TWICE) & set(keys):
        # What was made for the old device, or says the same twice, goes with it.
        assert all(_keys(place)[:2] == keys[:2] for place in set(_leaves(after)) ^ set(LEAVES))
    else:
        _put(after, path, _at(GUEST, path))
        assert after == GUEST
