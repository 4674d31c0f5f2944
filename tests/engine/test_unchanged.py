"""A guest that is as it was costs its documents alone; what a plan depends on makes a new plan when it changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from executor.engine import apply as engine
from executor.engine import guests, remembered, source, state, store, unchanged
from executor.engine.objects import Ref
from executor.hypervisor.calls import Recorder, hooked
from executor.hypervisor.handle import Affect
from executor.plan import mark as marks
from tests.engine.objects import vm

if TYPE_CHECKING:
    from collections.abc import Callable

    from executor.engine.source import Declarations
    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor

WEB = Ref("VirtualMachine", "default", "web-1")
NETWORK = (
    "apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachineNetwork\nmetadata: {name: lan}\nspec: {network: {name: %s}}\n"
)
KEYS = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {vnc: %s}\n"
DEVICES = (
    "title: Web\ndevices:\n  graphics:\n  - {type: vnc, passwdSecretRef: {name: keys, key: vnc}}\n"
    "  interfaces:\n  - {type: network, source: {networkRef: {name: lan}}, mac: {address: '52:54:00:00:00:01'}}"
)
RUNS = vm(spec="runStrategy: Always", domain=DEVICES)
PLAIN = vm("plain", domain="title: Plain")
OBJECTS = "---\n".join([NETWORK % "one", KEYS % "hush", RUNS, PLAIN])


ANOTHER = "by another process"


@pytest.fixture(params=["one by one", "read ahead", ANOTHER])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param != "one by one":
        monkeypatch.setattr(unchanged, "CHUNK", 1)
    return str(request.param)


def _apply(node: Hypervisor, declared: Declarations) -> dict[str, str]:
    done = engine.apply(node, declared)
    return {each.declared.ref.name: str(each.result.outcome if each.result else each.error) for each in done}


@pytest.fixture
def settled(node: Hypervisor, write: Callable[..., str], reading: str) -> Declarations:
    """Objects that were applied, and looked at once more."""
    declared = source.read([write(OBJECTS)])
    _apply(node, declared)
    _apply(node, declared)
    if reading == ANOTHER:
        _begin_anew(node)
    return declared


def _begin_anew(node: Hypervisor) -> None:
    """Know of *node* what a new process would."""
    remembered.forget(node)


def _planned(
    node: Hypervisor, declared: Declarations, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, str], list[str]]:
    """Apply *declared* and return what became of each, and for which guests a plan was made."""
    planned: list[str] = []
    look = guests.look

    def looked(hypervisor: Hypervisor, each: source.Declared, *more: object) -> guests.Case:
        planned.append(each.ref.name)
        return look(hypervisor, each, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(guests, "look", looked)
    return _apply(node, declared), planned


def test_no_plan_is_made_for_what_is_as_it_was(
    node: Hypervisor, settled: Declarations, write: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for declared in (settled, source.read([write(OBJECTS)])):
        with hooked(Recorder()) as recorder:
            outcomes, planned = _planned(node, declared, monkeypatch)
        assert set(outcomes.values()) == {"unchanged"}
        assert planned == []
        assert recorder.changes == []


def _undo_title(domain: Domain) -> None:
    domain.set_title("Other", Affect.LIVE)


def _undo_definition(domain: Domain) -> None:
    domain.set_title("Other", Affect.CONFIG)


def _take_mark(domain: Domain) -> None:
    domain.set_metadata(None, namespace=marks.URI, prefix=marks.KEY, affect=Affect.BOTH)


def _stop(domain: Domain) -> None:
    domain.destroy()


def _pause(domain: Domain) -> None:
    domain.suspend()


def _foreign(domain: Domain) -> None:
    domain.set_metadata("<x/>", namespace="http://x/1", prefix="x", affect=Affect.BOTH)


OUTSIDE = {
    "what runs": (_undo_title, "configured"),
    "its definition": (_undo_definition, "configured"),
    "our mark": (_take_mark, "adopted"),
    "that it runs": (_stop, "configured"),
    "that its clock goes": (_pause, "unchanged"),
    "metadata of somebody else": (_foreign, "unchanged"),
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_what_is_changed_outside_is_planned_for(
    node: Hypervisor, settled: Declarations, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    change, outcome = OUTSIDE[case]
    change(store.find(node, WEB).domain)
    outcomes, planned = _planned(node, settled, monkeypatch)
    assert (outcomes["web-1"], planned) == (outcome, ["web-1"])


INSIDE = {
    "the object": ("title: Web", "title: Shop", "configured"),
    "a label": ("name: web-1\n", "name: web-1\n  labels: {app: web}\n", "configured"),
    "a secret": ("hush", "other", "virDomainUpdateDeviceFlags"),
    "what a reference leads to": (
        "spec: {network: {name: one}}",
        "spec: {network: {name: two}}",
        "virDomainUpdateDeviceFlags",
    ),
    "another object": ("title: Plain", "title: Plainer", "unchanged"),
}


@pytest.mark.parametrize("case", INSIDE)
@pytest.mark.usefixtures("settled")
def test_what_is_changed_in_the_files_is_planned_for(
    node: Hypervisor, write: Callable[..., str], monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    old, new, outcome = INSIDE[case]
    assert old in OBJECTS
    outcomes, planned = _planned(node, source.read([write(OBJECTS.replace(old, new))]), monkeypatch)
    # The driver refuses to change a device of what runs, which shows that it was to be changed.
    assert outcome in outcomes["web-1"]
    assert ("web-1" in planned) is (case != "another object")


def test_a_guest_that_is_gone_is_made_anew(
    node: Hypervisor, settled: Declarations, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = store.find(node, WEB).domain
    domain.destroy()
    domain.undefine()
    assert _planned(node, settled, monkeypatch) == (
        {"lan": "unchanged", "web-1": "created", "plain": "unchanged"}, ["web-1"]
    )  # fmt: skip


in_another_process = pytest.mark.parametrize("reading", [ANOTHER], indirect=True)


def _file(node: Hypervisor) -> Path:
    return state.folder(node) / remembered.NAME


def _of_other_code(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(remembered.code().encode(), b"other"))


SPOILT: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "of other types": lambda path: path.write_text('{"by": 1, "guests": {}}', encoding="utf-8"),
    "written by other code": _of_other_code,
}


@in_another_process
@pytest.mark.parametrize("case", SPOILT)
def test_what_cannot_be_read_of_another_process_is_found_out_anew(
    node: Hypervisor, settled: Declarations, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    SPOILT[case](_file(node))
    _begin_anew(node)
    outcomes, planned = _planned(node, settled, monkeypatch)
    assert (set(outcomes.values()), planned) == ({"unchanged"}, ["web-1", "plain"])
    _begin_anew(node)
    assert _planned(node, settled, monkeypatch)[1] == []


@in_another_process
def test_what_is_remembered_is_for_its_owner_alone_and_tells_no_secret(node: Hypervisor, settled: Declarations) -> None:
    assert settled.secrets
    assert _file(node).stat().st_mode & 0o777 == 0o600
    assert b"hush" not in _file(node).read_bytes()


@in_another_process
def test_no_more_is_remembered_than_fits(
    node: Hypervisor, settled: Declarations, monkeypatch: pytest.MonkeyPatch
) -> None:
    _file(node).unlink()
    monkeypatch.setattr(remembered, "LIMIT", 1)
    _begin_anew(node)
    _apply(node, settled)
    _begin_anew(node)
    # The last of them.
    assert _planned(node, settled, monkeypatch)[1] == ["web-1"]


@in_another_process
def test_what_cannot_be_remembered_keeps_nothing_from_being_applied(
    node: Hypervisor, settled: Declarations, monkeypatch: pytest.MonkeyPatch
) -> None:
    _file(node).unlink()
    _file(node).mkdir()
    _begin_anew(node)
    outcomes, planned = _planned(node, settled, monkeypatch)
    assert (set(outcomes.values()), planned) == ({"unchanged"}, ["web-1", "plain"])


@in_another_process
def test_what_another_process_remembers_meanwhile_stays(
    node: Hypervisor, settled: Declarations, monkeypatch: pytest.MonkeyPatch
) -> None:
    _file(node).unlink()
    _begin_anew(node)
    *most, last = settled.objects
    mine = engine.apply(node, source.Declarations(most, settled.secrets))
    assert [str(next(mine).result.outcome) for _ in most] == ["unchanged"] * 2  # type: ignore[union-attr]
    here = remembered.of(node)
    _begin_anew(node)
    list(engine.apply(node, source.Declarations([last])))
    here.save()
    _begin_anew(node)
    assert _planned(node, settled, monkeypatch)[1] == []
