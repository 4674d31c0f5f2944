"""Guests are taken over without a touch, given back as they were, and deleted only where they are ours."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from executor.engine import ownership, store
from executor.engine.listing import Query, listing
from executor.engine.objects import Ref
from executor.hypervisor.calls import Recorder, hooked
from executor.hypervisor.errors import Invalid, NotFound
from schemas.errors import KubevmmError
from tests.engine.objects import apply, vm

if TYPE_CHECKING:
    from collections.abc import Callable

    from executor.hypervisor.hypervisor import Hypervisor

WEB = Ref("VirtualMachine", "default", "web-1")
RUNS = Ref("VirtualMachine", "default", "runs")


def test_adopt_writes_the_mark_and_nothing_else(node: Hypervisor) -> None:
    with hooked(Recorder()) as recorder:
        assert ownership.adopt(node, "runs", "default") == RUNS
    assert [call.method for call in recorder.changes] == ["setMetadata"]


def test_to_adopt_twice_is_no_error_and_no_change(node: Hypervisor) -> None:
    ownership.adopt(node, "runs", "default")
    with hooked(Recorder()) as recorder:
        ownership.adopt(node, "runs", "default")
    assert recorder.changes == []


def test_what_another_object_has_is_not_adopted(node: Hypervisor) -> None:
    ownership.adopt(node, "runs", "shop")
    with pytest.raises(KubevmmError, match="managed already, as virtualmachine/runs in the namespace shop"):
        ownership.adopt(node, "runs", "default")


def test_release_gives_the_definition_back_as_it_was(node: Hypervisor) -> None:
    domain = node.domains.by_name("runs")
    before = domain.xml(inactive=True, secure=True)
    ownership.adopt(node, "runs", "default")
    ownership.release(node, store.find(node, RUNS))
    assert domain.xml(inactive=True, secure=True) == before
    assert store.lookup(node, RUNS) is None


CHANNEL = "<channel type='pty'><target type='virtio' name='org.example.0'/></channel>"
HOLDER = "<controller type='virtio-serial' index='0'/>"


@pytest.mark.parametrize("devices", [CHANNEL, HOLDER, CHANNEL + HOLDER, CHANNEL + "<controller type='usb' index='0'/>"])
def test_release_gives_back_what_libvirt_added_where_it_was(node: Hypervisor, devices: str) -> None:
    text = (
        "<domain type='test'><name>added</name><memory>65536</memory><os><type>hvm</type></os><devices>"
        f"<controller type='scsi' index='0'/>{devices}<video><model type='cirrus'/></video></devices></domain>"
    )
    domain = node.domains.define(text)
    before = domain.xml(inactive=True, secure=True)
    ref = ownership.adopt(node, "added", "default")
    ownership.release(node, store.find(node, ref))
    assert domain.xml(inactive=True, secure=True) == before


SERIAL = "<serial type='pty'/>"
DISKS = (
    "<disk type='file'><source file='/a'/><target dev='hda'/></disk>"
    "<disk type='file' device='cdrom'><source file='/b'/><target dev='hdb' bus='ide'/></disk>"
    "<disk type='file' device='floppy'><source file='/c'/><target dev='fda'/></disk>"
)
CONSOLES = "<serial type='pty'/><console type='pty'><target type='virtio' port='0'/></console>"
CACHE = (
    "<cpu><numa><cell id='0' cpus='0' memory='65536'><cache level='1' associativity='none' policy='none'>"
    "<size value='10' unit='KiB'/><line value='8' unit='B'/></cache></cell></numa></cpu>"
)
OTHERWISE = {
    "disks whose bus libvirt knows by their names": (DISKS, ""),
    "a console that libvirt puts before another": (CONSOLES, ""),
    "a cache of which libvirt does not print what it asks for": ("", CACHE),
}


@pytest.mark.parametrize("case", OTHERWISE)
def test_release_gives_back_what_libvirt_reads_otherwise_than_it_prints_it(node: Hypervisor, case: str) -> None:
    devices, cpu = OTHERWISE[case]
    text = (
        "<domain type='test'><name>other</name><memory>65536</memory><os><type>hvm</type></os>"
        f"{cpu}<devices>{devices}</devices></domain>"
    )
    domain = node.domains.define(text)
    before = domain.xml(inactive=True, secure=True)
    with contextlib.suppress(Invalid):
        # That is what makes it a case.
        node.domains.define(before)
        assert domain.xml(inactive=True, secure=True) != before
    domain.undefine()
    domain = node.domains.define(text)
    before = domain.xml(inactive=True, secure=True)
    ref = ownership.adopt(node, "other", "default")
    ownership.release(node, store.find(node, ref))
    assert domain.xml(inactive=True, secure=True) == before


def test_an_adopted_guest_is_released_when_its_object_is_deleted(node: Hypervisor) -> None:
    ownership.adopt(node, "runs", "default")
    assert ownership.delete(node, store.find(node, RUNS)) == "released"
    assert node.domains.by_name("runs").active


def test_a_guest_of_ours_is_stopped_and_undefined(node: Hypervisor, write: Callable[..., str]) -> None:
    apply(node, write(vm(spec="runStrategy: Always")))
    assert ownership.delete(node, store.find(node, WEB), grace=0) == "deleted"
    assert [domain.name for domain in node.domains.all()] == ["runs"]


def test_a_guest_without_a_definition_is_gone_when_it_is_deleted(node: Hypervisor) -> None:
    made = node.domains.create(
        "<domain type='test'><name>brief</name><memory>65536</memory><os><type>hvm</type></os></domain>"
    )
    ref = ownership.adopt(node, made.name, "default")
    guest = store.find(node, ref)
    assert guest.mark is not None
    spec = {**guest.object["spec"], "deletionPolicy": "Delete"}
    mark = replace(guest.mark, applied={**guest.object, "spec": spec})
    assert ownership.delete(node, replace(guest, mark=mark), grace=0) == "deleted"
    assert [domain.name for domain in node.domains.all()] == ["runs"]


def test_a_guest_that_lost_its_mark_meanwhile_is_not_destroyed(node: Hypervisor, write: Callable[..., str]) -> None:
    apply(node, write(vm(spec="runStrategy: Always")))
    guest = store.find(node, WEB)
    ownership.release(node, guest)
    with pytest.raises(KubevmmError, match="no longer its own"):
        ownership.delete(node, guest, grace=0)
    assert guest.domain.active


def test_what_is_not_managed_cannot_be_found_for_a_deletion(node: Hypervisor) -> None:
    with pytest.raises(KubevmmError, match="not managed"):
        store.find(node, RUNS)


def test_a_domain_that_is_not_there_cannot_be_adopted(node: Hypervisor) -> None:
    with pytest.raises(NotFound):
        ownership.adopt(node, "nosuch", "default")


def test_lists_count_what_is_not_managed_and_show_it_when_asked(node: Hypervisor, write: Callable[..., str]) -> None:
    apply(node, write(vm(metadata="labels: {app: web}")))
    managed = listing(node, Query("VirtualMachine", "default"))
    assert ([obj["metadata"]["name"] for obj in managed.objects], managed.unmanaged) == (["web-1"], 1)
    every = listing(node, Query("VirtualMachine", "default", unmanaged=True))
    assert [obj["metadata"]["name"] for obj in every.objects] == ["runs", "web-1"]


SELECTORS = {"app=web": True, "app!=web": False, "app": True, "!app": False, "app=web,tier=db": False, "tier!=db": True}


@pytest.mark.parametrize("selector", SELECTORS)
def test_labels_select(node: Hypervisor, write: Callable[..., str], selector: str) -> None:
    apply(node, write(vm(metadata="labels: {app: web}")))
    found = listing(node, Query("VirtualMachine", "default", selector=selector)).objects
    assert bool(found) is SELECTORS[selector]


def test_the_status_is_in_kubevirts_words(node: Hypervisor, write: Callable[..., str]) -> None:
    def word() -> str:
        (found,) = listing(node, Query("VirtualMachine", "default")).objects
        return str(found["status"]["printableStatus"])

    apply(node, write(vm()))
    domain = store.find(node, WEB).domain
    seen = [word()]
    for step in (domain.start, domain.suspend, domain.resume, domain.destroy):
        step()
        seen.append(word())
    assert seen == ["Stopped", "Running", "Paused", "Running", "Stopped"]
