"""Carries out the actions of a plan, one libvirt call each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from executor.hypervisor.errors import LibvirtError
from executor.hypervisor.handle import Affect
from executor.hypervisor.networks import Network
from executor.hypervisor.pools import Pool
from executor.hypervisor.tuning import Tuning
from executor.plan import actions
from executor.plan.same import cpu_set

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.networks import Networks
    from executor.hypervisor.pools import Pools

# libvirt's numbers of VIR_DOMAIN_LIFECYCLE_* and VIR_DOMAIN_LIFECYCLE_ACTION_*.
_EVENTS: Final = {"poweroff": 0, "reboot": 1, "crash": 2}
_ENDS: Final = {
    "destroy": 0, "restart": 1, "rename-restart": 2, "preserve": 3, "coredump-destroy": 4, "coredump-restart": 5,
}  # fmt: skip

_PARAMETERS: Final[Mapping[type[actions.Action], str]] = {
    actions.SetSchedulerParameters: "scheduler",
    actions.SetMemoryParameters: "memory",
    actions.SetBlkioParameters: "blkio",
    actions.SetNumaParameters: "numa",
}


def run(hypervisor: Hypervisor, domain: Domain | None, steps: Iterable[actions.Action]) -> Domain | None:
    """Carry out *steps* in their order on *domain* (None: the first defines it) and return it.

    Raises LibvirtError where one fails: what was done before stays, and the next plan goes on from there.
    """
    for step in steps:
        if isinstance(step, actions.Define):
            domain = hypervisor.domains.define(step.xml)
        elif domain is not None:
            _one(hypervisor, domain, step)
    return domain


def run_definition(
    places: Networks | Pools, found: Network | Pool | None, steps: Iterable[actions.Action]
) -> Network | Pool | None:
    """Carry out *steps* in their order on the network or pool *found* (None: the first defines it) and return it.

    Raises LibvirtError where one fails: what was done before stays, and the next plan goes on from there.
    """
    for step in steps:
        if isinstance(step, actions.Define):
            found = places.define(step.xml)
        elif found is not None:
            _one_definition(found, step)
    return found


def _one_definition(found: Network | Pool, step: actions.Action) -> None:
    match step:
        case actions.RestartRequired():
            pass
        case actions.UpdateNetwork(command=command, section=section, xml=xml, parent=parent) if isinstance(
            found, Network
        ):
            found.update(command, section, xml, Affect.LIVE, parent=parent)
        case actions.Build() if isinstance(found, Pool):
            # A pool that comes up lacks nothing, and nothing of what is there is touched.
            try:
                found.start()
            except LibvirtError:
                found.build()
        case actions.Start():
            if not found.active:
                found.start()
        case actions.Stop():
            found.destroy()
        case actions.SetAutostart(autostart=autostart):
            found.set_autostart(autostart)
        case _:
            raise AssertionError(step)


def _one(hypervisor: Hypervisor, domain: Domain, step: actions.Action) -> None:
    tuning = Tuning(domain)
    match step:
        case actions.RestartRequired():
            pass
        case actions.Rename(new=new):
            domain.rename(new)
        case actions.AttachDevice(xml=xml):
            domain.attach_device(xml, Affect.LIVE)
        case actions.DetachDevice(xml=xml):
            domain.detach_device(xml, Affect.LIVE)
        case actions.UpdateDevice(xml=xml):
            domain.update_device(xml, Affect.LIVE)
        case actions.SetVcpus(count=count):
            tuning.set_vcpus(count, Affect.LIVE)
        case actions.SetVcpu(vcpu=vcpu, enabled=enabled):
            tuning.set_vcpu(str(vcpu), enabled, Affect.LIVE)
        case actions.SetMemory(kib=kib):
            tuning.set_memory(kib * 1024, Affect.LIVE)
        case actions.SetMemoryStatsPeriod(seconds=seconds):
            tuning.set_memory_stats_period(seconds, Affect.LIVE)
        case actions.SetPerfEvents(parameters=parameters):
            domain.change("setPerfEvents", dict(parameters), int(Affect.LIVE))
        case actions.Parametric(parameters=parameters):
            tuning.set_parameters(_PARAMETERS[type(step)], dict(parameters), Affect.LIVE)
        case actions.SetBlockIoTune(disk=disk, parameters=parameters):
            tuning.set_block_iotune(disk, dict(parameters), Affect.LIVE)
        case actions.SetInterfaceParameters(mac=mac, parameters=parameters):
            tuning.set_interface_bandwidth(mac, dict(parameters), Affect.LIVE)
        case actions.PinVcpu(vcpu=vcpu, cpuset=cpuset):
            tuning.pin_vcpu(vcpu, _cpus(hypervisor, cpuset), Affect.LIVE)
        case actions.PinEmulator(cpuset=cpuset):
            tuning.pin_emulator(_cpus(hypervisor, cpuset), Affect.LIVE)
        case actions.PinIOThread(iothread=iothread, cpuset=cpuset):
            tuning.pin_iothread(iothread, _cpus(hypervisor, cpuset), Affect.LIVE)
        case actions.AddIOThread(iothread=iothread):
            tuning.add_iothread(iothread, Affect.LIVE)
        case actions.DelIOThread(iothread=iothread):
            tuning.remove_iothread(iothread, Affect.LIVE)
        case actions.SetIOThreadParameters(iothread=iothread, parameters=parameters):
            domain.change("setIOThreadParams", iothread, dict(parameters), int(Affect.LIVE))
        case actions.SetLifecycleAction(event=event, action=action):
            tuning.set_lifecycle_action(_EVENTS[event], _ENDS[action], Affect.LIVE)
        case actions.SetTitle(text=text):
            domain.set_title(text, Affect.LIVE)
        case actions.SetDescription(text=text):
            domain.set_description(text, Affect.LIVE)
        case actions.SetMetadata(uri=uri, key=key, xml=xml, in_live=in_live, in_config=in_config):
            affect = (Affect.LIVE if in_live else Affect.CURRENT) | (Affect.CONFIG if in_config else Affect.CURRENT)
            domain.set_metadata(xml, namespace=uri, prefix=key, affect=affect)
        case _:
            raise AssertionError(step)


def _cpus(hypervisor: Hypervisor, cpuset: str | None) -> tuple[bool, ...]:
    count = hypervisor.host.machine().cpus
    wanted = cpu_set(cpuset) if cpuset is not None else None
    return tuple(wanted is None or cpu in wanted for cpu in range(count))
