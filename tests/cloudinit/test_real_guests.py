"""A guest that really boots reads its seed, seen over its serial console; the seed comes, changes and goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from executor.engine import seed
from tests.node.conftest import Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from executor.hypervisor.hypervisor import Hypervisor
    from tests.cloudinit.conftest import Declared

pytestmark = [pytest.mark.libvirt, pytest.mark.slow]

MOUNT = "mkdir -p /cd; for dev in /dev/sr*; do mount -t iso9660 -o ro $dev /cd && [ -f /cd/meta-data ] && break; done"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFake me@here"


@pytest.fixture
def boot(qemu: Hypervisor, tmp_path: Path) -> Iterator[Callable[[Declared], Machine]]:
    machines: list[Machine] = []

    def booted(declared: Declared) -> Machine:
        name = declared.object["spec"]["domain"]["name"]
        machine = Machine(declared.uri, qemu.domains.by_name(name), tmp_path)
        machines.append(machine)
        machine.boot()
        return machine

    yield booted
    for machine in machines:
        machine.let_go()


def seeds(qemu: Hypervisor) -> list[str]:
    return sorted(volume.name for volume in qemu.pools.by_name(seed.POOL).volumes())


def test_a_guest_reads_its_user_data_and_goes_without_leaving_any(
    qemu: Hypervisor, declare: Callable[..., Declared], boot: Callable[[Declared], Machine]
) -> None:
    given: dict[str, Any] = {
        "secretRef": {"name": "login"}, "networkData": "version: 2\n", "sshAuthorizedKeys": [KEY],
        "hostname": "inside.test",
    }  # fmt: skip
    declared = declare("reader", given)
    declared.others.append(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "login"},
            "stringData": {"userData": "#cloud-config\npassword: oyster-42\n"},
        }
    )
    assert declared.apply() == "created"
    assert declared.apply() == "unchanged"
    machine = boot(declared)
    assert declared.apply() == "unchanged"
    machine.typed(f"{MOUNT}; cat /cd/user-data; echo end-$((1 + 1))", rb"password: oyster-42\r?\n[^$]*end-2")
    machine.typed("grep -c local-hostname.*inside.test /cd/meta-data; echo end-$((2 + 1))", rb"\n1\r?\n[^$]*end-3")
    machine.typed(
        "cat /cd/meta-data /cd/network-config; echo end-$((2 + 2))", rb"FakeFake me@here[^$]*version: 2[^$]*end-4"
    )
    domain = qemu.domains.by_name("reader")
    assert f"<source file='{seed.paths_of(domain).pop()}'" in domain.xml()
    for text in (domain.xml(secure=True), domain.xml(secure=True, inactive=True)):
        assert "oyster" not in text
    assert b"oyster" not in declared.virtctl("get", "vm", "-o", "yaml").stdout
    assert b"ua-kubevmm-seed" not in declared.virtctl("get", "vm", "-o", "yaml").stdout
    assert b"ua-kubevmm-seed" not in declared.virtctl("export", "reader").stdout
    uuid = domain.uuid
    assert seeds(qemu) == [f"{uuid}.a.iso"]
    machine.let_go()
    declared.virtctl("delete", "vm", "reader", "--force")
    assert seeds(qemu) == []


def test_new_user_data_comes_into_the_drive_at_once_where_the_guest_lets_go(
    qemu: Hypervisor, declare: Callable[..., Declared], boot: Callable[[Declared], Machine]
) -> None:
    declared = declare("changed", {"userData": "#cloud-config\nfirst: 1\n"})
    declared.apply()
    machine = boot(declared)
    declared.object["spec"]["cloudInit"]["userData"] = "#cloud-config\nsecond: 2\n"
    assert declared.virtctl("diff", "-f", declared.file, code=1).stdout
    assert declared.apply() == "configured"
    assert declared.apply() == "unchanged"
    machine.typed(f"{MOUNT}; cat /cd/user-data; echo end-$((1 + 1))", rb"second: 2\r?\n[^$]*end-2")
    uuid = machine.domain.uuid
    assert seeds(qemu) == [f"{uuid}.b.iso"]
    # Mounted, so that the tray is locked: the next one waits for the guest's next start.
    declared.object["spec"]["cloudInit"]["userData"] = "#cloud-config\nthird: 3\n"
    done = declared.virtctl("apply", "-f", declared.file)
    assert b"configured" in done.stdout
    assert b"takes effect at the next start: devices.disks" in done.stderr
    assert declared.apply() == "unchanged"
    machine.typed("cat /cd/user-data; echo end-$((2 + 1))", rb"second: 2\r?\n[^$]*end-3")
    # Changed once more before that start: what the guest reads stays as it is.
    declared.object["spec"]["cloudInit"]["userData"] = "#cloud-config\nfourth: 4\n"
    assert declared.apply() == "configured"
    machine.typed("cat /cd/user-data; echo end-$((2 + 2))", rb"second: 2\r?\n[^$]*end-4")
    machine.let_go()
    machine.domain.destroy()
    machine.boot()
    machine.typed(f"{MOUNT}; cat /cd/user-data; echo end-$((1 + 4))", rb"fourth: 4\r?\n[^$]*end-5")
    # It notes that nothing waits any more.
    assert declared.apply() == "configured"
    assert declared.apply() == "unchanged"
    assert seeds(qemu) == [f"{uuid}.a.iso"]


def test_a_guest_that_is_told_nothing_more_loses_drive_and_seed(
    qemu: Hypervisor, declare: Callable[..., Declared]
) -> None:
    declared = declare("told", {"userData": "#cloud-config\n{}\n"})
    declared.apply()
    assert len(seeds(qemu)) == 1
    del declared.object["spec"]["cloudInit"]
    assert declared.apply() == "configured"
    assert "ua-kubevmm-seed" not in qemu.domains.by_name("told").xml()
    assert seeds(qemu) == []
    assert declared.apply() == "unchanged"


def test_a_dry_run_writes_nothing(qemu: Hypervisor, declare: Callable[..., Declared]) -> None:
    declared = declare("tried", {"userData": "#cloud-config\n{}\n"})
    before = [pool.name for pool in qemu.pools.all()]
    assert b"created (server dry run)" in declared.virtctl("apply", "-f", declared.file, "--dry-run=server").stdout
    assert [pool.name for pool in qemu.pools.all()] == before
    assert not [domain for domain in qemu.domains.all() if domain.name == "tried"]


def test_a_seed_that_was_deleted_or_left_half_written_is_made_again(
    qemu: Hypervisor, declare: Callable[..., Declared]
) -> None:
    declared = declare("healed", {"userData": "#cloud-config\n{}\n"})
    declared.apply()
    pool = qemu.pools.by_name(seed.POOL)
    (volume,) = pool.volumes()
    volume.delete()
    assert declared.apply() == "configured"
    (volume,) = pool.volumes()
    assert volume.path() in seed.paths_of(qemu.domains.by_name("healed"))
    other = next(name for name in seed.names(qemu.domains.by_name("healed").uuid) if name != volume.name)
    pool.create_volume(f"<volume><name>{other}</name><capacity>512</capacity></volume>")
    declared.object["spec"]["cloudInit"]["userData"] = "#cloud-config\na: 1\n"
    assert declared.apply() == "configured"
    assert [each.name for each in pool.volumes()] == [other]
    assert declared.apply() == "unchanged"


def test_a_seed_lies_in_the_pool_that_is_named_also_when_it_moves(
    qemu: Hypervisor, declare: Callable[..., Declared], tmp_path: Path
) -> None:
    given: dict[str, Any] = {"userData": "#cloud-config\n{}\n"}
    declared = declare("moved", given)
    declared.apply()
    (before,) = seed.paths_of(qemu.domains.by_name("moved"))
    folder = tmp_path / "seeds"
    declared.others.append(
        {
            "apiVersion": "kubevmm.io/v1alpha1",
            "kind": "VirtualMachineStoragePool",
            "metadata": {"name": "mine"},
            "spec": {"pool": {"type": "dir", "name": "mine", "target": {"path": str(folder)}}},
        }
    )
    given["poolRef"] = {"name": "mine"}
    done = declared.virtctl("apply", "-f", declared.file).stdout.decode()
    assert "virtualmachine/moved configured" in done
    (after,) = seed.paths_of(qemu.domains.by_name("moved"))
    assert after.startswith(f"{folder}/")
    assert "unchanged" in declared.virtctl("apply", "-f", declared.file).stdout.decode().splitlines()[-1]
    assert before.rpartition("/")[2] not in seeds(qemu)
    declared.virtctl("delete", "vm", "moved")
    assert list(folder.iterdir()) == []
    pool = qemu.pools.by_name("mine")
    pool.destroy()
    pool.undefine()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"poolRef": {"name": "gone"}}, "spec.cloudInit: there is no pool gone"),
        ({"secretRef": {"name": "gone"}}, "there is no Secret gone"),
        ({"hostname": "../../etc"}, "spec.cloudInit.hostname: no host name"),
    ],
)
def test_what_cannot_be_told_is_one_line_and_makes_nothing(
    qemu: Hypervisor, declare: Callable[..., Declared], given: dict[str, Any], said: str
) -> None:
    declared = declare("refused", given)
    done = declared.virtctl("apply", "-f", declared.file, code=1)
    assert said in done.stderr.decode().splitlines()[0]
    assert [domain for domain in qemu.domains.all() if domain.name == "refused"] == []
