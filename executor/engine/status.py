"""How a guest stands, as the status of its object, from libvirt alone. What shows or stores it is the engine's sink."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from executor.engine import power, runs
from executor.engine.noted import CONDITION
from executor.hypervisor.domain import DomainState, State
from executor.hypervisor.errors import LibvirtError
from executor.hypervisor.guest import Guest as Inside

if TYPE_CHECKING:
    from collections.abc import Mapping

    from executor.engine.objects import Ref
    from executor.engine.runs import Run
    from executor.engine.store import Guest
    from executor.hypervisor.domains import Summary


class Sink(Protocol):
    """Takes the status of objects: a state folder here, an API server in a cluster. For any number of threads.

    What it raises counts as a failed pass over the object, which comes again; so it need not try again itself.
    """

    def last(self, ref: Ref) -> Mapping[str, Any] | None:
        """Return the status that was put last, perhaps by a process before this one, or what is left of it.

        It tells since when conditions are as they are, and whether there is anything new to say.
        """

    def put(self, ref: Ref, status: Mapping[str, Any]) -> None:
        """Take the whole status of one object. Is called only where it has changed since `last`."""

    def stale(self, ref: Ref) -> bool:
        """Say whether the status that was put last is not what is there: something was said of *ref* since."""

    def progress(self, ref: Ref, what: str, done: int, whole: int | None) -> None:
        """Be told, often, how far something is that takes long: *done* bytes of *whole*, where that is known."""

    def drop(self, ref: Ref) -> None:
        """Be told that there is no such object any more."""

    def event(self, ref: Ref, reason: str, message: str, *, warning: bool = False) -> None:
        """Be told what was done or went wrong: a line of a log here, an Event in a cluster. *reason* is one word."""


@dataclass(frozen=True)
class Progress:
    """How the last pass over an object went: ``reason`` in one word, ``message`` for people, without secrets."""

    ok: bool = True
    reason: str = "Applied"
    message: str = ""

    def condition(self) -> dict[str, Any]:
        """Return it as the condition Synchronized."""
        return _condition(CONDITION, ok=self.ok, reason=self.reason, message=self.message)


_WORDS: Final[Mapping[State, str]] = {
    State.NOSTATE: "Unknown",
    State.RUNNING: "Running",
    State.BLOCKED: "Running",
    State.PAUSED: "Paused",
    State.SHUTDOWN: "Stopping",
    State.SHUTOFF: "Stopped",
    State.CRASHED: "Stopped",
    State.PMSUSPENDED: "Paused",
}

_REASONS: Final = {
    (State.PAUSED, "migration"): "Migrating",
    (State.PAUSED, "starting-up"): "Starting",
    (State.PAUSED, "shutting-down"): "Stopping",
}


def printable(state: DomainState) -> str:
    """Return KubeVirt's word for *state*.

    >>> printable(DomainState(State.SHUTOFF, "shutdown"))
    'Stopped'
    """
    return _REASONS.get((state.state, state.reason)) or _WORDS[state.state]


def word_for(guest: Guest, state: DomainState, run: Run, now: float) -> str:
    """Return KubeVirt's word for a guest in *state* with what is remembered of its runs at the time *now*."""
    word = printable(state)
    strategy = power.strategy(guest.object)
    if word == "Stopped" and run.failures and run.retry_at > now and power.step(strategy, state, run.ended) == "start":
        return "CrashLoopBackOff"
    if word == "Running" and run.asks and not run.ended:
        return "Stopping"
    return word


def status(
    guest: Guest, summary: Summary, *, node: str, detail: bool = False, run: Run | None = None
) -> dict[str, Any]:
    """Return the status of *guest*; with *detail* also addresses, vCPUs and memory, which cost further calls.

    *run* is what is remembered of it, where somebody remembers.
    """
    domain, mark = guest.domain, guest.mark
    word = word_for(guest, summary.state, run or runs.Run(), time.time())
    pending = mark is not None and bool(mark.pending) and mark.guest == int(domain.raw.ID())
    ready = word == "Running" and not pending
    out: dict[str, Any] = {
        "nodeName": node,
        "printableStatus": word,
        "created": True,
        "ready": ready,
        "domain": {
            "name": domain.name,
            "uuid": domain.uuid,
            "state": str(summary.state.state),
            "reason": summary.state.reason,
        },
    }
    if pending and mark is not None:
        out |= {"restartRequired": True, "pendingChanges": list(mark.pending)}
    why = "RestartRequired" if pending else word
    out["conditions"] = [_condition("Ready", ok=ready, reason=why, message=_why(word, summary.state, run))]
    if detail:
        out |= _detail(guest, summary)
    return out


def since(status: dict[str, Any], last: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return *status* whose conditions say since when they are so, as far as *last* has them alike."""
    before = {each.get("type"): each for each in (last or {}).get("conditions") or ()}
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    out = []
    for each in status.get("conditions") or ():
        old = before.get(each["type"]) or {}
        same = old.get("status") == each["status"] and old.get("lastTransitionTime")
        out.append({**each, "lastTransitionTime": old["lastTransitionTime"] if same else now})
    return {**status, "conditions": out}


def _condition(kind: str, *, ok: bool, reason: str, message: str) -> dict[str, Any]:
    return {"type": kind, "status": "True" if ok else "False", "reason": reason, "message": message}


def _why(word: str, state: DomainState, run: Run | None) -> str:
    if word == "CrashLoopBackOff" and run is not None:
        until = dt.datetime.fromtimestamp(run.retry_at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"ended {run.failures} times soon after it was started ({run.ended or state.reason}); next start {until}"
    return ""


def _detail(guest: Guest, summary: Summary) -> dict[str, Any]:
    out: dict[str, Any] = {}
    found = summary.statistics
    if "vcpu.current" in found:
        out["vcpus"] = int(found["vcpu.current"])
    if "balloon.current" in found:
        kib = int(found["balloon.current"])
        out["memory"] = f"{kib // 1024}Mi" if kib % 1024 == 0 else f"{kib}Ki"
    if summary.state.active:
        interfaces = _interfaces(guest)
        if interfaces:
            out["interfaces"] = interfaces
    return out


def _interfaces(guest: Guest) -> list[dict[str, Any]]:
    try:
        found = Inside(guest.domain).best_addresses()
    except LibvirtError:
        return []
    out = []
    for each in found:
        addresses = [address.partition("/")[0] for address in each.addresses]
        if addresses:
            out.append({"mac": each.mac, "name": each.name, "ipAddress": addresses[0], "ipAddresses": addresses})
    return out
