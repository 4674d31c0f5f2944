"""Whether a guest should run, by its runStrategy, and what is done about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from executor.hypervisor.domain import Domain, DomainState

_ENDED: Final = {"shutdown", "destroyed", "crashed"}
"""libvirt's reasons for a guest to be off that tell of a run before."""

_WANTED: Final = {"shutdown", "destroyed"}
"""Those of them by which somebody wanted it off."""


def strategy(obj: Mapping[str, Any]) -> str:
    """Return the object's run strategy: Always, RerunOnFailure, Once, Manual or Halted."""
    spec = obj.get("spec") or {}
    if "running" in spec:
        return "Always" if spec["running"] else "Halted"
    return str(spec.get("runStrategy") or "Manual")


def step(wanted: str, state: DomainState) -> str:
    """Return what has to be done so that a guest in *state* runs as *wanted* says: ``start``, ``stop`` or nothing.

    >>> from executor.hypervisor.domain import DomainState, State
    >>> step("RerunOnFailure", DomainState(State.SHUTOFF, "crashed"))
    'start'
    >>> step("Once", DomainState(State.SHUTOFF, "shutdown"))
    ''
    """
    if state.active:
        return "stop" if wanted == "Halted" and state.state.value != "shutdown" else ""
    if wanted == "Always":
        return "start"
    if wanted == "RerunOnFailure":
        return "" if state.reason in _WANTED else "start"
    if wanted == "Once":
        return "" if state.reason in _ENDED else "start"
    return ""


def would_change(obj: Mapping[str, Any], domain: Domain) -> bool:
    """Say whether `settle` would start or stop *domain*."""
    return bool(step(strategy(obj), domain.state()))


def settle(obj: Mapping[str, Any], domain: Domain, *, new: bool = False) -> str:
    """Start *domain*, or ask it to shut down, as *obj* says; return what was done, in words, empty for nothing.

    A *new* domain has never run, whatever libvirt's test driver says.
    """
    wanted = strategy(obj)
    todo = step(wanted, domain.state())
    if new and wanted in ("Once", "RerunOnFailure") and not domain.active:
        todo = "start"
    if todo == "start":
        domain.start()
        return "started"
    if todo == "stop":
        domain.shutdown()
        return "asked to shut down"
    return ""
