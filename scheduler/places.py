"""Where disks are: which nodes can reach one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Place:
    """Where one disk is: on the node ``node``, or in the pool ``pool`` (an object), wherever that is."""

    node: str = ""
    pool: tuple[str, str] | None = None


@dataclass(frozen=True)
class Places:
    """The disks by namespace and name."""

    disks: Mapping[tuple[str, str], Place] = field(default_factory=dict)


def place(disk: Mapping[str, Any], namespace: str) -> Place:
    """Return where the VirtualMachineDisk *disk*, of *namespace*, is."""
    spec, status = disk.get("spec") or {}, disk.get("status") or {}
    ref = spec.get("poolRef")
    pool = (str(ref.get("namespace") or namespace), str(ref["name"])) if ref else None
    return Place(str(status.get("nodeName") or ""), pool)
