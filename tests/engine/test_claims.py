"""Two objects that are one domain, or have one UUID, MAC address or disk, are one clear line, and nothing changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from executor.engine import apply as engine
from executor.engine import source
from executor.hypervisor.calls import Recorder, hooked
from executor.hypervisor.handle import Affect
from executor.plan import mark as marks
from schemas.errors import KubevmmError
from tests.engine.objects import apply, recorded, vm

if TYPE_CHECKING:
    from collections.abc import Callable

    from executor.hypervisor.hypervisor import Hypervisor

MAC = "devices:\n  interfaces:\n  - {type: user, mac: {address: '%s'}}"
DISK = "devices:\n  disks:\n  - {type: %s, device: %s, source: {%s}, target: {dev: vda, bus: virtio}%s}"
FILE = DISK % ("file", "disk", "file: /images/a.raw", "")
VOLUME = DISK % ("volume", "disk", "pool: images, volume: a.raw", "")
NVRAM = "os: {type: {value: hvm}, nvram: {value: /vars/a.fd}}"
BUS = "devices:\n  disks:\n  - {type: network, device: disk, source: {protocol: rbd, name: p/a}, target: {dev: vda}}"
POOL = (
    "apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachineStoragePool\nmetadata: {name: images}\n"
    "spec: {pool: {type: dir, target: {path: /images}}}\n"
)
BLANK = (
    "apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachineDisk\nmetadata: {name: a.raw}\n"
    "spec: {poolRef: {name: images}, capacity: 1Mi}\n"
)

# What the two guests say, and what the error names.
SAME = {
    "a domain": ("name: shared", "name: shared", "domain shared"),
    "a UUID": (
        "uuid: 22222222-2222-4222-8222-22222222222a",
        "uuid: 22222222-2222-4222-8222-22222222222A",
        "UUID 22222222-2222-4222-8222-22222222222a",
    ),
    "a MAC address": (MAC % "52:54:00:00:00:0a", MAC % "52:54:00:00:00:0A", "MAC address 52:54:00:00:00:0a"),
    "a file": (FILE, FILE, "disk /images/a.raw"),
    "a file by another path": (FILE, DISK % ("file", "disk", "file: /images/b/../a.raw", ""), "disk /images/a.raw"),
    "a host's device": (
        DISK % ("block", "disk", "dev: /dev/vg/a", ""),
        DISK % ("block", "lun", "dev: /dev/vg/a", ""),
        "disk /dev/vg/a",
    ),
    "a volume": (VOLUME, VOLUME, "disk images/a.raw"),
    "a volume elsewhere": (BUS, BUS, "disk rbd:///p/a"),
}


def _two(first: str, second: str) -> tuple[str, str]:
    return vm("a", domain=first), vm("b", domain=second)


@pytest.mark.parametrize("case", SAME)
def test_two_objects_that_claim_the_same_are_refused_with_their_files(
    node: Hypervisor, write: Callable[..., str], case: str
) -> None:
    one, two, what = SAME[case]
    first, second = _two(one, two)
    files = [write(first, "a.yaml"), write(second, "b.yaml")]
    with hooked(Recorder()) as recorder, pytest.raises(KubevmmError) as failed:
        list(engine.apply(node, source.read(files)))
    text = f"{files[1]}: virtualmachine/b in default and virtualmachine/a in default ({files[0]}) name one {what}"
    assert str(failed.value) == text
    assert recorder.changes == []


def test_firmware_variables_are_a_guests_own(write: Callable[..., str]) -> None:
    def firmware(name: str) -> str:
        return vm(name).replace("os: {type: {value: hvm}}", NVRAM)

    with pytest.raises(KubevmmError, match=r"name one disk /vars/a\.fd"):
        engine.check(source.read([write(f"{firmware('a')}---\n{firmware('b')}")]))


def test_a_volume_is_its_file_and_what_a_reference_leads_to(write: Callable[..., str]) -> None:
    by_reference = DISK % ("volume", "disk", "diskRef: {name: a.raw}", "")
    objects = [POOL, BLANK, vm("a", domain=FILE), vm("b", domain=by_reference)]
    with pytest.raises(KubevmmError, match=r"name one disk /images/a\.raw"):
        engine.check(source.read([write("---\n".join(objects))]))


MAY_SHARE = {
    "read only": (FILE, DISK % ("file", "disk", "file: /images/a.raw", ", readonly: {}")),
    "shareable": (
        DISK % ("file", "disk", "file: /images/a.raw", ", shareable: {}"),
        DISK % ("file", "disk", "file: /images/a.raw", ", shareable: {}"),
    ),
    "a medium": (
        DISK % ("file", "cdrom", "file: /images/a.iso", ""),
        DISK % ("file", "cdrom", "file: /images/a.iso", ""),
    ),
    "no source": (DISK % ("file", "cdrom", "", ""), DISK % ("file", "cdrom", "", "")),
    "no MAC address": ("devices: {interfaces: [{type: user}]}", "devices: {interfaces: [{type: user}]}"),
}


@pytest.mark.parametrize("case", MAY_SHARE)
def test_what_may_be_shared_is_no_conflict(node: Hypervisor, write: Callable[..., str], case: str) -> None:
    first, second = _two(*MAY_SHARE[case])
    assert apply(node, write(f"{first}---\n{second}")) == ["virtualmachine/a created", "virtualmachine/b created"]


def test_guests_of_two_nodes_may_be_called_alike(write: Callable[..., str]) -> None:
    one, two = (vm(name, spec=f"nodeName: node-{name}", domain="name: shared") for name in "ab")
    engine.check(source.read([write(f"{one}---\n{two}")]))


NETWORK = "apiVersion: kubevmm.io/v1alpha1\nkind: %s\nmetadata: {name: %s}\nspec: {%s: {name: shared, uuid: %s}}\n"
UUIDS = ("22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333")


@pytest.mark.parametrize(
    ("kind", "field"), [("VirtualMachineNetwork", "network"), ("VirtualMachineStoragePool", "pool")]
)
def test_two_objects_cannot_be_one_network_or_pool(write: Callable[..., str], kind: str, field: str) -> None:
    text = "---\n".join(NETWORK % (kind, name, field, uuid) for name, uuid in zip("ab", UUIDS, strict=True))
    if field == "pool":
        text = text.replace("name: shared", "type: dir, name: shared, target: {path: /x}")
    with pytest.raises(KubevmmError, match=f"name one {field} shared"):
        engine.check(source.read([write(text)]))


@pytest.mark.parametrize("second", ["b.yaml", "a.yaml"])
def test_one_object_cannot_be_declared_twice(write: Callable[..., str], second: str) -> None:
    if second == "a.yaml":
        files = [write(f"{vm()}---\n{vm()}", "a.yaml")]
    else:
        files = [write(vm(), "a.yaml"), write(vm(), "b.yaml")]
    with pytest.raises(source.InvalidInput) as failed:
        source.read(files)
    assert failed.value.problems == [
        f"{files[-1]}: virtualmachine/web-1 in default is declared more than once, first in {files[0]}"
    ]


# What a guest that is here already has, managed or not.
TAKEN = {
    "a MAC address": (MAC % "52:54:00:00:00:0a", "the MAC address 52:54:00:00:00:0a is the domain"),
    "a disk": (FILE, "the disk /images/a.raw is the domain"),
    "a volume of a pool, by its path": (VOLUME, "the disk /images/a.raw is the domain"),
}


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("managed", [True, False])
@pytest.mark.parametrize("case", TAKEN)
def test_what_a_guest_of_the_node_has_no_other_may_take(
    node: Hypervisor, write: Callable[..., str], case: str, managed: bool, running: bool
) -> None:
    domain, text = TAKEN[case]
    apply(node, write(vm("here", domain=FILE if case.startswith("a volume") else domain)))
    here = node.domains.by_name("default_here")
    if running:
        here.start()
    if not managed:
        here.set_metadata(None, namespace=marks.URI, prefix=marks.KEY, affect=Affect.BOTH if running else Affect.CONFIG)
    apply(node, write(vm("other")))
    for name in ("new", "other"):
        (line,), calls = recorded(node, write(vm(name, domain=domain)))
        assert line == f"error: virtualmachine/{name}: {text} default_here's already"
        assert calls == []


def test_a_guest_that_shares_a_disk_already_is_adopted_as_it_is(node: Hypervisor, write: Callable[..., str]) -> None:
    apply(node, write(vm("here", domain=FILE)))
    text = "<domain type='test'><name>twin</name><memory>65536</memory><os><type>hvm</type></os>%s</domain>"
    disk = "<disk type='file' device='disk'><source file='/images/a.raw'/><target dev='vda' bus='virtio'/></disk>"
    node.domains.define(text % f"<devices>{disk}</devices>")
    assert apply(node, write(vm("twin", domain=f"name: twin\n{FILE}"))) == ["virtualmachine/twin adopted"]


def test_a_disk_goes_from_one_guest_to_another_in_one_apply(node: Hypervisor, write: Callable[..., str]) -> None:
    apply(node, write(f"{vm('a', domain=FILE)}---\n{vm('b')}"))
    assert apply(node, write(f"{vm('a')}---\n{vm('b', domain=FILE)}")) == [
        "virtualmachine/a configured",
        "virtualmachine/b configured",
    ]
