"""A spec that says what runs asks for nothing: what libvirt worked out of a definition stays its own affair."""

from __future__ import annotations

from typing import Any

import pytest

from executor.plan import actions, actual, domain
from executor.plan import mark as marks
from executor.plan.merge import Cause
from tests.plan.guest import DEFINITION, RUNNING, mark_of, ours, spec

CPU = (
    "<cpu mode='custom' match='exact' check='full'><model fallback='forbid'>EPYC</model><vendor>AMD</vendor>"
    "<feature policy='require' name='x2apic'/><feature policy='disable' name='svm'/></cpu>"
)
LIVE = (
    RUNNING.replace("<cpu mode='custom' match='exact' check='full'/>", CPU)
    .replace("unit='KiB'>2097152<", "unit='KiB'>1048576<")
    .replace("<source network='default' portid='1' bridge='virbr0'/>", "<source network='default' bridge='br1'/>")
    .replace("<interface type='network'>", "<interface type='bridge'>")
    .replace("</devices>", "</devices><resource><partition>/machine</partition></resource>")
    .replace("</domain>", "<seclabel type='dynamic' model='dac' relabel='yes'><label>+0:+0</label></seclabel></domain>")
    .replace("<source file='/images/one.iso'/>", "")
    .replace("<driver name='qemu' type='raw'/>", "<driver name='qemu'/>")
)
"""The same guest, with all that libvirt works out when it starts one, and a drive whose medium was taken out."""

EMPTY = DEFINITION.replace("<source file='/images/one.iso'/>\n", "")
HOSTDEV = LIVE.replace("<source network='default' bridge='br1'/>", "").replace(
    "<interface type='bridge'>\n      <mac address='52:54:00:00:00:01'/>",
    "<interface type='hostdev'>\n      <mac address='52:54:00:00:00:01'/>",
)
PLUGGED = LIVE.replace("<memballoon", "<watchdog model='i6300esb'/><memballoon")
OTHER_CPU = "<cpu mode='host-passthrough'/>"


def _plan(wanted: dict[str, Any], there: actual.Actual, last: dict[str, Any] | None, **options: Any) -> list[Any]:
    return domain.plan(wanted, there, last, mark=mark_of(wanted), **options)


def _adopted(definition: str = EMPTY, running: str | None = LIVE) -> actual.Actual:
    """Return the guest once it was adopted by what ran of it."""
    (step,) = _plan(spec(LIVE), actual.read(definition, LIVE), None)
    assert isinstance(step, actions.SetMark)
    assert step.xml is not None
    mark = marks.read_element(step.xml)
    assert mark is not None

    def marked(xml: str) -> str:
        return xml.replace("</metadata>", f"{mark.element()}</metadata>")

    return actual.read(marked(definition), None if running is None else marked(running))


def test_a_guest_is_adopted_by_what_runs_of_it_with_its_mark_alone() -> None:
    assert [type(step) for step in _plan(spec(LIVE), actual.read(EMPTY, LIVE), None)] == [actions.SetMark]
    assert domain.diff(spec(LIVE), actual.read(EMPTY, LIVE)) == []


@pytest.mark.parametrize(
    "running",
    [LIVE, LIVE.replace("x2apic", "avx2").replace("1048576", "999424"), None],
    ids=["as it ran", "started anew, with another CPU", "stopped"],
)
def test_the_plan_after_that_is_empty_whatever_its_next_start_works_out(running: str | None) -> None:
    there = _adopted(running=running)
    assert _plan(spec(LIVE), there, spec(LIVE)) == []
    assert domain.diff(spec(LIVE), there, spec(LIVE)) == []


@pytest.mark.parametrize("repair", [True, False])
def test_a_change_to_a_part_of_what_was_worked_out_asks_for_all_of_it(repair: bool) -> None:
    wanted = spec(LIVE.replace("<feature policy='disable' name='svm'/>", ""))
    steps = _plan(wanted, _adopted(), spec(LIVE), repair=repair)
    (define,) = (step for step in steps if isinstance(step, actions.Define))
    assert spec(define.xml)["cpu"] == wanted["cpu"]
    assert spec(define.xml)["currentMemory"] == "2Gi"
    (waits,) = (step for step in steps if isinstance(step, actions.RestartRequired))
    assert all(path.startswith("cpu.") for path in waits.paths)


def test_what_somebody_makes_of_the_definition_then_is_drift() -> None:
    there = _adopted(EMPTY)
    xml = there.inactive_xml.decode()
    assert "<cpu mode='host-model' check='partial'/>" in xml
    there = actual.read(xml.replace("<cpu mode='host-model' check='partial'/>", OTHER_CPU), there.live_xml)
    assert {each.cause for each in domain.diff(spec(LIVE), there, spec(LIVE))} == {Cause.OUTSIDE}
    define = _plan(spec(LIVE), there, spec(LIVE))[0]
    assert spec(define.xml)["cpu"] == spec(LIVE)["cpu"]


DIFFERENT = {
    "neither has it": (LIVE.replace("<title>Web<", "<title>Shop<"), LIVE, {"title": False}),
    "it was plugged into what runs": (PLUGGED, PLUGGED, {"devices.watchdogs[#0]": True}),
    "the host device of a network's that was free": (
        HOSTDEV, HOSTDEV, {"devices.interfaces[52:54:00:00:00:01].type": False}
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DIFFERENT)
def test_what_differs_is_told_with_whether_it_runs_so(case: str) -> None:
    said, running, expected = DIFFERENT[case]
    found = domain.diff(spec(said), actual.read(EMPTY, running))
    assert {each.path: each.runs for each in found if not each.running} == expected


def test_a_cpu_that_neither_has_is_asked_for_whole() -> None:
    wanted = spec(LIVE.replace("EPYC", "Nehalem"))
    found = {each.path: each.runs for each in domain.diff(wanted, actual.read(EMPTY, LIVE))}
    assert found["cpu.model.value"] is False
    assert found["cpu.mode"] is True


def test_nothing_is_kept_of_a_guest_that_does_not_run() -> None:
    found = domain.diff(spec(LIVE), actual.read(EMPTY))
    assert {each.path.partition(".")[0] for each in found} == {"currentMemory", "cpu", "devices"}
    assert not any(each.runs for each in found)


def test_a_definition_is_adopted_as_ever_and_nothing_waits_for_a_restart() -> None:
    assert domain.diff(spec(EMPTY), actual.read(EMPTY, LIVE)) == []
    assert _plan(spec(EMPTY), ours(EMPTY, spec(EMPTY), LIVE), spec(EMPTY)) == []
    named = EMPTY.replace("</devices>", "</devices><resource><partition>/machine</partition></resource>")
    assert domain.diff(spec(named), actual.read(named, LIVE)) == []
