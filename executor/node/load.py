"""How busy guests are: two readings of libvirt's statistics, and what came between them for each second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_NANO: Final = 1e9


@dataclass(frozen=True, slots=True)
class Load:
    """One guest's; ``cpu`` in percent of one host CPU, memory in bytes, the others in bytes for each second.

    None where the hypervisor does not tell.
    """

    cpu: float | None
    vcpus: int | None
    memory: int | None
    """What the host keeps in memory for it, as far as known."""
    memory_maximum: int | None
    disk_read: float | None
    disk_write: float | None
    net_receive: float | None
    net_send: float | None

    def table(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "cpu": self.cpu,
            "vcpus": self.vcpus,
            "memory": self.memory,
            "memoryMaximum": self.memory_maximum,
            "diskRead": self.disk_read,
            "diskWrite": self.disk_write,
            "netReceive": self.net_receive,
            "netSend": self.net_send,
        }


def load(before: Mapping[str, Any], after: Mapping[str, Any], seconds: float) -> Load:
    """Return the load between two readings (keys as virConnectGetAllDomainStats), *seconds* apart."""
    cpu = _rate(before, after, ("cpu.time",), seconds)
    return Load(
        cpu=None if cpu is None else cpu / _NANO * 100,
        vcpus=after.get("vcpu.current"),
        memory=_bytes(after.get("balloon.rss", after.get("balloon.current"))),
        memory_maximum=_bytes(after.get("balloon.maximum")),
        disk_read=_rate(before, after, _keys(after, "block", "rd.bytes"), seconds),
        disk_write=_rate(before, after, _keys(after, "block", "wr.bytes"), seconds),
        net_receive=_rate(before, after, _keys(after, "net", "rx.bytes"), seconds),
        net_send=_rate(before, after, _keys(after, "net", "tx.bytes"), seconds),
    )


def _keys(values: Mapping[str, Any], group: str, what: str) -> tuple[str, ...]:
    return tuple(
        key for number in range(values.get(f"{group}.count", 0)) if (key := f"{group}.{number}.{what}") in values
    )


def _rate(before: Mapping[str, Any], after: Mapping[str, Any], keys: tuple[str, ...], seconds: float) -> float | None:
    """Return the sum's growth; a count that went back (a new run) or has just come counts from 0."""
    grown = [
        after[key] - (before.get(key, 0) if after[key] >= before.get(key, 0) else 0) for key in keys if key in after
    ]
    return sum(grown) / seconds if grown else None


def _bytes(kibibytes: int | None) -> int | None:
    return None if kibibytes is None else kibibytes << 10
