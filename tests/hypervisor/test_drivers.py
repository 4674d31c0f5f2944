"""Each driver's table says what libvirt does: exactly what it leaves out is refused as unknown."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import libvirt
import pytest

from executor.hypervisor.drivers import DRIVERS, Operation, driver_of
from executor.hypervisor.errors import LibvirtError
from executor.hypervisor.guest import LEASE, Guest
from executor.hypervisor.handle import Affect
from executor.hypervisor.snapshots import Snapshots
from executor.hypervisor.streams import screenshot, stream_of
from executor.hypervisor.tuning import Tuning

if TYPE_CHECKING:
    from collections.abc import Callable

    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor

pytestmark = pytest.mark.libvirt

CONFIG = Affect.CONFIG
NOTHING = "<nothing/>"

# Calls that do as little as may be; most are refused for the state that the guest is in, or for what they ask.
ASK: dict[Operation, Callable[[Hypervisor, Domain], object]] = {
    Operation.SHUTDOWN: lambda _h, d: d.shutdown(),
    Operation.REBOOT: lambda _h, d: d.reboot(),
    Operation.RESET: lambda _h, d: d.reset(),
    Operation.SUSPEND: lambda _h, d: d.suspend(),
    Operation.MANAGED_SAVE: lambda _h, d: d.managed_save(),
    Operation.AUTOSTART: lambda _h, d: d.set_autostart(False),
    Operation.METADATA: lambda _h, d: d.metadata("urn:x"),
    Operation.RENAME: lambda _h, d: d.rename(d.name + "-2"),
    Operation.EVENTS: lambda h, _d: h.connection.read("domainEventRegisterAny", None, 0, lambda *_: None, None),
    Operation.BULK_STATS: lambda h, _d: h.connection.read("getAllDomainStats", 0, 0),
    Operation.DEVICES: lambda _h, d: d.attach_device(NOTHING, CONFIG),
    Operation.UPDATE_DEVICE: lambda _h, d: d.update_device(NOTHING, CONFIG),
    Operation.DETACH_ALIAS: lambda _h, d: d.detach_alias("none", CONFIG),
    Operation.VCPUS: lambda _h, d: Tuning(d).set_vcpus(1, CONFIG),
    Operation.MEMORY: lambda _h, d: Tuning(d).set_memory(64 << 20, CONFIG),
    Operation.PIN_VCPU: lambda _h, d: Tuning(d).pin_vcpu(0, [True], CONFIG),
    Operation.PIN_EMULATOR: lambda _h, d: Tuning(d).pin_emulator([True], CONFIG),
    Operation.IOTHREADS: lambda _h, d: Tuning(d).add_iothread(1, CONFIG),
    Operation.SCHEDULER: lambda _h, d: Tuning(d).parameters("scheduler", CONFIG),
    Operation.BLKIO: lambda _h, d: Tuning(d).parameters("blkio", CONFIG),
    Operation.MEMORY_LIMITS: lambda _h, d: Tuning(d).parameters("memory", CONFIG),
    Operation.NUMA: lambda _h, d: Tuning(d).parameters("numa", CONFIG),
    Operation.BLOCK_IOTUNE: lambda _h, d: Tuning(d).block_iotune("vda", CONFIG),
    Operation.INTERFACE_BANDWIDTH: lambda _h, d: Tuning(d).interface_bandwidth("none", CONFIG),
    Operation.BLOCK_RESIZE: lambda _h, d: d.block_resize("vda", 1 << 20),
    Operation.BLOCK_JOBS: lambda _h, d: d.read("blockJobInfo", "vda", 0),
    Operation.SNAPSHOTS: lambda _h, d: Snapshots(d).all(),
    Operation.CHECKPOINTS: lambda _h, d: d.read("listAllCheckpoints", 0),
    Operation.CONSOLE: lambda h, d: d.read("openConsole", None, stream_of(h.connection), 0),
    Operation.SCREENSHOT: lambda _h, d: screenshot(d, io.BytesIO()),
    Operation.GRAPHICS: lambda _h, d: d.read("openGraphicsFD", 0, 0),
    Operation.SEND_KEY: lambda _h, d: Guest(d).send_keys([28]),
    Operation.INTERFACE_ADDRESSES: lambda _h, d: Guest(d).addresses(LEASE),
    Operation.GUEST_AGENT: lambda _h, d: Guest(d).info(),
    Operation.DOMAIN_CAPABILITIES: lambda h, _d: h.host.domain_capabilities(),
}


def test_every_operation_is_asked_for() -> None:
    assert set(ASK) == set(Operation)


@pytest.mark.parametrize("operation", list(Operation), ids=str)
def test_the_table_says_what_libvirt_does(
    either: tuple[Hypervisor, Callable[[str], str]], operation: Operation
) -> None:
    hypervisor, document = either
    domain = hypervisor.domains.define(document("asked"))
    try:
        ASK[operation](hypervisor, domain)
        known = True
    except LibvirtError as error:
        known = error.code != libvirt.VIR_ERR_NO_SUPPORT
    finally:
        domain.undefine(nvram="delete")
    assert hypervisor.supports(operation) is known


def test_every_driver_is_found_by_libvirts_name_for_it() -> None:
    assert [driver_of(driver.connection_type) for driver in DRIVERS] == list(DRIVERS)
    assert driver_of("Xen").name == "xen"


def test_a_driver_without_a_table_is_asked_everything() -> None:
    driver = driver_of("VBOX")
    assert driver.name == "vbox"
    assert all(driver.supports(operation, 9_000_000) for operation in Operation)


def test_an_operation_is_there_from_its_version_on() -> None:
    ch = driver_of("CH")
    assert not ch.supports(Operation.MANAGED_SAVE, 10_001_000)
    assert ch.supports(Operation.MANAGED_SAVE, 10_002_000)


@pytest.mark.parametrize("nvram", ["keep", "delete"])
def test_undefine_asks_each_driver_only_for_what_it_knows(
    either: tuple[Hypervisor, Callable[[str], str]], nvram: str
) -> None:
    hypervisor, document = either
    domain = hypervisor.domains.define(document("forgotten"))
    domain.undefine(nvram="keep" if nvram == "keep" else "delete", tpm="delete")
    assert "forgotten" not in [each.name for each in hypervisor.domains.all()]
