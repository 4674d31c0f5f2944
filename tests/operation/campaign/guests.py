"""The guests of the campaign: what their objects say, and what is wanted of each by now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Build:
    """What a guest is: on the node named, or placed where that is empty; ``polite`` if its power button is of use.

    One that is ``rooted`` has a disk of its node's.
    """

    name: str
    node: str = ""
    polite: bool = True
    rooted: bool = False
    halted: bool = False

    @property
    def domain(self) -> str:
        """The name of its domain."""
        return f"default_{self.name}"

    @property
    def stays(self) -> bool:
        """Whether it cannot go to another node: its disk, or its kernel, is a file of this one."""
        return self.rooted or self.polite

    def spec(self, kernel: Path, disk: Path) -> dict[str, Any]:
        """Return the spec of its object."""
        os: dict[str, Any] = {"type": {"arch": "x86_64", "machine": "q35", "value": "hvm"}}
        devices: dict[str, Any] = {"controllers": [{"type": "usb", "model": "none"}], "memballoon": {"model": "none"}}
        if self.polite:
            os["kernel"] = str(kernel)
        if self.rooted:
            devices["disks"] = [
                {
                    "type": "file", "device": "cdrom", "driver": {"name": "qemu", "type": "raw"},
                    "source": {"file": str(disk)}, "target": {"dev": "sda", "bus": "sata"}, "readonly": {},
                }
            ]  # fmt: skip
        return {
            **({"nodeName": self.node} if self.node else {}),
            "runStrategy": "Halted" if self.halted else "Always",
            "evictionStrategy": "Shutdown",
            "terminationGracePeriodSeconds": 3 if self.polite else 0,
            "domain": {
                "type": "qemu", "title": "first", "memory": "16Mi", "vcpu": {"value": 1}, "os": os,
                "features": {"acpi": {}}, "devices": devices,
            },
        }  # fmt: skip


@dataclass
class Goal:
    """What is wanted by now: ``state`` is absent, off, running, paused or saved."""

    state: str = "absent"
    title: str = "first"
    memory: int = 16
    starts: int = 0
    """How often it is to have been started in all."""


@dataclass
class Guest:
    """A guest of a run: what it is, what is to be done to it, and how far that is."""

    build: Build
    acts: list[str]
    early: bool = False
    """Whether it is deleted while strikes fall, and not afterwards."""
    goal: Goal = field(default_factory=Goal)
    uid: str = ""
    operations: dict[str, str] = field(default_factory=dict)
    """Types of the operations that were asked for, by their names."""
    done: int = 0
    """How many of the acts were begun."""
    told: list[dict[str, Any]] | None = None
    """What became of its operations, which go with it, when it was deleted."""

    @property
    def open(self) -> bool:
        """Whether something is to be done to it before all must be well."""
        return self.done < len(self.acts) - (0 if self.early else 1)

    @property
    def domain(self) -> str:
        """The name of its domain."""
        return self.build.domain
