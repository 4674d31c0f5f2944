"""What there is to say of one guest: how it is, what it is made of, where it is reached, what was saved of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from executor.hypervisor.errors import LibvirtError, Unavailable
from executor.hypervisor.guest import Guest
from executor.hypervisor.snapshots import Snapshots
from executor.node import devices

if TYPE_CHECKING:
    from collections.abc import Callable

    from executor.hypervisor.domain import Domain
    from executor.plan.mark import Mark

# What has a table of its own, or is part of every guest.
_NOT_LISTED = {"disk", "interface", "emulator", "graphics", "console"}


def facts(domain: Domain, mark: Mark | None) -> dict[str, Any]:
    """Return them as JSON-like values; memory in bytes, what does not apply None or empty. Raises LibvirtError."""
    state = domain.state()
    tree = devices.parsed(domain.xml())
    machine = tree.find("os/type")
    vcpu = tree.find("vcpu")
    return {
        "name": mark.name if mark is not None else domain.name,
        "namespace": mark.namespace if mark is not None else None,
        "domain": domain.name,
        "uuid": domain.uuid,
        "title": tree.findtext("title"),
        "description": tree.findtext("description"),
        "state": str(state.state),
        "reason": state.reason,
        "persistent": domain.persistent,
        "autostart": _or_none(lambda: domain.autostart),
        "managedSave": _or_none(domain.has_managed_save),
        "restartRequired": list(mark.pending) if mark is not None else [],
        "hypervisor": tree.get("type"),
        "architecture": machine.get("arch") if machine is not None else None,
        "machine": machine.get("machine") if machine is not None else None,
        "vcpus": int(vcpu.get("current") or vcpu.text) if vcpu is not None else None,
        "maxVcpus": int(vcpu.text) if vcpu is not None else None,
        "memory": _kibibytes(tree.findtext("currentMemory")),
        "maxMemory": _kibibytes(tree.findtext("memory")),
        "disks": [devices.table(disk) for disk in devices.disks(domain, sizes=True)],
        "interfaces": [devices.table(nic) for nic in devices.nics(domain)],
        "addresses": [
            {"interface": each.name, "mac": each.mac, "addresses": list(each.addresses)}
            for each in (Guest(domain).best_addresses() if state.active else ())
        ],
        "graphics": [_graphics(element) for element in tree.iterfind("devices/graphics")],
        "devices": [
            {"device": element.tag, "model": _model(element), "alias": _alias(element)}
            for element in tree.iterfind("devices/*")
            if element.tag not in _NOT_LISTED
        ],
        "snapshots": snapshots(domain),
    }


def snapshots(domain: Domain) -> list[dict[str, Any]]:
    """Return its snapshots, parents first: name, parent, created (RFC 3339), state, current, memory, description."""
    found = _or_none(lambda: Snapshots(domain).all()) or []
    return [_snapshot(each.xml(), current=each.is_current()) for each in found]


def _snapshot(xml: str, *, current: bool) -> dict[str, Any]:
    tree = devices.parsed(xml)
    created = datetime.fromtimestamp(int(tree.findtext("creationTime", "0")), UTC)
    memory = tree.find("memory")
    return {
        "name": tree.findtext("name"),
        "parent": tree.findtext("parent/name"),
        "created": created.isoformat().replace("+00:00", "Z"),
        "state": tree.findtext("state"),
        "memory": memory is not None and memory.get("snapshot") != "no",
        "current": current,
        "description": tree.findtext("description"),
    }


def _graphics(element: Any) -> dict[str, Any]:
    listen = element.find("listen")
    address = element.get("listen") or (listen.get("address") if listen is not None else None)
    port = element.get("port")
    return {
        "type": element.get("type"),
        "address": address,
        "port": int(port) if port and int(port) > 0 else None,
        "socket": listen.get("socket") if listen is not None else None,
    }


def _model(element: Any) -> str | None:
    model = element.find("model")
    if model is not None:
        return _text(model.get("type") or model.get("name") or model.text)
    return _text(element.get("model") or element.get("type"))


def _alias(element: Any) -> str | None:
    alias = element.find("alias")
    return _text(alias.get("name")) if alias is not None else None


def _text(value: Any) -> str | None:
    return str(value) if value else None


def _kibibytes(text: str | None) -> int | None:
    return int(text) << 10 if text else None


def _or_none(read: Callable[[], Any]) -> Any:
    """Return what *read* does; None where the driver cannot tell."""
    try:
        return read()
    except Unavailable:
        raise
    except LibvirtError:
        return None
