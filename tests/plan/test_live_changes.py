"""A change of one field of a running guest needs exactly the actions of that field."""

from __future__ import annotations

import pytest

from executor.plan import actions, actual, domain
from tests.plan.guest import DEFINITION, RUNNING, changed, mark_of, ours, plan, spec

DISK = """<disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='/images/data.raw'/>
      <target dev='vdb' bus='virtio'/>
    </disk>
    <controller type='usb'"""
NIC = """<interface type='network'>
      <mac address='52:54:00:00:00:03'/>
      <source network='default'/>
    </interface>
    <serial"""
FIRST_NIC = DEFINITION[
    DEFINITION.index("    <interface type='network'>") : DEFINITION.index("    <interface type='bridge'>")
]
RNG = DEFINITION[DEFINITION.index("    <rng ") : DEFINITION.index("  </devices>")]
CHANNEL = DEFINITION[DEFINITION.index("    <channel ") : DEFINITION.index("    <input type='tablet'")]
LIVE = "change the definition of domain web-1: "
NOTE = "note what is applied"
WAITS = "takes effect at the next start: "

CASES = {
    "title": ([("<title>Web", "<title>Shop")], [LIVE + "title", "set the title: Shop"]),
    "no title": ([("  <title>Web</title>\n", "")], [LIVE + "title", "remove the title"]),
    "foreign metadata": (
        [("<nova:name>web<", "<nova:name>shop<")],
        [
            LIVE + "metadata[http://openstack.org/xmlns/libvirt/nova/1.1]",
            "set metadata http://openstack.org/xmlns/libvirt/nova/1.1",
        ],
    ),
    "memory within the maximum": (
        [("2097152</currentMemory", "3145728</currentMemory")],
        [LIVE + "currentMemory", "set memory to 3145728 KiB"],
    ),
    "maximum of memory": ([("4194304</memory", "8388608</memory")], [LIVE + "memory", WAITS + "memory"]),
    "vCPUs within the maximum": (
        [("current='2'", "current='3'")],
        [LIVE + "vcpu.current", "set the number of vCPUs to 3"],
    ),
    "fewer vCPUs": ([("current='2'", "current='1'")], [LIVE + "vcpu.current", "set the number of vCPUs to 1"]),
    "maximum of vCPUs": ([("'2'>4</vcpu", "'2'>8</vcpu")], [LIVE + "vcpu.value", WAITS + "vcpu.value"]),
    "shares": ([("<shares>1024", "<shares>2048")], [LIVE + "cputune.shares", "set CPU time: cpu_shares=2048"]),
    "two parameters of one call": (
        [("<shares>1024</shares>", "<shares>2048</shares>\n    <quota>5000</quota>")],
        [LIVE + "cputune.shares, cputune.quota", "set CPU time: cpu_shares=2048, vcpu_quota=5000"],
    ),
    "pinning": ([("cpuset='0-1'", "cpuset='2'")], [LIVE + "cputune.vcpupins[0].cpuset", "pin vCPU 0 to CPUs 2"]),
    "no pinning": (
        [("    <vcpupin vcpu='0' cpuset='0-1'/>\n", "")],
        [LIVE + "cputune.vcpupins[0]", "pin vCPU 0 to all CPUs"],
    ),
    "pinning of the emulator": (
        [("  </cputune>", "    <emulatorpin cpuset='3'/>\n  </cputune>")],
        [LIVE + "cputune.emulatorpin.cpuset", "pin the emulator to CPUs 3"],
    ),
    "memory limit": (
        [("  <cputune>", "  <memtune>\n    <hard_limit unit='GiB'>6</hard_limit>\n  </memtune>\n  <cputune>")],
        [LIVE + "memtune.hardLimit", "set memory limits: hard_limit=6291456"],
    ),
    "another I/O thread": (
        [("<iothreads>1", "<iothreads>2"), ("    <iothread id='1'/>\n", "    <iothread id='1'/><iothread id='2'/>\n")],
        [LIVE + "iothreads, iothreadids.iothreads[2]", "add I/O thread 2"],
    ),
    "what happens on reboot": (
        [("<on_reboot>restart", "<on_reboot>destroy")],
        [LIVE + "onReboot", "on reboot: destroy"],
    ),
    "machine": (
        [("machine='pc-q35-7.2'", "machine='pc-q35-6.0'")],
        [LIVE + "os.type.machine", WAITS + "os.type.machine"],
    ),
    "CPU": ([("mode='host-model'", "mode='host-passthrough'")], [LIVE + "cpu.mode", WAITS + "cpu.mode"]),
    "order of boot devices": (
        [("<boot dev='hd'/>\n    <boot dev='network'/>", "<boot dev='network'/>\n    <boot dev='hd'/>")],
        [LIVE + "os.bootDevices", WAITS + "os.bootDevices"],
    ),
    "a feature more": ([("<apic/>", "<apic/>\n    <pae/>")], [LIVE + "features.pae", WAITS + "features.pae"]),
    "a feature less": ([("    <apic/>\n", "")], [LIVE + "features.apic", WAITS + "features.apic"]),
    "a disk more": ([("<controller type='usb'", DISK)], [LIVE + "devices.disks[vdb]", "attach devices.disks[vdb]"]),
    "a disk where nothing is pluggable": (
        [("<controller type='usb'", DISK.replace("vdb", "sdb").replace("virtio", "sata"))],
        [LIVE + "devices.disks[sdb]", WAITS + "devices.disks[sdb]"],
    ),
    "media": (
        [("/images/one.iso", "/images/two.iso")],
        [LIVE + "devices.disks[sda].source.file", "update devices.disks[sda]: source.file"],
    ),
    "no media": (
        [("      <source file='/images/one.iso'/>\n", "")],
        [LIVE + "devices.disks[sda].source.file", "update devices.disks[sda]: source.file"],
    ),
    "image of a disk": (
        [("/images/web-1.qcow2", "/images/web-2.qcow2")],
        [LIVE + "devices.disks[vda].source.file", WAITS + "devices.disks[vda].source.file"],
    ),
    "I/O limits of a disk": (
        [("<total_iops_sec>500", "<total_iops_sec>900")],
        [LIVE + "devices.disks[vda].iotune.totalIopsSec", "set I/O limits of vda: total_iops_sec=900"],
    ),
    "no I/O limits of a disk": (
        [("      <iotune>\n        <total_iops_sec>500</total_iops_sec>\n      </iotune>\n", "")],
        [LIVE + "devices.disks[vda].iotune.totalIopsSec", "set I/O limits of vda: total_iops_sec=0"],
    ),
    "an interface more": (
        [("<serial", NIC)],
        [
            LIVE + "devices.interfaces[52:54:00:00:00:03]",
            "attach devices.interfaces[52:54:00:00:00:03]",
        ],
    ),
    "an interface less": (
        [(FIRST_NIC, "")],
        [
            LIVE + "devices.interfaces[52:54:00:00:00:01]",
            "detach devices.interfaces[52:54:00:00:00:01]",
        ],
    ),
    "another MAC address": (
        [("52:54:00:00:00:01", "52:54:00:00:00:09")],
        [
            LIVE + "devices.interfaces[52:54:00:00:00:01], devices.interfaces[52:54:00:00:00:09]",
            "detach devices.interfaces[52:54:00:00:00:01]",
            "attach devices.interfaces[52:54:00:00:00:09]",
        ],
    ),
    "network of an interface": (
        [("network='default'", "network='blue'")],
        [
            LIVE + "devices.interfaces[52:54:00:00:00:01].source.network",
            "update devices.interfaces[52:54:00:00:00:01]: source.network",
        ],
    ),
    "link of an interface": (
        [("<source bridge='br0'/>", "<source bridge='br0'/>\n      <link state='down'/>")],
        [
            LIVE + "devices.interfaces[52:54:00:00:00:02].link.state",
            "update devices.interfaces[52:54:00:00:00:02]: link.state",
        ],
    ),
    "model of an interface": (
        [("<model type='virtio'/>", "<model type='e1000e'/>")],
        [
            LIVE + "devices.interfaces[52:54:00:00:00:01].model.type",
            WAITS + "devices.interfaces[52:54:00:00:00:01].model.type",
        ],
    ),
    "bandwidth": (
        [("average='1000'", "average='500'")],
        [
            LIVE + "devices.interfaces[52:54:00:00:00:02].bandwidth.inbound.average",
            "set bandwidth of 52:54:00:00:00:02: inbound.average=500, inbound.peak=2000, outbound.average=0",
        ],
    ),
    "password": (
        [("old-secret", "new-secret")],
        [LIVE + "devices.graphics[vnc].passwd", "update devices.graphics[vnc]: passwd"],
    ),
    "a channel less": (
        [(CHANNEL, "")],
        [LIVE + "devices.channels[org.qemu.guest_agent.0]", "detach devices.channels[org.qemu.guest_agent.0]"],
    ),
    "a random number generator less": ([(RNG, "")], [LIVE + "devices.rngs[#0]", "detach devices.rngs[#0]"]),
    "a tablet less": (
        [
            (
                "    <input type='tablet' bus='usb'>\n      <address type='usb' bus='0' port='1'/>\n    </input>\n",
                "",
            )
        ],
        [LIVE + "devices.inputs[tablet/usb]", "detach devices.inputs[tablet/usb]"],
    ),
    "a mouse that has no plug": (
        [("    <input type='mouse' bus='ps2'/>\n", "")],
        [LIVE + "devices.inputs[mouse/ps2]", WAITS + "devices.inputs[mouse/ps2]"],
    ),
    "statistics of the balloon": (
        [("<memballoon model='virtio'>", "<memballoon model='virtio'>\n      <stats period='10'/>")],
        [LIVE + "devices.memballoon.stats.period", "collect memory statistics every 10 s"],
    ),
    "name": ([("<name>web-1", "<name>web-2")], [WAITS + "name"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_change_needs_these_actions_and_no_others(case: str) -> None:
    edits, expected = CASES[case]
    wanted, there, last = changed(*edits)
    at = next((n for n, line in enumerate(expected) if line.startswith(WAITS)), len(expected))
    # What was applied is noted without its passwords.
    note = [] if case == "password" else [NOTE]
    assert plan(wanted, there, last) == [*expected[:at], *note, *expected[at:]]


@pytest.mark.parametrize("case", CASES)
def test_a_guest_that_does_not_run_only_gets_another_definition(case: str) -> None:
    edits, _ = CASES[case]
    wanted, there, last = changed(*edits, running=False)
    made = domain.plan(wanted, there, last, mark=mark_of(wanted))
    kinds = [type(action) for action in made]
    assert kinds in ([actions.Define], [actions.Rename, actions.SetMark])


@pytest.mark.parametrize("case", sorted(set(CASES) - {"name"}))
def test_all_waits_for_the_next_start_where_nothing_may_change_live(case: str) -> None:
    edits, _ = CASES[case]
    wanted, there, last = changed(*edits)
    kinds = [type(action) for action in domain.plan(wanted, there, last, mark=mark_of(wanted), live_updates=False)]
    assert kinds == [actions.Define, actions.SetMark, actions.RestartRequired]


def test_nothing_is_done_where_nothing_is_to_be_done() -> None:
    wanted, there, last = changed()
    assert plan(wanted, there, last) == []
    assert domain.diff(wanted, there, last) == []


def test_a_guest_is_adopted_by_a_mark_alone() -> None:
    there = actual.read(DEFINITION, RUNNING)
    assert plan(spec(), there, None) == [NOTE]
    assert plan(spec(), actual.read(DEFINITION), None) == [NOTE]


def test_passwords_show_nowhere() -> None:
    wanted, there, last = changed(("old-secret", "new-secret"))
    made = domain.plan(wanted, there, last, mark=mark_of(wanted))
    shown = " ".join(action.describe() + repr(action) for action in made)
    assert "secret" not in shown
    (seen,) = domain.diff(wanted, there, last)[:1]
    assert (seen.path, seen.actual, seen.desired) == ("devices.graphics[vnc].passwd", "(secret)", "(secret)")
    without = ours(DEFINITION.replace("type='vnc'", "type='spice'"), last)
    added = domain.diff(wanted, without, last)
    assert "(secret)" in repr(added)
    assert "new-secret" not in repr(added)
    assert "new-secret" not in mark_of(wanted).element()


def test_what_is_plugged_in_comes_with_the_address_of_its_definition() -> None:
    wanted = spec(DEFINITION.replace("<serial", NIC, 1))
    defined = DEFINITION.replace(
        "<serial",
        NIC.replace(
            "</interface>",
            "  <address type='pci' domain='0x0000' bus='0x00' slot='0x08' function='0x0'/>\n    </interface>",
        ),
        1,
    )
    there = ours(defined, spec(), RUNNING)
    made = domain.plan(wanted, there, spec(), mark=mark_of(wanted), defined=True)
    assert [type(action) for action in made] == [actions.AttachDevice, actions.SetMark]
    assert "slot='0x08'" in made[0].xml  # type: ignore[attr-defined]


def test_what_is_unplugged_is_named_as_it_runs() -> None:
    wanted, there, last = changed((CHANNEL, ""))
    made = next(a for a in domain.plan(wanted, there, last) if isinstance(a, actions.DetachDevice))
    assert "/run/libvirt/qemu/channel/7/ga" in made.xml


def test_what_frees_a_place_comes_before_what_takes_it() -> None:
    wanted, there, last = changed((FIRST_NIC, ""), ("<serial", NIC), ("<controller type='usb'", DISK))
    kinds = [type(action) for action in domain.plan(wanted, there, last)]
    assert kinds == [actions.Define, actions.DetachDevice, actions.AttachDevice, actions.AttachDevice]


SINGLE = """<vcpus>
    <vcpu id='0' enabled='yes' hotpluggable='no'/><vcpu id='1' enabled='yes' hotpluggable='yes'/>
    <vcpu id='2' enabled='no' hotpluggable='yes'/><vcpu id='3' enabled='no' hotpluggable='yes'/>
  </vcpus>
  <iothreads>"""
VCPUS = {
    "more of them": ("current='2'", "current='3'", ["set the number of vCPUs to 3"]),
    "fewer of them": ("current='2'", "current='1'", [WAITS + "vcpu.current"]),
    "one by its number": ("'2' enabled='no'", "'2' enabled='yes'", ["switch vCPU 2 on"]),
    "not one by its number": ("'1' enabled='yes'", "'1' enabled='no'", [WAITS + "vcpus.vcpus[1].enabled"]),
}


@pytest.mark.parametrize("case", VCPUS)
def test_software_emulation_is_asked_for_no_vcpu_back(case: str) -> None:
    old, new, expected = VCPUS[case]
    before = DEFINITION.replace("type='kvm'", "type='qemu'").replace("<iothreads>", SINGLE, 1)
    assert old in before
    wanted = spec(before.replace(old, new))
    running = before.replace("type='qemu'", "type='qemu' id='7'")
    assert [
        line for line in plan(wanted, ours(before, spec(before), running), spec(before)) if line in expected
    ] == expected
