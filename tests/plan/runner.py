"""Carries plans out against a real libvirt, as plainly as can be; what the executor does with more care."""

from __future__ import annotations

from typing import Any

import libvirt

from executor.plan import actions, actual, domain
from executor.plan import mark as marks

SECURE = libvirt.VIR_DOMAIN_XML_SECURE
LIVE, CONFIG = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG
EVENTS = {"poweroff": 0, "reboot": 1, "crash": 2}
ENDS = {"destroy": 0, "restart": 1, "rename-restart": 2, "preserve": 3}


def read(guest: Any) -> actual.Actual:
    """Return *guest*, a libvirt domain, as the planner reads it."""
    live = guest.XMLDesc(SECURE) if guest.isActive() else None
    inactive = guest.XMLDesc(SECURE | (libvirt.VIR_DOMAIN_XML_INACTIVE if guest.isPersistent() else 0))
    return actual.read(inactive, live, persistent=bool(guest.isPersistent()))


def run(connection: Any, guest: Any, steps: list[actions.Action]) -> Any:
    """Carry out *steps* and return the domain."""
    for step in steps:
        guest = _one(connection, guest, step)
    return guest


def apply(connection: Any, guest: Any, wanted: dict[str, Any], mark: marks.Mark) -> tuple[Any, list[actions.Action]]:
    """Make *guest* what is *wanted*; return the domain and what was done, notes left out."""
    there = read(guest) if guest is not None else None
    before = there.mark if there is not None else None
    last = before.last("spec", "domain") if before is not None else None
    done = domain.plan(wanted, there, last, mark=mark)
    at = next((n + 1 for n, step in enumerate(done) if isinstance(step, actions.Define)), 0)
    if at:
        guest = run(connection, guest, done[:at])
        done = done[:at] + domain.plan(wanted, read(guest), last, mark=mark, defined=True)
    guest = run(connection, guest, [step for step in done[at:] if not isinstance(step, actions.SetMark)])
    if any(step.changes for step in done):
        guest = run(connection, guest, domain.settle(wanted, read(guest), last, mark, done))
    return guest, [step for step in done if not isinstance(step, actions.SetMark | actions.RestartRequired)]


def _one(connection: Any, guest: Any, step: actions.Action) -> Any:
    match step:
        case actions.RestartRequired():
            pass
        case actions.Define(xml=xml):
            return connection.defineXML(xml)
        case actions.Rename(new=new):
            guest.rename(new)
        case actions.AttachDevice(xml=xml):
            guest.attachDeviceFlags(xml, LIVE)
        case actions.DetachDevice(xml=xml):
            guest.detachDeviceFlags(xml, LIVE)
        case actions.UpdateDevice(xml=xml):
            guest.updateDeviceFlags(xml, LIVE)
        case actions.SetVcpus(count=count):
            guest.setVcpusFlags(count, LIVE)
        case actions.SetVcpu(vcpu=vcpu, enabled=enabled):
            guest.setVcpu(str(vcpu), int(enabled), LIVE)
        case actions.SetMemory(kib=kib):
            guest.setMemoryFlags(kib, LIVE)
        case actions.SetMemoryStatsPeriod(seconds=seconds):
            guest.setMemoryStatsPeriod(seconds, LIVE)
        case actions.SetSchedulerParameters(parameters=parameters):
            guest.setSchedulerParametersFlags(dict(parameters), LIVE)
        case actions.SetMemoryParameters(parameters=parameters):
            guest.setMemoryParameters(dict(parameters), LIVE)
        case actions.SetBlkioParameters(parameters=parameters):
            guest.setBlkioParameters(dict(parameters), LIVE)
        case actions.SetNumaParameters(parameters=parameters):
            guest.setNumaParameters(dict(parameters), LIVE)
        case actions.SetPerfEvents(parameters=parameters):
            guest.setPerfEvents(dict(parameters), LIVE)
        case actions.SetBlockIoTune(disk=disk, parameters=parameters):
            guest.setBlockIoTune(disk, dict(parameters), LIVE)
        case actions.SetInterfaceParameters(mac=mac, parameters=parameters):
            guest.setInterfaceParameters(mac, dict(parameters), LIVE)
        case actions.PinVcpu(vcpu=vcpu, cpuset=cpuset):
            guest.pinVcpuFlags(vcpu, _cpus(connection, cpuset), LIVE)
        case actions.PinEmulator(cpuset=cpuset):
            guest.pinEmulator(_cpus(connection, cpuset), LIVE)
        case actions.PinIOThread(iothread=iothread, cpuset=cpuset):
            guest.pinIOThread(iothread, _cpus(connection, cpuset), LIVE)
        case actions.AddIOThread(iothread=iothread):
            guest.addIOThread(iothread, LIVE)
        case actions.DelIOThread(iothread=iothread):
            guest.delIOThread(iothread, LIVE)
        case actions.SetIOThreadParameters(iothread=iothread, parameters=parameters):
            guest.setIOThreadParams(iothread, dict(parameters), LIVE)
        case actions.SetLifecycleAction(event=event, action=action):
            guest.setLifecycleAction(EVENTS[event], ENDS[action], LIVE)
        case actions.SetTitle(text=text):
            guest.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, text, None, None, LIVE)
        case actions.SetDescription(text=text):
            guest.setMetadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, text, None, None, LIVE)
        case actions.SetMetadata(uri=uri, key=key, xml=xml, in_live=in_live, in_config=in_config):
            flags = (LIVE if in_live else 0) | (CONFIG if in_config else 0)
            guest.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, xml, key, uri, flags)
        case _:
            raise AssertionError(step)
    return guest


def _cpus(connection: Any, cpuset: str | None) -> tuple[bool, ...]:
    count = connection.getInfo()[2]
    wanted = None if cpuset is None else {int(number) for number in cpuset.split(",")}
    return tuple(wanted is None or cpu in wanted for cpu in range(count))
