"""What a plan makes of libvirt's own test driver is what the spec says, whatever was there before."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.plan import actions, actual, domain
from executor.plan.merge import merge
from schemas.table import table
from tests.plan import runner
from tests.plan.guest import DEFINITION, mark_of

pytestmark = pytest.mark.libvirt

GUEST = DEFINITION.replace("<domain type='kvm'>", "<domain type='test'>")

Spec = dict[str, Any]


def _disk(number: int, **more: Any) -> Spec:
    target: Spec = {"dev": f"vd{'bcde'[number]}", "bus": "virtio"}
    return {"type": "file", "device": "disk", "source": {"file": f"/images/{number}.raw"}, "target": target, **more}


def _interface(number: int, **more: Any) -> Spec:
    mac = {"address": f"52:54:00:AA:00:0{number}"}
    return {"type": "network", "mac": mac, "source": {"network": "default"}, "model": {"type": "virtio"}, **more}


DISKS = st.lists(
    st.builds(
        lambda number, cache, readonly: _disk(
            number, driver={"name": "qemu", "type": "raw", "cache": cache}, **({"readonly": {}} if readonly else {})
        ),
        st.integers(0, 3),
        st.sampled_from(["none", "writeback", "directsync"]),
        st.booleans(),
    ),
    unique_by=lambda disk: str(disk["target"]["dev"]),
    max_size=4,
)
INTERFACES = st.lists(
    st.builds(
        lambda number, state, kilobytes: _interface(
            number, link={"state": state}, **({"bandwidth": {"inbound": {"average": kilobytes}}} if kilobytes else {})
        ),
        st.integers(0, 3),
        st.sampled_from(["up", "down"]),
        st.integers(0, 3).map(lambda number: number * 1000),
    ),
    unique_by=lambda interface: str(interface["mac"]["address"]),
    max_size=3,
)
NAMELESS = st.lists(
    st.sampled_from(["default", "blue"]).map(lambda name: {"type": "network", "source": {"network": name}}), max_size=3
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "title": st.sampled_from(["", "Web", "<&'\">"]),
    "description": st.sampled_from(["one line", "two\nlines"]),
    "memory": st.sampled_from(["1Gi", "2048Mi", "4194304Ki", "3 GiB"]),
    "vcpu": st.sampled_from([{"value": 4}, {"value": 4, "current": 2}, {"value": 8, "cpuset": "0-3"}]),
    "cputune": st.fixed_dictionaries(
        {}, optional={"shares": st.integers(2, 9), "vcpupins": st.sampled_from([[{"vcpu": 0, "cpuset": "0,1"}], []])}
    ),
    "features": st.fixed_dictionaries({}, optional={"acpi": st.just({}), "apic": st.just({}), "pae": st.just({})}),
    "onCrash": st.sampled_from(["destroy", "restart", "preserve"]),
    "clock": st.fixed_dictionaries(
        {"offset": st.sampled_from(["utc", "localtime"])},
        optional={
            "timers": st.lists(
                st.sampled_from([{"name": "rtc", "tickpolicy": "delay"}, {"name": "hpet", "present": False}]),
                unique_by=str,
            )
        },
    ),
    "metadata": st.sampled_from(['<a:x xmlns:a="http://a/1"><a:y/></a:x>', '<a:x xmlns:a="http://a/1"/>']),
    "os": st.lists(st.sampled_from(["hd", "network", "cdrom"]), min_size=1, unique=True).map(
        lambda order: {"type": {"arch": "i686", "value": "hvm"}, "bootDevices": [{"dev": each} for each in order]}
    ),
    "devices": st.fixed_dictionaries({}, optional={"disks": DISKS, "interfaces": INTERFACES | NAMELESS}),
}
REQUIRED = ("memory", "vcpu", "os")
SPECS = st.fixed_dictionaries(
    {key: VALUES[key] for key in REQUIRED},
    optional={key: value for key, value in VALUES.items() if key not in REQUIRED},
).map(lambda spec: {"type": "test", "name": "made", "uuid": "6695EB01f6a4830479aa97f2502e193f", **spec})
KIND = table().roots["domain"].type


def _applied(builtin: Any, guest: Any, wanted: Spec) -> tuple[Any, list[actions.Action]]:
    given = copy.deepcopy(wanted)
    guest, done = runner.apply(builtin, guest, wanted, mark_of(wanted))
    assert wanted == given, "a plan changed the spec"
    return guest, done


def _assert_arrived(guest: Any, wanted: Spec) -> None:
    there = runner.read(guest)
    mark = there.mark
    assert mark is not None
    assert mark.answers == ()
    last = mark.last("spec", "domain")
    assert domain.plan(wanted, there, last, mark=mark_of(wanted)) == []
    assert domain.diff(wanted, there, last) == []


@settings(max_examples=80, deadline=None)
@given(st.lists(SPECS, min_size=1, max_size=3))
def test_specs_applied_one_after_the_other_each_arrive(builtin: Any, specs: list[Spec]) -> None:
    guest = None
    try:
        for spec in specs:
            guest, _ = _applied(builtin, guest, spec)
            _assert_arrived(guest, spec)
            assert _applied(builtin, guest, spec)[1] == []
    finally:
        if guest is not None:
            guest.undefine()


@settings(max_examples=50, deadline=None)
@given(SPECS, SPECS)
def test_what_one_spec_says_and_the_next_does_not_is_gone(builtin: Any, first: Spec, second: Spec) -> None:
    guest, _ = _applied(builtin, None, first)
    try:
        guest, _ = _applied(builtin, guest, second)
        there = runner.read(guest).inactive
        for key in ("title", "description", "features", "cputune"):
            if not second.get(key):
                assert key not in there
        devices = second.get("devices", {})
        assert len(there.get("devices", {}).get("disks", [])) == len(devices.get("disks", []))
        assert len(there.get("devices", {}).get("interfaces", [])) == len(devices.get("interfaces", []))
    finally:
        guest.undefine()


@settings(max_examples=50, deadline=None)
@given(SPECS, SPECS)
def test_a_guest_of_somebody_elses_is_taken_over_as_it_is_and_then_changed(
    builtin: Any, first: Spec, second: Spec
) -> None:
    (define,) = domain.plan(first, None)
    assert isinstance(define, actions.Define)
    guest = builtin.defineXML(define.xml)
    try:
        found = runner.read(guest).inactive
        before = guest.XMLDesc(runner.SECURE)
        guest, done = _applied(builtin, guest, found)
        assert done == []
        element = runner.read(guest).inactive["metadata"]
        assert "kubevmm" in element
        _one_more(builtin, guest, found, before)
        guest, _ = _applied(builtin, guest, second)
        _assert_arrived(guest, second)
    finally:
        guest.undefine()


def _one_more(builtin: Any, guest: Any, found: Spec, before: str) -> None:
    """Check that giving the guest back leaves it as it was."""
    runner.run(builtin, guest, domain.release(runner.read(guest)))
    assert guest.XMLDesc(runner.SECURE) == before
    _applied(builtin, guest, found)


@settings(max_examples=50, deadline=None)
@given(SPECS, SPECS, SPECS)
def test_merging_what_is_merged_changes_nothing(there: Spec, last: Spec, wanted: Spec) -> None:
    once = merge(there, wanted, last, KIND)
    again = merge(once.node, wanted, wanted, KIND)
    assert again.changes == []
    assert again.node == once.node


@settings(max_examples=20, deadline=None)
@given(SPECS, SPECS)
def test_a_plan_cut_off_anywhere_is_finished_by_the_next(builtin: Any, first: Spec, second: Spec) -> None:
    guest, _ = _applied(builtin, None, first)
    try:
        there = runner.read(guest)
        last = there.mark.last("spec", "domain") if there.mark is not None else None
        steps = domain.plan(second, there, last, mark=mark_of(second))
        for cut in range(len(steps) + 1):
            guest = runner.run(builtin, guest, steps[:cut])
            guest, _ = _applied(builtin, guest, second)
            _assert_arrived(guest, second)
            guest, _ = _applied(builtin, guest, first)
    finally:
        guest.undefine()


def test_two_guests_that_differ_in_name_alone_get_different_addresses() -> None:
    nameless = [{"type": "network", "source": {"network": "default"}}] * 2
    found = []
    for name in ("one", "two"):
        (define,) = domain.plan({"type": "test", "name": name, "devices": {"interfaces": nameless}}, None)
        assert isinstance(define, actions.Define)
        interfaces = actual.document(define.xml)[0]["devices"]["interfaces"]
        found += [interface["mac"]["address"] for interface in interfaces]
    assert len(set(found)) == 4
    assert all(address.startswith("52:54:00:") for address in found)
