"""What a plan makes of a guest that runs under QEMU: each change arrives, and the next plan has nothing left to do."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import libvirt
import pytest

from executor.plan import actions, domain
from tests.plan import runner
from tests.plan.guest import mark_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.harness.libvirtd import Libvirtd

pytestmark = [pytest.mark.libvirt, pytest.mark.slow]

PORTS = "".join(f"<controller type='pci' index='{number}' model='pcie-root-port'/>" for number in range(1, 16))
XML = """\
<domain type='qemu'>
  <name>planned</name>
  <title>t</title>
  <memory unit='MiB'>128</memory>
  <vcpu current='1'>2</vcpu>
  <iothreads>1</iothreads>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    {ports}
    <controller type='scsi' model='virtio-scsi'/>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/><source file='{images}/a.raw'/><target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/><source file='{images}/a.iso'/><target dev='sda' bus='sata'/><readonly/>
    </disk>
    <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
    <graphics type='vnc' port='-1' autoport='yes' passwd='abc'><listen type='address' address='127.0.0.1'/></graphics>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <memballoon model='virtio'/>
  </devices>
</domain>
"""

Spec = dict[str, Any]


def _disk(spec: Spec, number: int) -> Spec:
    found: Spec = spec["devices"]["disks"][number]
    return found


def _add(kind: str, device: Spec) -> Callable[[Spec], Any]:
    return lambda spec: spec["devices"].setdefault(kind, []).append(device)


NEW_DISK = {
    "type": "file",
    "device": "disk",
    "driver": {"name": "qemu", "type": "raw"},
    "source": {"file": "IMAGES/b.raw"},
    "target": {"dev": "vdb", "bus": "virtio"},
}
CHANNEL = {"type": "unix", "target": {"type": "virtio", "name": "x"}}
ON_SCSI = {**NEW_DISK, "source": {"file": "IMAGES/c.raw"}, "target": {"dev": "sdb", "bus": "scsi"}}

# What is changed, step by step, and what is done to the guest for it besides a new definition.
STEPS: list[tuple[str, Callable[[Spec], Any], list[type[actions.Action]]]] = [
    ("title", lambda s: s.update(title="new"), [actions.SetTitle]),
    ("no title", lambda s: s.pop("title"), [actions.SetTitle]),
    ("description", lambda s: s.update(description="d"), [actions.SetDescription]),
    ("metadata", lambda s: s.update(metadata='<a:x xmlns:a="http://a/1"><a:y/></a:x>'), [actions.SetMetadata]),
    ("other metadata", lambda s: s.update(metadata='<a:x xmlns:a="http://a/1"/>'), [actions.SetMetadata]),
    ("no metadata", lambda s: s.pop("metadata"), [actions.SetMetadata]),
    ("memory", lambda s: s.update(currentMemory="96Mi"), [actions.SetMemory]),
    ("vCPUs", lambda s: s["vcpu"].update(current=2), [actions.SetVcpus]),
    ("I/O threads", lambda s: s.update(iothreads=3), [actions.AddIOThread, actions.AddIOThread]),
    ("fewer I/O threads", lambda s: s.update(iothreads=1), [actions.DelIOThread, actions.DelIOThread]),
    ("pinning", lambda s: s.update(cputune={"vcpupins": [{"vcpu": 0, "cpuset": "0"}]}), [actions.PinVcpu]),
    ("no pinning", lambda s: s.pop("cputune"), [actions.PinVcpu]),
    ("what a reboot does", lambda s: s.update(onReboot="destroy"), [actions.SetLifecycleAction]),
    ("statistics", lambda s: s["devices"]["memballoon"].update(stats={"period": 5}), [actions.SetMemoryStatsPeriod]),
    ("a disk", _add("disks", NEW_DISK), [actions.AttachDevice]),
    ("a disk on SCSI", _add("disks", ON_SCSI), [actions.AttachDevice]),
    ("limits of a disk", lambda s: _disk(s, 0).update(iotune={"totalIopsSec": 100}), [actions.SetBlockIoTune]),
    ("other limits", lambda s: _disk(s, 0).update(iotune={"readBytesSec": 10**6}), [actions.SetBlockIoTune]),
    ("no limits", lambda s: _disk(s, 0).pop("iotune"), [actions.SetBlockIoTune]),
    ("media", lambda s: _disk(s, 1)["source"].update(file="IMAGES/b.iso"), [actions.UpdateDevice]),
    ("no media", lambda s: _disk(s, 1).pop("source"), [actions.UpdateDevice]),
    ("media again", lambda s: _disk(s, 1).update(source={"file": "IMAGES/a.iso"}), [actions.UpdateDevice]),
    ("link", lambda s: s["devices"]["interfaces"][0].update(link={"state": "down"}), [actions.UpdateDevice]),
    ("an interface", _add("interfaces", {"type": "user", "model": {"type": "virtio"}}), [actions.AttachDevice]),
    ("password", lambda s: s["devices"]["graphics"][0].update({"passwd": "xyz"}), [actions.UpdateDevice]),
    (
        "a channel",
        _add("channels", {"type": "unix", "target": {"type": "virtio", "name": "x"}}),
        [actions.AttachDevice],
    ),
    ("no channel", lambda s: s["devices"]["channels"].pop(), [actions.DetachDevice]),
    ("machine", lambda s: s["os"]["type"].update(machine="pc-q35-6.0"), []),
    ("CPU", lambda s: s.update(cpu={"mode": "custom", "match": "exact", "model": {"value": "qemu64"}}), []),
    ("a feature", lambda s: s["features"].update(apic={}), []),
    ("maximum of vCPUs", lambda s: s["vcpu"].update(value=4), []),
    ("the address that it listens on", lambda s: s["devices"]["graphics"][0].update(listen="127.0.0.2"), []),
]
WAITING = ("cpu", "devices.graphics[vnc].listen", "features.apic", "os.type.machine", "vcpu.value")


@pytest.fixture(scope="module")
def connection(libvirtd: Libvirtd) -> Iterator[Any]:
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    opened = libvirt.open(libvirtd.uri)
    yield opened
    opened.close()


@pytest.fixture
def guest(connection: Any, libvirtd: Libvirtd) -> Iterator[Any]:
    """Yield a guest that runs, its firmware with nothing to boot, and remove it."""
    images = libvirtd.folder / "images"
    images.mkdir(exist_ok=True, mode=0o755)
    for name in ("a.raw", "b.raw", "c.raw", "a.iso", "b.iso"):
        with (images / name).open("wb") as file:
            file.truncate(1 << 20)
        (images / name).chmod(0o666)
    running = connection.defineXML(XML.format(ports=PORTS, images=images))
    running.create()
    yield running
    if running.isActive():
        running.destroy()
    running.undefine()


def _there(value: Any, images: str) -> Any:
    """Return *value* with the folder of the images in its paths."""
    if isinstance(value, dict):
        return {key: _there(each, images) for key, each in value.items()}
    if isinstance(value, list):
        return [_there(each, images) for each in value]
    return value.replace("IMAGES", images) if isinstance(value, str) else value


def _left(guest: Any, spec: Spec) -> list[actions.Action]:
    there = runner.read(guest)
    assert there.mark is not None
    return domain.plan(spec, there, there.mark.last("spec", "domain"), mark=mark_of(spec))


def test_a_running_guest_is_adopted_untouched_and_then_changed_field_by_field(
    connection: Any, guest: Any, libvirtd: Libvirtd
) -> None:
    spec = runner.read(guest).inactive
    before = runner.read(guest)
    _, done = runner.apply(connection, guest, spec, mark_of(spec))
    assert done == []
    there = runner.read(guest)
    assert {**there.live, "metadata": ""} == {**before.live, "metadata": ""}  # type: ignore[dict-item]
    assert _left(guest, spec) == []
    assert domain.diff(spec, there, spec) == []
    pid = guest.ID()
    for name, change, expected in STEPS:
        spec = copy.deepcopy(spec)
        change(spec)
        spec = _there(spec, str(libvirtd.folder / "images"))
        _, done = runner.apply(connection, guest, spec, mark_of(spec))
        assert [type(step) for step in done if not isinstance(step, actions.Define)] == expected, name
        left = _left(guest, spec)
        assert [step for step in left if step.changes] == [], name
    waits = [path for step in _left(guest, spec) if isinstance(step, actions.RestartRequired) for path in step.paths]
    assert sorted({path if path in WAITING else path.partition(".")[0] for path in waits}) == list(WAITING)
    assert guest.ID() == pid, "it was never restarted"
    guest.destroy()
    guest.create()
    _, done = runner.apply(connection, guest, spec, mark_of(spec))
    assert done == []
    assert _left(guest, spec) == []


def test_what_somebody_changes_in_the_running_guest_is_seen_and_repaired(connection: Any, guest: Any) -> None:
    spec = runner.read(guest).inactive
    runner.apply(connection, guest, spec, mark_of(spec))
    guest.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "other", None, None, runner.LIVE)
    there = runner.read(guest)
    seen = [(each.path, each.actual, each.desired, each.cause.value) for each in domain.diff(spec, there, spec)]
    assert seen == [("title", "other", "t", "changed outside")]
    assert runner.apply(connection, guest, spec, mark_of(spec))[1] == [actions.SetTitle("t")]
    assert _left(guest, spec) == []


@pytest.mark.parametrize("cut", range(6))
def test_a_plan_that_was_cut_off_is_finished_by_the_next(
    connection: Any, guest: Any, libvirtd: Libvirtd, cut: int
) -> None:
    first = runner.read(guest).inactive
    runner.apply(connection, guest, first, mark_of(first))
    spec = copy.deepcopy(first)
    spec["title"] = "new"
    spec["vcpu"]["current"] = 2
    spec["currentMemory"] = "96Mi"
    spec["devices"]["disks"].append(_there(NEW_DISK, str(libvirtd.folder / "images")))
    steps = domain.plan(spec, runner.read(guest), first, mark=mark_of(spec))
    assert len(steps) == 6
    runner.run(connection, guest, steps[:cut])
    runner.apply(connection, guest, spec, mark_of(spec))
    assert _left(guest, spec) == []
    live = runner.read(guest).live
    assert live is not None
    # With no driver in the guest, its balloon stays as it is.
    assert (live["title"], live["vcpu"]) == ("new", {"placement": "static", "value": 2})
    assert [disk["target"]["dev"] for disk in live["devices"]["disks"]] == ["vda", "vdb", "sda"]
