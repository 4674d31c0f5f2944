"""A whole estate comes into a cluster while its guests run: all are taken over, none is restarted, nothing differs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness.libvirtd import Libvirtd
from tests.importer.estates import OPENSTACK, nova, uuid
from tests.operation.conftest import eventually
from tests.operation.virt import Virt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness.controlplane import ControlPlane
    from tests.operation.conftest import Cluster

NODES = ("rack-1", "rack-2")
PROJECTS = ("estate-shop", "estate-lab")
BROKEN = OPENSTACK / "compute-2/etc/libvirt/qemu/instance-0000000e.xml"
PASSWORD = "0pnssame"  # noqa: S105  (nobody's)
POOL = "<pool type='dir'><name>estate</name><target><path>{path}</path></target></pool>"
NETWORK = "<network><name>estate</name><forward mode='bridge'/><bridge name='br-estate'/></network>"
GUEST = """\
<domain type='qemu'><name>instance-{number:08x}</name><uuid>{uuid}</uuid>{metadata}
<memory unit='KiB'>65536</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>{devices}
<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'{password}/></devices></domain>
"""
DISK = (
    "<disk type='volume' device='disk'><driver name='qemu' type='raw'/><source pool='estate' volume='disk-{number}'/>"
    "<target dev='vda' bus='virtio'/></disk>"
)
FILE = (
    "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{path}/disk-{number}'/>"
    "<target dev='vda' bus='virtio'/></disk>"
)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Libvirtd]]:
    """Yield the libvirts of two nodes, each with a pool, a network and guests, most of which run."""
    with Libvirtd() as one, Libvirtd() as two:
        found = dict(zip(NODES, (one, two), strict=True))
        for place, libvirtd in enumerate(found.values()):
            _furnish(libvirtd, place, tmp_path_factory.mktemp("pool"))
        yield found


def _furnish(libvirtd: Libvirtd, place: int, pool: Path) -> None:
    document = pool / "document.xml"

    def define(kind: str, text: str) -> None:
        document.write_text(text)
        libvirtd.virsh(kind, str(document))

    pool.chmod(0o755)
    define("pool-define", POOL.format(path=pool))
    libvirtd.virsh("pool-start", "estate")
    define("net-define", NETWORK)
    libvirtd.virsh("net-start", "estate")
    for number in range(place * 10 + 1, place * 10 + 5):
        libvirtd.virsh("vol-create-as", "estate", f"disk-{number}", "1M")
        text = GUEST.format(
            number=number,
            uuid=uuid(4000 + number),
            metadata=nova(f"web-{number}", PROJECTS[number % 2]),
            devices=(DISK if number % 2 else FILE).format(number=number, path=pool),
            password=f" passwd='{PASSWORD}'" if number % 10 == 1 else "",
        )
        define("define", text)
        if number % 10 != 4:
            libvirtd.virsh("start", f"instance-{number:08x}")


def runs(nodes: dict[str, Libvirtd]) -> dict[str, str]:
    """Return the number of each guest's run by its UUID; ``-`` where it is off."""
    out = {}
    for libvirtd in nodes.values():
        for name in libvirtd.virsh("list", "--all", "--name").stdout.split():
            number = libvirtd.virsh("domid", name).stdout.strip()
            out[libvirtd.virsh("domuuid", name).stdout.strip()] = number
    return out


@pytest.fixture
def virt(server: ControlPlane, tmp_path: Path) -> Virt:
    return Virt(server, tmp_path)


def dumped(nodes: dict[str, Libvirtd], root: Path) -> Path:
    """Write what the nodes have below *root*, as somebody keeps it who backs up a node; return *root*.

    Of the first node these are definitions, of the second one what runs.
    """
    for node, libvirtd in nodes.items():
        folder = root / node
        (folder / "networks").mkdir(parents=True)
        (folder / "storage").mkdir()
        for name in libvirtd.virsh("list", "--all", "--name").stdout.split():
            form = ("--security-info", "--inactive") if node == NODES[0] else ("--security-info",)
            (folder / f"{name}.xml").write_text(libvirtd.virsh("dumpxml", *form, name).stdout)
        (folder / "networks" / "estate.xml").write_text(libvirtd.virsh("net-dumpxml", "estate").stdout)
        (folder / "storage" / "estate.xml").write_text(libvirtd.virsh("pool-dumpxml", "estate").stdout)
    return root


def counts(virt: Virt, *words: str | Path, code: int = 0) -> dict[str, dict[str, int]]:
    """Import; return what became of how many objects, those that became nothing left out."""
    found: dict[str, Any] = json.loads(virt("import", *words, "--format", "json", code=code))
    return {kind: {word: n for word, n in each.items() if n} for kind, each in found["objects"].items()}


def test_an_estate_is_taken_over_as_it_runs(
    cluster: Cluster, nodes: dict[str, Libvirtd], virt: Virt, tmp_path: Path
) -> None:
    before = runs(nodes)
    assert sorted(number == "-" for number in before.values()) == [False] * 6 + [True] * 2
    source = dumped(nodes, tmp_path / "nodes")
    cluster.controller()
    for node, libvirtd in nodes.items():
        cluster.executor(node, libvirtd)
    eventually(
        lambda: set(NODES) <= set(virt("get", "vmnode", "-o", "name").replace("virtualmachinenode/", "").split())
    )

    done = virt.done("import", source)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert done.stderr == ""
    guests = {
        f"{project}/{found['metadata']['name']}": found
        for project in PROJECTS
        for found in json.loads(virt("get", "vm", "-n", project, "-o", "json"))["items"]
    }
    assert len(guests) == 8
    kinds = counts(virt, source)
    assert kinds == {
        "Namespace": {"unchanged": 3},
        "Secret": {"unchanged": 2},
        "VirtualMachineStoragePool": {"unchanged": kinds["VirtualMachineStoragePool"]["unchanged"]},
        "VirtualMachineNetwork": {"unchanged": kinds["VirtualMachineNetwork"]["unchanged"]},
        "VirtualMachine": {"unchanged": 8},
    }

    for project in PROJECTS:
        eventually(
            lambda project=project: virt.done("diff", "-n", project).returncode == 0,
            lambda project=project: virt.done("diff", "-n", project).stdout,
        )
        assert virt("diff", "-n", project) == ""
    assert virt("diff", "-R", "-f", exported(virt, source, tmp_path)) == ""
    assert runs(nodes) == before
    for project in PROJECTS:
        for found in json.loads(virt("get", "vm", "-n", project, "-o", "json"))["items"]:
            status = found["status"]
            running = before[found["spec"]["domain"]["uuid"]] != "-"
            assert (status["nodeName"], status["printableStatus"]) == (
                found["spec"]["nodeName"],
                "Running" if running else "Stopped",
            )
    for libvirtd in nodes.values():
        for name in libvirtd.virsh("list", "--all", "--name").stdout.split():
            assert "kubevmm" in libvirtd.virsh("dumpxml", name).stdout
    said = "".join(daemon.log.read_text() for daemon in cluster.daemons) + done.stdout
    assert PASSWORD not in said
    for project in PROJECTS:
        cluster.kubectl("delete", "vm", "--all", "-n", project, "--timeout=60s")
    assert runs(nodes) == before


def exported(virt: Virt, source: Path, folder: Path) -> Path:
    """Return the folder with the YAML of the import, which the server is only asked about."""
    virt("import", source, "-o", folder / "estate", "--dry-run=server")
    return folder / "estate"


def test_a_dry_run_checks_all_and_changes_nothing(virt: Virt, cluster: Cluster) -> None:
    before = cluster.kubectl("get", "ns,vm,vmnet,vmpool", "-A", "-o", "name")
    done = virt.done("import", OPENSTACK, "--dry-run=server")
    # One of its files is no XML.
    assert done.returncode == 1
    assert "VirtualMachine              16 " in done.stdout
    assert done.stdout.endswith("(server dry run)\n")
    assert [line for line in done.stderr.splitlines() if line.startswith("error: ")] == [
        f"error: {BROKEN}:84:26: not well-formed XML: AttValue: ' expected"
    ]
    assert "2 guests wait for the node legacy-1, of which no executor has told yet" in done.stderr
    assert cluster.kubectl("get", "ns,vm,vmnet,vmpool", "-A", "-o", "name") == before
