"""Networks, filters, secrets and host interfaces: defined, started, changed, forgotten."""

from __future__ import annotations

import pytest

from executor.hypervisor.errors import Conflict, NotFound, Unsupported
from executor.hypervisor.handle import Affect
from executor.hypervisor.hypervisor import Hypervisor

pytestmark = pytest.mark.libvirt


def test_a_network_lives_from_its_definition_to_its_end(pretence: Hypervisor) -> None:
    network = pretence.networks.define("<network><name>lab</name><bridge name='virbr9'/></network>")
    assert (network.active, network.persistent, network.autostart) == (False, True, False)
    network.set_autostart(True)
    network.start()
    assert (network.active, network.autostart, network.bridge()) == (True, True, "virbr9")
    assert pretence.networks.by_uuid(network.uuid).name == "lab"
    network.destroy()
    network.undefine()
    with pytest.raises(NotFound):
        pretence.networks.by_name("lab")


def test_a_network_is_changed_in_one_place(pretence: Hypervisor) -> None:
    network = pretence.networks.by_name("inner")
    network.update(
        "add",
        "DNS_HOST",
        "<host ip='192.0.2.9'><hostname>db</hostname></host>",
        Affect.BOTH,
    )
    assert "<hostname>db</hostname>" in network.xml(inactive=True)


def test_two_networks_of_one_name_are_a_conflict(qemu: Hypervisor) -> None:
    document = "<network><name>twice</name><bridge name='virbr8'/></network>"
    network = qemu.networks.define(document)
    try:
        with pytest.raises(Conflict):
            qemu.networks.define(document.replace("<name>", "<uuid>99999999-9999-4999-8999-999999999999</uuid><name>"))
    finally:
        network.undefine()


def test_a_secret_keeps_its_value_to_itself(qemu: Hypervisor) -> None:
    secret = qemu.secrets.define("<secret ephemeral='no' private='yes'><description>disk</description></secret>")
    try:
        secret.set_value(b"hunter2")
        assert "hunter2" not in qemu.secrets.find(secret.identity).xml()
    finally:
        secret.undefine()


def test_the_hosts_devices_are_listed() -> None:
    with Hypervisor("test:///default") as hypervisor:
        [device, *_] = hypervisor.node_devices.all()
        assert f"<name>{device.name}</name>" in device.xml()
        assert hypervisor.node_devices.find(device.name).identity == device.name


def test_a_kind_that_a_driver_does_not_know_is_unsupported(pretence: Hypervisor) -> None:
    with pytest.raises(Unsupported):
        pretence.secrets.all()
