"""Networks and pools become what their specs say; what guests use is never taken down for it."""

from __future__ import annotations

import copy
from typing import Any

import libvirt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.plan import actions, actual, definition
from executor.plan.definition import Lifecycle
from schemas.errors import KubevmmError

NETWORK = """\
<network>
  <name>lab</name>
  <uuid>8a4b0a3e-9b4f-4d0c-9a53-5c1b54b1f0a1</uuid>
  <forward mode='nat'/>
  <bridge name='virbr7' stp='on' delay='0'/>
  <mac address='52:54:00:12:34:56'/>
  <dns>
    <host ip='192.0.2.9'>
      <hostname>old</hostname>
    </host>
  </dns>
  <ip address='192.0.2.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.0.2.100' end='192.0.2.200'/>
      <host mac='52:54:00:00:00:01' name='web' ip='192.0.2.10'/>
    </dhcp>
  </ip>
  <ip family='ipv6' address='2001:db8::1' prefix='64'/>
  <portgroup name='slow'>
    <bandwidth>
      <inbound average='1000'/>
    </bandwidth>
  </portgroup>
</network>
"""
POOL = """\
<pool type='dir'>
  <name>images</name>
  <uuid>35bb2ad9-388a-cdfe-461a-b8907f6e53fe</uuid>
  <capacity unit='bytes'>107374182400</capacity>
  <allocation unit='bytes'>1</allocation>
  <available unit='bytes'>107374182399</available>
  <source>
  </source>
  <target>
    <path>/images</path>
  </target>
</pool>
"""
CHANGE = "change the definition of network lab: "
HOST = "ips[192.0.2.1].dhcp.hosts"

# What is edited in the XML, and what is done to the network while it runs.
LIVE: dict[str, tuple[list[tuple[str, str]], list[str]]] = {
    "a host more": (
        [("</dhcp>", "<host mac='52:54:00:00:00:02' ip='192.0.2.11'/></dhcp>")],
        [f"add {HOST}[52:54:00:00:00:02] in the running network"],
    ),
    "a host less": (
        [("      <host mac='52:54:00:00:00:01' name='web' ip='192.0.2.10'/>\n", "")],
        [f"delete {HOST}[52:54:00:00:00:01] in the running network"],
    ),
    "another address of a host": (
        [("ip='192.0.2.10'", "ip='192.0.2.12'")],
        [f"modify {HOST}[52:54:00:00:00:01] in the running network"],
    ),
    "another range": (
        [("start='192.0.2.100'", "start='192.0.2.150'")],
        [
            "delete ips[192.0.2.1].dhcp.ranges[192.0.2.100/192.0.2.200] in the running network",
            "add ips[192.0.2.1].dhcp.ranges[192.0.2.150/192.0.2.200] in the running network",
        ],
    ),
    "names": (
        [("<hostname>old<", "<hostname>new<")],
        ["delete dns.hosts[192.0.2.9] in the running network", "add dns.hosts[192.0.2.9] in the running network"],
    ),
    "a port group": (
        [("average='1000'", "average='500'")],
        ["modify portgroups[slow] in the running network"],
    ),
    "the bridge": ([("delay='0'", "delay='2'")], ["takes effect at the next start: bridge.delay"]),
    "the mode": ([("mode='nat'", "mode='route'")], ["takes effect at the next start: forward.mode"]),
}


def _spec(xml: str) -> dict[str, Any]:
    return copy.deepcopy(actual.document(xml)[0])


def _plan(kind: definition.Kind, *args: Any, **options: Any) -> list[str]:
    return [step.describe() for step in definition.plan(kind, *args, **options)]


@pytest.mark.parametrize("case", LIVE)
def test_a_running_network_changes_where_libvirt_can(case: str) -> None:
    edits, expected = LIVE[case]
    xml = NETWORK
    for old, new in edits:
        assert old in xml
        xml = xml.replace(old, new, 1)
    lines = _plan("network", _spec(xml), actual.read(NETWORK, NETWORK), _spec(NETWORK))
    assert lines[0].startswith(CHANGE)
    assert lines[1:] == expected


def test_an_entry_is_changed_in_the_addresses_that_it_is_in() -> None:
    xml = NETWORK.replace("prefix='64'/>", "prefix='64'><dhcp><host id='0:1' ip='2001:db8::9'/></dhcp></ip>")
    (update,) = definition.plan("network", _spec(xml), actual.read(NETWORK, NETWORK), _spec(NETWORK))[1:]
    assert isinstance(update, actions.UpdateNetwork)
    assert (update.command, update.section, update.parent) == ("add", "IP_DHCP_HOST", 1)
    assert update.xml == "<host id='0:1' ip='2001:db8::9'/>\n"


LIFE: list[tuple[Any, Lifecycle, list[str]]] = [
    (None, Lifecycle(), ["define pool images", "start pool images"]),
    (None, Lifecycle(active=False), ["define pool images"]),
    (None, Lifecycle(build=True), ["define pool images", "build pool images", "start pool images"]),
    (
        None,
        Lifecycle(autostart=True),
        ["define pool images", "start pool images with the node", "start pool images"],
    ),
    (None, Lifecycle(active=None, autostart=False), ["define pool images"]),
    (actual.read(POOL), Lifecycle(), ["start pool images"]),
    (actual.read(POOL), Lifecycle(build=True), ["build pool images", "start pool images"]),
    (actual.read(POOL, POOL), Lifecycle(), []),
    (actual.read(POOL, POOL), Lifecycle(active=False), ["stop pool images"]),
    (actual.read(POOL, POOL), Lifecycle(active=None), []),
    (actual.read(POOL, POOL, autostart=True), Lifecycle(autostart=True), []),
    (actual.read(POOL, POOL, autostart=True), Lifecycle(autostart=False), ["do not start pool images with the node"]),
]


@pytest.mark.parametrize(("there", "lifecycle", "expected"), LIFE)
def test_what_is_started_stopped_and_made(there: Any, lifecycle: Lifecycle, expected: list[str]) -> None:
    assert _plan("pool", _spec(POOL), there, None, lifecycle=lifecycle) == expected


def test_a_running_pool_is_not_taken_down_for_another_definition() -> None:
    wanted = _spec(POOL.replace("/images", "/elsewhere"))
    assert _plan("pool", wanted, actual.read(POOL, POOL), _spec(POOL)) == [
        "change the definition of pool images: target.path",
        "takes effect at the next start: target.path",
    ]


def test_size_and_use_of_a_pool_are_no_part_of_its_spec() -> None:
    wanted = {"type": "dir", "name": "images", "target": {"path": "/images"}}
    assert definition.diff("pool", wanted, actual.read(POOL, POOL)) == []


@pytest.mark.parametrize("key", ["name", "uuid"])
def test_another_name_or_uuid_is_another_network(key: str) -> None:
    with pytest.raises(KubevmmError, match=f"has the {key}"):
        definition.plan("network", {**_spec(NETWORK), key: "other"}, actual.read(NETWORK))


HOSTS = st.lists(
    st.builds(
        lambda number, address: {"mac": f"52:54:00:00:00:0{number}", "ip": f"192.0.2.{10 + number * 10 + address}"},
        st.integers(1, 5),
        st.integers(0, 3),
    ),
    unique_by=lambda host: host["mac"],
    max_size=4,
)
NAMES = st.lists(
    st.builds(
        lambda number, names: {"ip": f"192.0.2.{number}", "hostnames": [f"{name}{number}" for name in names]},
        st.integers(2, 5),
        st.lists(st.sampled_from("abc"), min_size=1, unique=True),
    ),
    unique_by=lambda host: str(host["ip"]),
    max_size=3,
)
NETWORKS = st.builds(
    lambda hosts, names, mode: {
        "name": "made",
        "uuid": "8a4b0a3e-9b4f-4d0c-9a53-5c1b54b1f0a2",
        "forward": {"mode": mode},
        "bridge": {"name": "virbr8"},
        "dns": {"hosts": names},
        "ips": [{"address": "192.0.2.1", "netmask": "255.255.255.0", "dhcp": {"hosts": hosts}}],
    },
    HOSTS,
    NAMES,
    st.sampled_from(["nat", "route"]),
)
COMMANDS = {
    "add": libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST,
    "delete": libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE,
    "modify": libvirt.VIR_NETWORK_UPDATE_COMMAND_MODIFY,
}


def _run(connection: Any, network: Any, steps: list[actions.Action]) -> Any:
    for step in steps:
        match step:
            case actions.Define(xml=xml):
                network = connection.networkDefineXML(xml)
            case actions.Start():
                network.create()
            case actions.UpdateNetwork(command=command, section=section, xml=xml, parent=parent):
                number = getattr(libvirt, f"VIR_NETWORK_SECTION_{section}")
                network.update(COMMANDS[command], number, parent, xml, libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE)
            case _:
                assert isinstance(step, actions.RestartRequired)
    return network


@pytest.mark.libvirt
@settings(max_examples=60, deadline=None)
@given(st.lists(NETWORKS, min_size=1, max_size=3))
def test_networks_applied_one_after_the_other_each_arrive(builtin: Any, specs: list[dict[str, Any]]) -> None:
    network, last, there = None, None, None
    defined = ""
    try:
        for spec in specs:
            steps = definition.plan("network", spec, there, last)
            network = _run(builtin, network, steps)
            last = spec
            # The driver does not show how a running network is defined.
            defined = next((step.xml for step in steps if isinstance(step, actions.Define)), defined)
            there = actual.read(defined, network.XMLDesc(0))
            assert definition.settle("network", spec, there) == ()
            left = definition.plan("network", spec, there, last)
            assert [step for step in left if step.changes] == []
            live = there.live or {}
            hosts = live["ips"][0].get("dhcp", {}).get("hosts", [])
            wanted = spec["ips"][0]["dhcp"]["hosts"]
            assert sorted(map(str, hosts)) == sorted(map(str, wanted))
            assert len(live.get("dns", {}).get("hosts", [])) == len(spec["dns"]["hosts"])
    finally:
        if network is not None:
            network.destroy()
            network.undefine()
