"""The CRDs in yamls/, at a real API server: they install, explain, show, select, refuse, and keep documents."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from analyser.codec.decode import decode
from analyser.xmlreader import parse
from schemas.api.kinds import KINDS
from schemas.errors import InputError
from schemas.table import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.controlplane import ControlPlane

ROOT = Path(__file__).parents[2]
YAMLS = ROOT / "yamls"
DOCUMENTS = sorted((ROOT / "tests" / "fixtures" / "documents").glob("*.xml"))
ESTATE = sorted((ROOT / "examples").glob("**/*.xml"))
NAMESPACE = "crds"


@pytest.fixture(scope="module")
def installed(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """Yield the control plane with our CRDs, applied as the README says."""
    control_plane.kubectl("apply", "-f", str(YAMLS))
    served = ",".join(kind.plural for kind in KINDS)
    _until(lambda: control_plane.kubectl("get", served, "-A", check=False).returncode == 0)
    control_plane.kubectl("create", "namespace", NAMESPACE)
    yield control_plane
    control_plane.kubectl("delete", served, "--all", "-n", NAMESPACE)


def _until(holds: Any) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "the API server does not serve our kinds"
        time.sleep(0.2)


def _object(kind: str, name: str, spec: dict[str, Any], **rest: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "kubevmm.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec, **rest}


def _apply(cluster: ControlPlane, *documents: dict[str, Any]) -> str:
    """Apply *documents* and return what kubectl says when it refuses, empty when it does not."""
    # Not as a List: kubectl would then check the fields itself, in other words than the server's.
    text = "\n---\n".join(json.dumps(document) for document in documents)
    return cluster.kubectl("apply", "--validate=strict", "-f", "-", input=text, check=False).stderr


def _status(cluster: ControlPlane, kind: str, name: str, status: dict[str, Any]) -> None:
    patch = json.dumps({"status": status})
    cluster.kubectl("patch", kind, name, "-n", NAMESPACE, "--subresource=status", "--type=merge", "-p", patch)


def test_applying_a_second_time_changes_nothing(installed: ControlPlane) -> None:
    lines = installed.kubectl("apply", "-f", str(YAMLS)).stdout.splitlines()
    definitions = [line for line in lines if line.startswith("customresourcedefinition")]

    assert len(definitions) == len(KINDS)
    assert all(line.endswith(" unchanged") for line in definitions), definitions


def test_the_server_applies_them_as_well_as_the_client(installed: ControlPlane) -> None:
    def apply() -> dict[str, str]:
        result = installed.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(YAMLS), "-o", "json")
        objects = json.loads(result.stdout)["items"]
        # Without controllers: nothing else changes these.
        return {(o["kind"], o["metadata"]["name"]): o["metadata"]["resourceVersion"] for o in objects}

    first = apply()

    assert len([kind for kind, _ in first if kind == "CustomResourceDefinition"]) == len(KINDS)
    assert apply() == first


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("vm", "One libvirt domain and how it should run."),
        ("vm.spec", "When the guest should run"),
        ("vm.spec.runStrategy", "ENUM: Always RerunOnFailure Once Manual Halted"),
        ("vm.spec.domain.memory", "Memory that the guest has at the start, such as 4Gi."),
        ("vm.spec.domain.devices.disks", "Disks, CD-ROM and floppy drives, whatever holds their data."),
        ("vm.spec.domain.devices.disks", "What the guest sees, disk (the default), cdrom, floppy or lun."),
        ("vm.spec.domain.devices.disks.source", "The VirtualMachineDisk that this disk is"),
        ("vm.spec.domain.devices.graphics.passwdSecretRef", "The key of a Secret that has the password."),
        ("vm.spec.affinity.podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution"),
        ("vmnet.spec.network.forward.mode", "such as nat, route, open"),
        ("vmpool.spec.pool.source", "which keys apply is said by the type"),
        ("vmdisk.spec.volume.capacity", "Size that the guest sees"),
        ("vmsnapshot.spec.domainSnapshot.disks.disks", "the path of its source"),
        ("vmop.spec.type", "InjectNMI"),
        ("vmnode.status.allocatable", "capacity less what is reserved"),
    ],
)
def test_kubectl_explains_what_a_key_is_for(installed: ControlPlane, path: str, said: str) -> None:
    text = " ".join(installed.kubectl("explain", path).stdout.split())

    assert said in text


def test_get_shows_a_guest_as_kubevirt_does(installed: ControlPlane) -> None:
    domain = {"name": "web-1", "memory": "4Gi", "vcpu": {"value": 2}}
    assert not _apply(installed, _object("VirtualMachine", "columns", {"domain": domain}))
    ready = {
        "type": "Ready", "status": "True", "reason": "Running", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    interfaces = [{"mac": "52:54:00:00:00:01", "ipAddress": "10.0.0.7"}, {"mac": "52:54:00:00:00:02"}]
    status = {"printableStatus": "Running", "nodeName": "node-1", "interfaces": interfaces, "conditions": [ready]}
    _status(installed, "vm", "columns", status)

    head, row = installed.kubectl("get", "vm", "columns", "-n", NAMESPACE).stdout.splitlines()
    wide_head, wide_row = installed.kubectl("get", "vm", "columns", "-n", NAMESPACE, "-o", "wide").stdout.splitlines()

    assert head.split() == ["NAME", "AGE", "STATUS", "READY"]
    assert row.split()[0::2] == ["columns", "Running"]
    assert row.split()[3] == "True"
    assert wide_head.split() == ["NAME", "AGE", "STATUS", "READY", "NODE", "IP", "CPU", "MEMORY"]
    assert wide_row.split()[4:] == ["node-1", "10.0.0.7", "2", "4Gi"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.short)
def test_every_kind_goes_by_its_plural_its_short_name_and_the_category(installed: ControlPlane, kind: Any) -> None:
    for name in (kind.plural, kind.short, kind.name.lower(), f"{kind.plural}.kubevmm.io"):
        installed.kubectl("get", name, "-n", NAMESPACE)

    listed = installed.kubectl("api-resources", "--categories=kubevmm", "-o", "name", "--cached=false").stdout.split()

    assert f"{kind.plural}.kubevmm.io" in listed


def test_guests_are_selected_by_their_node(installed: ControlPlane) -> None:
    assert not _apply(
        installed,
        _object("VirtualMachine", "here", {"nodeName": "node-a", "domain": {}}),
        _object("VirtualMachine", "there", {"nodeName": "node-b", "domain": {}}),
    )
    _status(installed, "vm", "there", {"nodeName": "node-a"})

    def selected(selector: str) -> list[str]:
        return installed.kubectl(
            "get", "vm", "-n", NAMESPACE, "--field-selector", selector, "-o", "name"
        ).stdout.split()

    assert selected("spec.nodeName=node-a") == ["virtualmachine.kubevmm.io/here"]
    assert selected("status.nodeName=node-a") == ["virtualmachine.kubevmm.io/there"]


REFUSED: list[tuple[str, dict[str, Any], dict[str, Any] | None, str]] = [
    (
        "VirtualMachine", {"running": True, "runStrategy": "Always"}, None,
        "give either running or runStrategy, not both",
    ),
    (
        "VirtualMachine", {"domain": {"uuid": "11111111-1111-4111-8111-111111111111"}},
        {"domain": {"uuid": "22222222-2222-4222-8222-222222222222"}}, "domain.uuid cannot change once it is set",
    ),
    ("VirtualMachine", {"runStrategy": "Sometimes"}, None, 'supported values: "Always"'),
    ("VirtualMachine", {"domain": {"onPoweroff": "explode"}}, None, "spec.domain.onPoweroff: Unsupported value"),
    ("VirtualMachine", {"domain": {"devices": {"diskz": []}}}, None, 'unknown field "spec.domain.devices.diskz"'),
    (
        "VirtualMachine", {"domain": {"devices": {"disks": [{"source": {"diskRef": {}}}]}}}, None,
        "spec.domain.devices.disks[0].source.diskRef.name: Required value",
    ),
    ("VirtualMachineDisk", {"source": {}}, None, "give exactly one of blank, imageRef, diskRef and snapshotRef"),
    (
        "VirtualMachineDisk", {"source": {"blank": {}, "diskRef": {"name": "a"}}}, None,
        "give exactly one of blank, imageRef, diskRef and snapshotRef",
    ),
    ("VirtualMachineDisk", {"capacity": "20Gi"}, {"capacity": "10Gi"}, "capacity cannot shrink"),
    ("VirtualMachineDisk", {"capacity": "some"}, None, "spec.capacity"),
    ("VirtualMachineDisk", {"source": {"blank": {}}}, {"source": {"diskRef": {"name": "a"}}}, "source cannot change"),
    ("VirtualMachineDisk", {"poolRef": {"name": "a"}}, {"poolRef": {"name": "b"}}, "poolRef cannot change"),
    ("VirtualMachineImage", {"source": {}}, None, "give exactly one of http, registry, file, upload and diskRef"),
    ("VirtualMachineImage", {"checksum": "md5:0"}, None, "spec.checksum"),
    (
        "VirtualMachineImage", {"source": {"upload": {}}}, {"source": {"http": {"url": "https://example.org/a"}}},
        "source cannot change",
    ),
    (
        "VirtualMachineSnapshot", {"virtualMachineRef": {"name": "a"}}, {"virtualMachineRef": {"name": "b"}},
        "virtualMachineRef cannot change",
    ),
    ("VirtualMachineOperation", {}, None, "spec.type: Required value"),
    (
        "VirtualMachineOperation", {"type": "Reset", "virtualMachineRef": {"name": "a"}},
        {"type": "Pause", "virtualMachineRef": {"name": "a"}}, "the spec of an operation cannot change",
    ),
    (
        "VirtualMachineOperation", {"type": "Reset", "virtualMachineRef": {"name": "a"}, "migrate": {}}, None,
        "migrate goes with type Migrate",
    ),
    (
        "VirtualMachineOperation", {"type": "Pause", "virtualMachineRef": {"name": "a"}, "stop": {}}, None,
        "stop goes with type Stop or Restart",
    ),
    (
        "VirtualMachineOperation",
        {"type": "Save", "virtualMachineRef": {"name": "a"}, "restore": {"snapshotRef": {"name": "b"}}}, None,
        "restore goes with type Restore",
    ),
    (
        "VirtualMachineOperation", {"type": "Clone", "virtualMachineRef": {"name": "a"}}, None,
        "type Clone needs clone, with target",
    ),
    (
        "VirtualMachineDisk", {"source": {"blank": {}, "keepGuestOff": True}}, None,
        "keepGuestOff goes with diskRef and clone Linked",
    ),
    (
        "VirtualMachineOperation", {"type": "Dump", "virtualMachineRef": {"name": "a"}}, None,
        "type Dump needs dump, with poolRef",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "spec", "change", "said"), REFUSED)
def test_what_cannot_be_is_refused_with_a_message_that_helps(
    installed: ControlPlane, request: pytest.FixtureRequest, kind: str, spec: dict[str, Any],
    change: dict[str, Any] | None, said: str,
) -> None:  # fmt: skip
    name = f"refused-{request.node.callspec.indices['said']}"
    refused = _apply(installed, _object(kind, name, spec))
    if change is not None:
        assert not refused
        refused = _apply(installed, _object(kind, name, change))

    assert said in refused


ACCEPTED: list[tuple[str, dict[str, Any], dict[str, Any] | None]] = [
    ("VirtualMachine", {"running": True}, {"runStrategy": "Halted"}),
    ("VirtualMachine", {"nodeName": "a"}, {}),
    ("VirtualMachine", {"domain": {"vcpu": {"value": 2, "current": "0x1"}, "memory": "4194304 (KiB)"}}, None),
    (
        "VirtualMachine",
        {"cloudInit": {"secretRef": {"name": "web-1"}}, "tolerations": [{"operator": "Exists"}]},
        {"affinity": {"nodeAffinity": {}}},
    ),
    ("VirtualMachineDisk", {"capacity": "20Gi"}, {"capacity": "30Gi"}),
    (
        "VirtualMachineDisk",
        {"source": {"imageRef": {"name": "debian", "namespace": "images"}}, "poolRef": {"name": "a"}},
        None,
    ),
    (
        "VirtualMachineOperation",
        {"type": "Restart", "virtualMachineRef": {"name": "a"}, "stop": {"mode": "ACPI"}},
        None,
    ),
    (
        "VirtualMachineOperation",
        {"type": "Restore", "virtualMachineRef": {"name": "a"}, "restore": {"snapshotRef": {"name": "b"}}},
        None,
    ),
    ("VirtualMachineOperation", {"type": "Restore", "virtualMachineRef": {"name": "a"}}, None),
]


@pytest.mark.parametrize(("kind", "spec", "change"), ACCEPTED)
def test_what_is_meant_is_accepted(
    installed: ControlPlane,
    request: pytest.FixtureRequest,
    kind: str,
    spec: dict[str, Any],
    change: dict[str, Any] | None,
) -> None:
    name = f"accepted-{request.node.callspec.indices['kind']}-{request.node.callspec.indices['spec']}"

    assert not _apply(installed, _object(kind, name, spec))
    assert change is None or not _apply(installed, _object(kind, name, change))


def test_a_node_stands_outside_namespaces_and_reports_what_it_has(installed: ControlPlane) -> None:
    node = _object("VirtualMachineNode", "node-1", {"reserved": {"cpu": 2, "memory": "4Gi"}})
    del node["metadata"]["namespace"]
    assert not _apply(installed, node)
    allocatable = {"cpu": "62", "memory": "250Gi", "hugepages-1Gi": 16}
    pools = [{"name": "default", "type": "dir", "active": True, "capacity": "1Ti"}]
    patch = json.dumps({"status": {"allocatable": allocatable, "pools": pools}})
    installed.kubectl("patch", "vmnode", "node-1", "--subresource=status", "--type=merge", "-p", patch)

    status = json.loads(installed.kubectl("get", "vmnode", "node-1", "-o", "json").stdout)["status"]

    assert status == {"allocatable": allocatable, "pools": pools}


def _converted() -> dict[str, dict[str, Any]]:
    """Return an object of ours for every document of the fixtures and of the example estate, by its name."""
    found = {}
    for file in [*DOCUMENTS, *ESTATE]:
        try:
            elements = parse(file.read_bytes(), file=str(file))
        except InputError:
            # The example estate has one broken file, as estates do.
            continue
        for element in elements:
            root = table().roots[element.tag]
            if root.field is not None:
                name = f"document-{len(found)}"
                found[name] = _object(root.kind, name, {root.field: decode(element, root.type)})
    return found


def test_converted_documents_pass_strict_validation_and_come_back_equal(installed: ControlPlane) -> None:
    documents = _converted()
    assert len(documents) >= 30
    assert {o["kind"] for o in documents.values()} == {root.kind for root in table().roots.values() if root.field}
    text = "\n---\n".join(json.dumps(document, ensure_ascii=False) for document in documents.values())

    installed.kubectl("create", "--validate=strict", "-f", "-", input=text)

    kinds = ",".join(sorted({o["kind"].lower() for o in documents.values()}))
    listed = json.loads(installed.kubectl("get", kinds, "-n", NAMESPACE, "-o", "json").stdout)["items"]
    back = {o["metadata"]["name"]: o["spec"] for o in listed if o["metadata"]["name"] in documents}
    assert back == {name: o["spec"] for name, o in documents.items()}


def test_two_appliers_share_the_features_of_a_processor(installed: ControlPlane) -> None:
    def apply(manager: str, feature: str) -> None:
        features = [{"name": feature, "policy": "require"}]
        document = _object("VirtualMachine", "shared", {"domain": {"cpu": {"features": features}}})
        installed.kubectl("apply", "--server-side", f"--field-manager={manager}", "-f", "-", input=json.dumps(document))

    apply("one", "vmx")
    apply("two", "aes")

    stored = json.loads(installed.kubectl("get", "vm", "shared", "-n", NAMESPACE, "-o", "json").stdout)
    assert [f["name"] for f in stored["spec"]["domain"]["cpu"]["features"]] == ["vmx", "aes"]
