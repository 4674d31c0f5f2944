"""A tenant's objects reach no further than the tenant: what names something of a node is refused, the rest is not."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from analyser.codec.decode import decode
from analyser.xmlreader import parse
from schemas.api.kinds import KINDS
from schemas.table import table
from tests.admission.api import RefusedError, manifest, path
from tests.admission.attempts import ATTEMPTS, Attempt, devices, domain, template
from tests.admission.conftest import OTHER, TENANT, TRUSTED
from tests.admission.guests import BIG, GUESTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.admission.api import Caller

PLURALS = {kind.name: kind.plural for kind in KINDS}
HOW_TO = "whoever has the verb usehost on virtualmachines may, or a namespace labelled kubevmm.io/trusted=true"


def _create(caller: Caller, kind: str, spec: dict[str, Any], namespace: str = TENANT) -> None:
    where = path(PLURALS[kind], namespace)
    caller.create(where, manifest(kind, "tried", namespace, spec=spec), dry_run=True)


def _refused(caller: Caller, kind: str, spec: dict[str, Any]) -> str:
    with pytest.raises(RefusedError) as refused:
        _create(caller, kind, spec)
    assert refused.value.code == 403
    return str(refused.value)


@pytest.mark.parametrize(("kind", "spec", "said"), ATTEMPTS)
def test_what_reaches_the_node_is_refused_with_a_message_that_helps(
    owner: Caller, kind: str, spec: dict[str, Any], said: str
) -> None:
    message = _refused(owner, kind, spec)

    assert said in message
    assert HOW_TO in message


SOME: list[Attempt] = ATTEMPTS[::9]


@pytest.mark.parametrize(("kind", "spec", "said"), SOME)
def test_the_same_is_accepted_of_whom_the_nodes_are_trusted_to(
    owner: Caller, operator: Caller, kind: str, spec: dict[str, Any], said: str
) -> None:
    assert said
    _create(operator, kind, spec)
    _create(owner, kind, spec, TRUSTED)


def test_whoever_may_edit_alone_is_held_to_the_same(helper: Caller) -> None:
    assert "spec.domain.os: kernel" in _refused(helper, "VirtualMachine", domain(os={"kernel": "/etc/shadow"}))


@pytest.mark.parametrize("kind", ["VirtualMachineNetwork", "VirtualMachineStoragePool", "VirtualMachineNode"])
def test_what_nodes_are_made_of_is_not_a_tenants(owner: Caller, kind: str) -> None:
    with pytest.raises(RefusedError, match="cannot create resource") as refused:
        _create(owner, kind, {}, TENANT if kind != "VirtualMachineNode" else "")

    assert refused.value.code == 403


@pytest.mark.parametrize(
    ("kind", "word"), [("VirtualMachineNetwork", "networks"), ("VirtualMachineStoragePool", "pools")]
)
def test_a_role_that_gives_too_much_gives_no_networks_and_pools(
    cluster: Any, admin: Caller, owner: Caller, kind: str, word: str
) -> None:
    rule = {"apiGroups": ["kubevmm.io"], "resources": [PLURALS[kind]], "verbs": ["create"]}
    roles = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{TENANT}"
    admin.create(f"{roles}/roles", {"metadata": {"name": word}, "rules": [rule]})
    cluster.kubectl("create", "rolebinding", word, "-n", TENANT, f"--role={word}", "--user=owner")
    try:
        for spec in ({}, {"nodeNames": ["node-1"]}):
            assert f"{word} are made by those who run the nodes" in _refused(owner, kind, spec)
    finally:
        admin.delete(f"{roles}/rolebindings/{word}")
        admin.delete(f"{roles}/roles/{word}")


def test_a_tenant_cannot_mark_its_own_namespace(owner: Caller) -> None:
    for mark in ({"labels": {"kubevmm.io/trusted": "true"}}, {"annotations": {"kubevmm.io/uses": OTHER}}):
        with pytest.raises(RefusedError) as refused:
            owner.merge(f"/api/v1/namespaces/{TENANT}", {"metadata": mark})
        assert refused.value.code == 403


def test_a_namespace_uses_what_is_open_to_it(admin: Caller, owner: Caller) -> None:
    def guest(namespace: str) -> dict[str, Any]:
        reference = {"name": "net", "namespace": namespace}
        return devices(interfaces=[{"type": "network", "source": {"networkRef": reference}}])

    for namespace in (TENANT, "kubevmm-system"):
        _create(owner, "VirtualMachine", guest(namespace))
    admin.merge(f"/api/v1/namespaces/{TENANT}", {"metadata": {"annotations": {"kubevmm.io/uses": f"images, {OTHER}"}}})
    try:
        _create_soon(owner, guest(OTHER))
        assert "source.networkRef.namespace: elsewhere" in _refused(owner, "VirtualMachine", guest("elsewhere"))
    finally:
        admin.merge(f"/api/v1/namespaces/{TENANT}", {"metadata": {"annotations": {"kubevmm.io/uses": None}}})


def _create_soon(caller: Caller, spec: dict[str, Any]) -> None:
    """Create it, though the API server may know the namespace's annotations a moment later than they were written."""
    for _ in range(100):
        try:
            _create(caller, "VirtualMachine", spec)
        except RefusedError:
            continue
        return
    _create(caller, "VirtualMachine", spec)


@pytest.mark.parametrize("name", GUESTS)
def test_an_ordinary_guest_is_accepted(owner: Caller, name: str) -> None:
    _create(owner, "VirtualMachine", {"domain": _converted(GUESTS[name])})


def _converted(text: str) -> dict[str, Any]:
    """Return what ``virtctl convert`` makes of a guest, with references in place of what they stand for."""
    [element] = parse(text.encode(), file="guest.xml")
    found: dict[str, Any] = decode(element, table().roots["domain"].type)
    # What convert prints, the owner has edited: a name of the namespace's, no UUID, and references.
    found["name"] = f"{TENANT}_{found['name']}"
    found.pop("uuid", None)
    for disk in found["devices"].get("disks", ()):
        if disk.get("source"):
            disk["source"] = {"diskRef": {"name": disk["target"]["dev"]}}
        disk.get("driver", {}).pop("type", None)
    for interface in found["devices"].get("interfaces", ()):
        interface |= {"type": "network", "source": {"networkRef": {"name": "blue"}}}
    return found


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("VirtualMachine", {}),
        ("VirtualMachine", {"running": True, "domain": {"memory": "2Gi"}, "cloudInit": {"userData": "#cloud-config"}}),
        ("VirtualMachineReplicaSet", template({"domain": {"memory": "1Gi"}})),
        ("VirtualMachineDisk", {"source": {"blank": {}}, "capacity": "20Gi", "poolRef": {"name": "fast"}}),
        (
            "VirtualMachineDisk",
            {"source": {"imageRef": {"name": "debian", "namespace": "kubevmm-system"}, "clone": "Linked"}},
        ),
        ("VirtualMachineDisk", {"source": {"blank": {}}, "volume": {"target": {"format": {"type": "qcow2"}}}}),
        ("VirtualMachineImage", {"source": {"http": {"url": "https://example.org/debian.qcow2"}}}),
        ("VirtualMachineImage", {"source": {"upload": {}}, "poolRefs": [{"name": "fast"}]}),
        ("VirtualMachineSnapshot", {"virtualMachineRef": {"name": "web"}}),
        ("VirtualMachineSnapshot", {"domainSnapshot": {"memory": {"snapshot": "no"}, "description": "before"}}),
        ("VirtualMachineOperation", {"type": "Restart", "virtualMachineRef": {"name": "web"}}),
    ],
)
def test_what_is_harmless_is_accepted(owner: Caller, kind: str, spec: dict[str, Any]) -> None:
    _create(owner, kind, spec)


def test_a_big_guest_is_within_the_servers_limits(owner: Caller) -> None:
    _create(owner, "VirtualMachine", {"domain": BIG})

    worse = copy.deepcopy(BIG)
    for disk in worse["devices"]["disks"]:
        disk["source"] = {"file": "/etc/shadow"}
    assert "spec.domain.devices.disks: source.file" in _refused(owner, "VirtualMachine", {"domain": worse})


ADOPTED = {
    "runStrategy": "Always",
    "nodeName": "node-1",
    "domain": {
        "name": "instance-00000001",
        "memory": "1Gi",
        "os": {"loader": {"value": "/usr/share/OVMF/OVMF_CODE.fd"}},
        "cputune": {"shares": 1024},
        "devices": {
            "disks": [
                {"type": "file", "source": {"file": "/var/lib/nova/disk"}, "target": {"dev": "vda"}},
                {"type": "block", "source": {"dev": "/dev/sdb"}, "target": {"dev": "vdb"}},
            ],
            "hostdevs": [{"type": "pci", "mode": "subsystem"}],
        },
    },
}


@pytest.fixture
def adopted(admin: Caller) -> Iterator[str]:
    """Yield where a guest is that an administrator brought in, with files and a device of its node."""
    where = path("virtualmachines", TENANT)
    admin.create(where, manifest("VirtualMachine", "adopted", TENANT, spec=ADOPTED))
    yield f"{where}/adopted"
    admin.delete(f"{where}/adopted")


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"labels": {"app": "shop"}}},
        {"spec": {"runStrategy": "Halted"}},
        {"spec": {"domain": {"memory": "2Gi", "title": "Shop"}}},
        {"spec": {"domain": {"os": {"bootDevices": [{"dev": "hd"}]}}}},
        {"spec": {"domain": {"devices": {"disks": [ADOPTED["domain"]["devices"]["disks"][1]]}}}},  # type: ignore[index]
        {"spec": {"domain": {"devices": {"hostdevs": None}}}},
        {
            "spec": {
                "domain": {
                    "devices": {
                        "disks": [
                            {"source": {"diskRef": {"name": "more"}}, "target": {"dev": "vdc"}},
                            *ADOPTED["domain"]["devices"]["disks"],  # type: ignore[index]
                        ]
                    }
                }
            }
        },
    ],
)
def test_the_owner_of_an_adopted_guest_changes_what_is_harmless(
    owner: Caller, adopted: str, change: dict[str, Any]
) -> None:
    owner.merge(adopted, change, dry_run=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"nodeName": "node-2"}, "spec: nodeName"),
        ({"domain": {"os": {"loader": {"value": "/etc/shadow"}}}}, "spec.domain.os: loader.value"),
        ({"domain": {"name": "instance-00000002"}}, "spec.domain: name: instance-00000002"),
        (
            {"domain": {"devices": {"disks": [{"source": {"file": "/etc/shadow"}, "target": {"dev": "vda"}}]}}},
            "spec.domain.devices.disks: source.file",
        ),
        ({"domain": {"devices": {"hostdevs": [{"type": "usb", "mode": "subsystem"}]}}}, "devices: hostdevs"),
    ],
)
def test_and_changes_nothing_else_into_what_is_the_nodes(
    owner: Caller, adopted: str, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        owner.merge(adopted, {"spec": change}, dry_run=True)

    assert said in str(refused.value)
