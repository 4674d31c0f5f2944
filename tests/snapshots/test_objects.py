"""Snapshots as objects: taken once, listed with their parents, taken over, gone back to, deleted; of real guests."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from executor.engine import store
from executor.hypervisor.snapshots import Snapshots
from tests.node.conftest import PATIENCE, Machine
from tests.snapshots.conftest import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from executor.hypervisor.hypervisor import Hypervisor
    from tests.cloudinit.conftest import Declared

pytestmark = [pytest.mark.libvirt, pytest.mark.slow]


def written(guest: Declared, *objects: dict[str, Any]) -> Path:
    path = guest.folder / "snapshots.yaml"
    path.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    return path


def applied(guest: Declared, *objects: dict[str, Any]) -> list[str]:
    done = guest.virtctl("apply", "-f", written(guest, *objects))
    return [line.split()[1] for line in done.stdout.decode().splitlines()]


def refused(guest: Declared, obj: dict[str, Any]) -> str:
    lines = guest.virtctl("apply", "-f", written(guest, obj), code=1).stderr.decode().splitlines()
    assert len(lines) <= 2
    return lines[0]


def listed(guest: Declared, *more: str) -> dict[str, dict[str, Any]]:
    done = guest.virtctl("get", "vmsnapshot", "-o", "json", *more)
    return {each["metadata"]["name"]: each for each in json.loads(done.stdout)["items"]}


def test_snapshots_are_taken_once_and_listed_as_a_tree(qemu: Hypervisor, guest: Declared) -> None:
    first, second = snapshot("first", "snapped", {"description": "what was"}), snapshot("second", "snapped")
    assert guest.virtctl("diff", "-f", written(guest, first), code=1).stdout
    assert applied(guest, first, second) == ["created", "created"]
    assert applied(guest, first, second) == ["unchanged", "unchanged"]
    assert guest.virtctl("diff", "-f", written(guest, first)).stdout == b""
    found = listed(guest)
    assert {name: each["status"].get("parent") for name, each in found.items()} == {"first": None, "second": "first"}
    assert [name for name, each in found.items() if each["status"]["current"]] == ["second"]
    status = found["first"]["status"]
    assert (status["phase"], status["readyToUse"], status["state"]) == ("Ready", True, "shutoff")
    assert [(disk["target"], disk["snapshot"]) for disk in status["disks"]] == [("vda", "internal")]
    wide = guest.virtctl("get", "vmsnapshot", "-o", "wide").stdout.decode().splitlines()
    assert ["PARENT" in wide[0], "first" in wide[2].split()[1:]] == [True, True]
    assert guest.virtctl("delete", "vmsnapshot", "first").stdout == b"virtualmachinesnapshot/first deleted\n"
    # The later one stays whole, and takes the parent's place.
    assert {name: each["status"].get("parent") for name, each in listed(guest).items()} == {"second": None}
    assert [each.name for each in Snapshots(qemu.domains.by_name("snapped")).all()] == ["second"]
    assert guest.apply() == "unchanged"


def test_a_snapshot_and_its_guest_come_from_one_file(qemu: Hypervisor, guest: Declared) -> None:
    guest.virtctl("delete", "vm", "snapped")
    guest.others.append(snapshot("at-birth", "snapped"))
    done = guest.virtctl("apply", "-f", guest.file, "--dry-run=server").stdout.decode()
    assert "virtualmachinesnapshot/at-birth created (server dry run)" in done
    assert "virtualmachinesnapshot/at-birth created" in guest.virtctl("apply", "-f", guest.file).stdout.decode()
    guest.virtctl("delete", "vm", "snapped")
    # Its snapshots went with it, so that a new one is taken of a new guest.
    assert listed(guest) == {}
    assert "virtualmachinesnapshot/at-birth created" in guest.virtctl("apply", "-f", guest.file).stdout.decode()
    assert [each.name for each in Snapshots(qemu.domains.by_name("snapped")).all()] == ["at-birth"]


def test_a_running_guest_goes_back_to_a_snapshot_with_its_memory_and_stays_ours(
    qemu: Hypervisor, guest: Declared
) -> None:
    domain = qemu.domains.by_name("snapped")
    machine = Machine(guest.uri, domain, guest.folder)
    machine.boot()
    try:
        machine.typed("moment=early; echo said-$((1 + 1))", rb"said-2")
        assert applied(guest, snapshot("early", "snapped")) == ["created"]
        machine.typed("moment=late; echo $moment-$((1 + 2))", rb"late-3")
        guest.object["spec"]["domain"]["title"] = "Later"
        assert guest.apply() == "configured"
        mark = store.mark_of(qemu.domains.by_name("snapped"))
        machine.let_go()
        guest.virtctl("snapshot", "revert", "snapped", "early", "--running")
        machine.typed("echo $moment-$((2 + 2))", rb"early-4")
        assert mark is not None
        assert store.mark_of(qemu.domains.by_name("snapped")) == mark
        assert guest.apply() == "configured"
        assert "<title>Later</title>" in qemu.domains.by_name("snapped").xml()
        assert listed(guest)["early"]["status"]["state"] == "running"
    finally:
        machine.let_go()


def test_after_a_snapshot_of_the_disks_alone_the_guest_goes_on_in_the_new_file(
    qemu: Hypervisor, guest: Declared
) -> None:
    domain = qemu.domains.by_name("snapped")
    domain.start()
    only = snapshot("disks", "snapped", {"memory": {"snapshot": "no"}})
    assert applied(guest, only) == ["created"]
    assert applied(guest, only) == ["unchanged"]
    status = listed(guest)["disks"]["status"]
    overlay = status["disks"][0]["path"]
    assert status["disks"][0]["snapshot"] == "external"
    assert status["state"] == "disk-snapshot"
    # The manifest still names the old file; to put it back would lose what was written since.
    assert guest.virtctl("diff", "-f", guest.file).stdout == b""
    assert guest.apply() == "unchanged"
    guest.object["spec"]["domain"]["title"] = "On"
    assert guest.apply() == "configured"
    assert guest.apply() == "unchanged"
    for inactive in (False, True):
        assert f"<source file='{overlay}'" in domain.xml(inactive=inactive)
    shown = yaml.safe_load(guest.virtctl("get", "vm", "snapped", "-o", "yaml").stdout)
    assert overlay not in json.dumps(shown["spec"])
    domain.destroy()
    assert guest.apply() == "unchanged"
    assert f"<source file='{overlay}'" in domain.xml(inactive=True)
    guest.virtctl("delete", "vmsnapshot", "disks")
    assert overlay not in domain.xml(inactive=True)
    assert guest.apply() == "unchanged"


def test_a_snapshot_that_exists_is_taken_over_and_left_by_its_policy(qemu: Hypervisor, guest: Declared) -> None:
    guest.virtctl("snapshot", "create", "snapped", "by-hand", "--description", "mine")
    assert listed(guest) == {}
    shown = listed(guest, "--unmanaged")["snapped-by-hand"]
    assert shown["spec"]["domainSnapshot"]["name"] == "by-hand"
    assert "differs: domainSnapshot.description" in refused(
        guest, snapshot("mine", "snapped", {"name": "by-hand", "description": "yours"})
    )
    assert applied(guest, shown) == ["adopted"]
    assert applied(guest, shown) == ["unchanged"]
    assert "the snapshot by-hand is virtualmachinesnapshot/snapped-by-hand" in refused(
        guest, snapshot("mine", "snapped", {"name": "by-hand"})
    )
    assert guest.virtctl("delete", "vmsnapshot", "snapped-by-hand").stdout.endswith(b" released\n")
    assert [each.name for each in Snapshots(qemu.domains.by_name("snapped")).all()] == ["by-hand"]
    assert listed(guest) == {}


def test_a_snapshot_never_changes_and_one_that_is_gone_is_not_taken_again(qemu: Hypervisor, guest: Declared) -> None:
    assert applied(guest, snapshot("kept", "snapped")) == ["created"]
    assert "a snapshot cannot change: domainSnapshot.description" in refused(
        guest, snapshot("kept", "snapped", {"description": "other"})
    )
    assert "stays of its guest and its name" in refused(guest, snapshot("kept", "snapped", {"name": "renamed"}))
    assert applied(guest, snapshot("kept", "snapped", deletionPolicy="Delete")) == ["configured"]
    Snapshots(qemu.domains.by_name("snapped")).by_name("kept").delete()
    assert "has it no more" in refused(guest, snapshot("kept", "snapped"))
    assert listed(guest)["kept"]["status"]["phase"] == "Failed"
    assert guest.virtctl("delete", "vmsnapshot", "kept").stdout.endswith(b" deleted\n")
    assert applied(guest, snapshot("kept", "snapped")) == ["created"]


def test_what_cannot_be_is_one_line_and_takes_nothing(qemu: Hypervisor, guest: Declared) -> None:
    qemu.domains.by_name("snapped").start()
    cases = [
        (snapshot("a", "nobody"), "virtualmachine/nobody is not there"),
        (snapshot("a", "snapped", {"name": "../up"}), "is no name for a snapshot"),
        (snapshot("a", "snapped", {"name": "a\nb"}), "is no name for a snapshot"),
        (snapshot("a", "snapped", {"memory": {"snapshot": "internal"}}, quiesce=True), "nothing to quiesce"),
        # No agent answers in this guest.
        (snapshot("a", "snapped", quiesce=True), "agent"),
    ]
    for obj, said in cases:
        assert said in refused(guest, obj), obj
    assert Snapshots(qemu.domains.by_name("snapped")).all() == []
    assert guest.virtctl("delete", "vmsnapshot", "nothing", code=1).stderr


def external(file: str, **disk: Any) -> dict[str, Any]:
    """Return libvirt's part of a snapshot with the memory in *file*, and the disk as *disk* says."""
    disks = {"disks": {"disks": [{"name": "vda", "snapshot": "external", **disk}]}} if disk else {}
    return {"memory": {"snapshot": "external", "file": file}, **disks}


def test_a_snapshot_writes_nowhere_but_to_new_files_beside_disks(
    qemu: Hypervisor, guest: Declared, tmp_path: Path
) -> None:
    domain = qemu.domains.by_name("snapped")
    domain.start()
    beside = Path(guest.object["spec"]["domain"]["devices"]["disks"][-1]["source"]["file"])
    victim = beside.with_name("victim")
    victim.write_text("mine")
    (beside.parent / "out").symlink_to(tmp_path)
    outside = "not below a folder that snapshots may go to"
    good = str(beside.with_name("memory"))
    cases = [
        (external(str(tmp_path / "memory")), outside),
        (external(str(beside.parent / ".." / "memory")), outside),
        (external(str(beside.parent / "out" / "memory")), outside),
        (external("memory"), outside),
        (external(str(victim)), "is there already"),
        (external(good, source={"file": str(tmp_path / "disk")}), outside),
        (external(good, source={"file": str(victim)}), "is there already"),
        (external(good, source={"dev": "/dev/vda"}), "in so many words"),
        (external(good, extraXML="<disk><new file='/etc/x'/></disk>"), "in so many words"),
    ]
    for document, said in cases:
        assert said in refused(guest, snapshot("a", "snapped", document)), document
    assert (victim.read_text(), list(tmp_path.glob("memory*")), Snapshots(domain).all()) == ("mine", [], [])
    made = external(good, source={"file": str(beside.with_name("overlay"))})
    assert applied(guest, snapshot("a", "snapped", made)) == ["created"]
    assert Path(good).exists()


def test_a_snapshot_of_a_guest_that_was_released_is_not_deleted(qemu: Hypervisor, guest: Declared) -> None:
    assert applied(guest, snapshot("kept", "snapped")) == ["created"]
    guest.virtctl("release", "snapped")
    done = guest.virtctl("delete", "vmsnapshot", "kept", code=1)
    assert b"no longer managed" in done.stderr
    assert [each.name for each in Snapshots(qemu.domains.by_name("snapped")).all()] == ["kept"]


# The two calls of a guest agent that a snapshot needs, and the one by which libvirt finds it; no others.
AGENT = r"""port=/dev/$(basename $(dirname $(grep -l guest_agent /sys/class/virtio-ports/*/name))); (exec 3<>$port;
while sleep 0.1; do read -r line <&3 || continue;
id=$(echo "$line" | sed -n 's/.*"id": *\([0-9]*\).*/\1/p'); case "$line" in
*sync-delimited*) printf '\377{"return":%s}\n' $id;; *guest-sync*) printf '{"return":%s}\n' $id;;
*fsfreeze-freeze*) echo agent-froze-$((1 + 1)) >/dev/ttyS0; echo '{"return":1}';;
*fsfreeze-thaw*) echo agent-thawed-$((1 + 2)) >/dev/ttyS0; echo '{"return":1}';;
*) echo '{"error":{"class":"CommandNotFound","desc":"unknown"}}';; esac >&3; done) & echo agent-$((2 + 2))"""


def test_a_quiesced_snapshot_has_the_agent_hold_the_file_systems_still(qemu: Hypervisor, guest: Declared) -> None:
    channel = {"type": "unix", "target": {"type": "virtio", "name": "org.qemu.guest_agent.0"}}
    guest.object["spec"]["domain"]["devices"]["channels"] = [channel]
    guest.apply()
    domain = qemu.domains.by_name("snapped")
    machine = Machine(guest.uri, domain, guest.folder)
    machine.boot()
    try:
        machine.typed(AGENT.replace("\n", " "), rb"agent-4\r?\n")
        wait_for(lambda: "state='connected'" in domain.xml())
        assert applied(guest, snapshot("still", "snapped", quiesce=True)) == ["created"]
        machine.expect(rb"agent-froze-2\r?\n")
        machine.expect(rb"agent-thawed-3\r?\n")
        assert listed(guest)["still"]["status"]["state"] == "disk-snapshot"
        assert applied(guest, snapshot("still", "snapped", quiesce=True)) == ["unchanged"]
        assert guest.apply() == "unchanged"
    finally:
        machine.let_go()


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
