"""What the controller says of an operation: that it waits and for what, that it cannot be, or how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kube.conditions import condition, timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kube.object import Object

COMPLETE: Final = "Complete"
FAILED: Final = "Failed"
"""Conditions, as a Job has them: one of them becomes True in the end."""

OVER: Final = frozenset({"Succeeded", "Failed"})
"""Phases that nothing follows."""


@dataclass(frozen=True)
class Verdict:
    """What becomes of an operation: it is refused for *reason*, or waits for it, or goes to *node*.

    ``phase`` is where the controller has brought it, of those that it does itself.
    """

    reason: str
    message: str = ""
    node: str = ""
    refused: bool = False
    patience: bool = False
    """Whether it is refused only if it stays so."""
    phase: str = "Pending"

    @property
    def over(self) -> bool:
        """Whether nothing follows."""
        return self.refused or self.phase in OVER


def status(found: Object, operation: Mapping[str, Any], said: Verdict) -> dict[str, Any]:
    """Return what the controller says in the status of *operation*."""
    now = operation.get("status") or {}
    before, generation = now.get("conditions") or (), found.generation
    worked = said.phase == "Succeeded"
    out: dict[str, Any] = {
        "observedGeneration": generation,
        "phase": "Failed" if said.refused else said.phase,
        "message": said.message,
        "conditions": [condition(before, COMPLETE, worked, said.reason, said.message, generation=generation)],
    }
    node = said.node or now.get("nodeName")
    if node:
        out["nodeName"] = node
    if said.phase != "Pending" or now.get("startTime"):
        out["startTime"] = now.get("startTime") or timestamp()
    if said.refused:
        out["conditions"].append(condition(before, FAILED, True, said.reason, said.message, generation=generation))
    if said.over:
        out["completionTime"] = timestamp()
    return out
