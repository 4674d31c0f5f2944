"""The agent on a pretended node: what is in the folder is there, and what is taken out of it goes."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

import pytest

from executor.engine import guests, remembered, runs, store
from executor.engine.objects import Ref
from executor.hypervisor.calls import Recorder, hooked
from executor.hypervisor.errors import NotFound, OperationFailed
from executor.plan import mark as marks
from schemas.errors import KubevmmError
from tests.agent.running import WEB, Folder, InProcess, eventually
from tests.engine.objects import apply, vm
from tests.hypervisor.faults import Fault

if TYPE_CHECKING:
    from pathlib import Path

    from executor.engine.source import Declared
    from executor.hypervisor.hypervisor import Hypervisor

DB = Ref("VirtualMachine", "default", "db-1")


def test_what_is_put_into_the_folder_runs_and_what_is_changed_there_changes(folder: Folder, agent: InProcess) -> None:
    folder.vm()
    eventually(agent.runs)
    folder.vm(domain="title: Shop")
    eventually(lambda: "<title>Shop</title>" in store.find(agent.node, WEB).domain.xml())
    eventually(lambda: (agent.told.word(), agent.told.condition().ok) == ("Running", True))


def test_what_is_taken_out_of_the_folder_is_deleted(folder: Folder, agent: InProcess) -> None:
    path = folder.vm()
    eventually(agent.runs)
    path.unlink()
    eventually(agent.gone)
    eventually(lambda: agent.told.dropped == [WEB])
    assert agent.source.refs() == []


def test_what_says_retain_is_released_and_runs_on(folder: Folder, agent: InProcess) -> None:
    path = folder.vm(spec="runStrategy: Always\ndeletionPolicy: Retain")
    eventually(agent.runs)
    path.unlink()
    eventually(agent.gone)
    domain = store.by_name(agent.node, "default_web-1")
    assert domain is not None
    assert domain.active
    assert store.mark_of(domain) is None


def test_a_deletion_that_fails_is_told_and_tried_again(folder: Folder, agent: InProcess) -> None:
    def refuse() -> None:
        raise OperationFailed("domain default_web-1: not now")

    path = folder.vm()
    eventually(agent.runs)
    with hooked(Fault("before", 1, refuse, matching="undefine")):
        path.unlink()
        eventually(lambda: agent.told.condition().message == "domain default_web-1: not now")
        assert agent.told.word() == "Terminating"
        eventually(agent.gone)


def test_a_removal_while_no_agent_ran_is_noticed_at_the_next_start(folder: Folder, node: Hypervisor) -> None:
    path = folder.vm()
    with InProcess(node, folder.path) as first:
        eventually(first.runs)
    path.unlink()
    assert store.lookup(node, WEB) is not None
    with InProcess(node, folder.path) as second:
        eventually(second.gone)


def test_an_agent_that_starts_anew_makes_no_plan_for_what_is_as_it_was(
    folder: Folder, node: Hypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned: list[Ref] = []
    look = guests.look

    def looked(hypervisor: Hypervisor, each: Declared, *more: object) -> guests.Case:
        planned.append(each.ref)
        return look(hypervisor, each, *more)  # type: ignore[arg-type]

    folder.vm()
    for _ in range(2):
        with InProcess(node, folder.path) as agent:
            eventually(agent.runs)
            agent.settled()
        remembered.forget(node)
    monkeypatch.setattr(guests, "look", looked)
    with InProcess(node, folder.path) as agent:
        agent.settled()
        assert agent.told.word() == "Running"
    assert planned == []


def test_guests_of_others_are_left_alone(folder: Folder, agent: InProcess, tmp_path: Path) -> None:
    by_hand = tmp_path / "db.yaml"
    by_hand.write_text(vm("db-1", spec="runStrategy: Always"), encoding="utf-8")
    apply(agent.node, str(by_hand))
    path = folder.vm()
    eventually(agent.runs)
    path.unlink()
    eventually(agent.gone)
    assert agent.runs(DB)
    assert agent.node.domains.by_name("runs").active


def test_a_domain_that_somebody_else_made_is_not_taken_nor_deleted(folder: Folder, agent: InProcess) -> None:
    before = agent.node.domains.by_name("runs").xml()
    path = folder.vm(domain="name: runs\ntitle: Mine")
    eventually(lambda: agent.told.condition().reason)
    assert "is not managed, and differs" in agent.told.condition().message
    path.unlink()
    eventually(lambda: agent.told.dropped == [WEB])
    assert agent.node.domains.by_name("runs").xml() == before


def test_a_file_that_breaks_deletes_nothing_and_says_so_and_the_guest_is_kept(folder: Folder, agent: InProcess) -> None:
    path = folder.vm()
    eventually(agent.runs)
    path.write_text("kind: [", encoding="utf-8")
    eventually(lambda: agent.told.condition().reason == "ManifestUnreadable")
    store.find(agent.node, WEB).domain.destroy()
    eventually(agent.runs)
    folder.vm()
    eventually(lambda: agent.told.condition().ok)


def test_a_guest_whose_file_broke_while_no_agent_ran_is_kept_by_what_was_applied_last(
    folder: Folder, node: Hypervisor
) -> None:
    path = folder.vm()
    with InProcess(node, folder.path) as first:
        eventually(first.runs)
    path.write_text("kind: [", encoding="utf-8")
    store.find(node, WEB).domain.destroy()
    with InProcess(node, folder.path) as second:
        eventually(second.runs)
        eventually(lambda: second.told.condition().reason == "ManifestUnreadable")


def test_two_objects_that_name_one_domain_are_both_refused_and_nothing_is_made(
    folder: Folder, agent: InProcess
) -> None:
    folder.put(f"{vm(domain='name: shared')}---\n{vm('db-1', domain='name: shared')}")
    eventually(lambda: {WEB, DB} <= agent.told.status.keys())
    for ref in (WEB, DB):
        assert not agent.told.condition(ref).ok
        assert "shared" in agent.told.condition(ref).message
    assert store.by_name(agent.node, "shared") is None


def test_a_guest_that_crashes_again_and_again_is_waited_for_and_says_so(folder: Folder, agent: InProcess) -> None:
    folder.vm()
    eventually(agent.runs)
    domain = store.find(agent.node, WEB).domain
    eventually(lambda: runs.load(agent.node, domain.uuid).started)
    domain.shutdown()
    eventually(lambda: agent.told.word() == "CrashLoopBackOff")
    assert (WEB, "CrashLoopBackOff", True) in [(ref, why, warns) for ref, why, _, warns in agent.told.events]
    agent.settled()
    assert not domain.active
    # Another spec is worth another try.
    folder.vm(domain="title: Better")
    eventually(agent.runs)


def test_somebody_elses_change_is_put_back_at_once(folder: Folder, agent: InProcess) -> None:
    folder.vm(domain="title: Shop")
    eventually(agent.runs)
    agent.settled()
    domain = store.find(agent.node, WEB).domain
    # An event that tells of it, with the test driver: it has none for titles.
    agent.node.domains.define(domain.xml(inactive=True).replace("Shop", "Mine"))
    eventually(lambda: "<title>Shop</title>" in domain.xml(inactive=True))


def test_a_guest_that_somebody_deletes_is_made_again(folder: Folder, agent: InProcess) -> None:
    folder.vm()
    eventually(agent.runs)
    domain = store.find(agent.node, WEB).domain
    domain.destroy()
    domain.undefine()
    eventually(agent.runs, lambda: agent.told)


def test_what_happens_is_heard_while_nobody_can_say_what_is_wanted(
    folder: Folder, agent: InProcess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder.vm()
    eventually(agent.runs)
    agent.settled()

    def cannot(ref: Ref) -> None:
        raise KubevmmError(f"what is wanted of {ref} cannot be read")

    # What asks nobody is answered all the same.
    monkeypatch.setattr(agent.source, "knows", lambda ref: ref == WEB)
    monkeypatch.setattr(agent.source, "leaves", lambda _ref: False)
    monkeypatch.setattr(agent.source, "get", cannot)
    store.find(agent.node, WEB).domain.destroy()
    # It is tried again, by who may wait.
    eventually(lambda: WEB in agent.agent.queue.failing())
    monkeypatch.undo()
    eventually(agent.runs, lambda: agent.told)
    assert "the receiver of" not in caplog.text


def test_a_guest_that_goes_before_anybody_knew_it_is_made_again(folder: Folder, agent: InProcess) -> None:
    done = threading.Event()

    def take_away() -> None:
        # In the middle of the pass that made it, when no event of it was looked at yet.
        if not done.is_set():
            done.set()
            agent.node.domains.by_name("default_web-1").raw.undefine()

    with hooked(Fault("before", 1, take_away, matching="createWithFlags")):
        folder.vm()
        eventually(done.is_set)
    eventually(agent.runs, lambda: agent.told)


def test_somebody_elses_domain_that_goes_makes_room_at_once(folder: Folder, agent: InProcess) -> None:
    folder.vm(domain="name: runs\ntitle: Mine")
    eventually(lambda: agent.told.condition().reason)
    domain = agent.node.domains.by_name("runs")
    domain.destroy()
    with contextlib.suppress(NotFound):
        domain.undefine()
    eventually(lambda: agent.told.condition().ok, lambda: agent.told)


def test_a_mark_that_somebody_took_away_is_not_fought_over(folder: Folder, agent: InProcess) -> None:
    folder.vm()
    eventually(agent.runs)
    domain = store.find(agent.node, WEB).domain
    agent.settled()
    from executor.hypervisor.handle import Affect  # noqa: PLC0415  (for this alone)

    domain.set_metadata(None, namespace=marks.URI, prefix=marks.KEY, affect=Affect.BOTH)
    # It is as the file says, so that it is adopted.
    eventually(lambda: store.mark_of(domain) is not None)


def test_an_object_for_another_node_is_skipped_and_deleted_by_nobody(folder: Folder, agent: InProcess) -> None:
    path = folder.vm(spec="runStrategy: Always\nnodeName: elsewhere")
    folder.vm("db-1")
    eventually(lambda: agent.runs(DB))
    agent.settled()
    assert agent.gone()
    assert WEB not in agent.told.status
    path.unlink()
    eventually(lambda: agent.told.dropped == [WEB])


def test_a_second_look_at_everything_changes_nothing(folder: Folder, agent: InProcess) -> None:
    for number in range(5):
        folder.vm(f"web-{number}", domain="title: Shop")
    eventually(lambda: all(agent.runs(Ref("VirtualMachine", "default", f"web-{n}")) for n in range(5)))
    agent.settled()
    with hooked(Recorder()) as recorder:
        agent.agent.wake()
        eventually(lambda: recorder.reads > 0)
        agent.settled()
    assert recorder.changes == []


def calls_of_half_a_second() -> tuple[int, int]:
    """Return how often libvirt is asked meanwhile, and told to change something."""
    with hooked(Recorder()) as recorder:
        time.sleep(0.5)
    return recorder.reads, len(recorder.changes)


def test_an_idle_agent_makes_no_call(folder: Folder, agent: InProcess) -> None:
    folder.vm()
    eventually(agent.runs)
    agent.settled()
    # libvirt's last events may still be on their way when all is settled.
    eventually(lambda: calls_of_half_a_second() == (0, 0))
    assert agent.agent.queue.sizes() == (0, 0, 0)
    with hooked(Recorder()) as recorder:
        # A file that is none of a manifest's wakes the folder's reader, and only that.
        folder.put("nothing", "readme.txt")
        folder.put("nothing", "readme.txt")
        assert agent.agent.queue.sizes() == (0, 0, 0)
    assert (recorder.reads, recorder.changes) == (0, [])


@pytest.mark.parametrize("kind", ["network", "pool"])
def test_networks_and_pools_come_before_guests_and_go_after_them(folder: Folder, agent: InProcess, kind: str) -> None:
    name = {"network": "VirtualMachineNetwork", "pool": "VirtualMachineStoragePool"}[kind]
    content = {"network": "{name: inner}", "pool": "{name: data, type: dir, target: {path: /data}}"}[kind]
    folder.vm()
    text = f"apiVersion: kubevmm.io/v1alpha1\nkind: {name}\nmetadata: {{name: under}}\nspec: {{{kind}: {content}}}\n"
    path = folder.put(text, "under.yaml")
    under = Ref(name, "default", "under")
    eventually(lambda: agent.told.condition(under).ok)
    eventually(agent.runs)
    (folder.path / "web-1.yaml").unlink()
    path.unlink()
    eventually(lambda: set(agent.told.dropped) == {WEB, under})
    assert agent.told.dropped == [WEB, under]
