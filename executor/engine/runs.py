"""What is remembered of a guest's runs, since libvirt forgets with its daemon how a guest ended.

One small file for each guest in the state folder, by the domain's UUID, written by rename.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

from executor.engine import state

if TYPE_CHECKING:
    from pathlib import Path

    from executor.hypervisor.domain import DomainState
    from executor.hypervisor.hypervisor import Hypervisor

FIRST: Final = 10.0
"""Seconds that the second start waits after a run that ended at once; each further one waits twice as long ..."""

LONGEST: Final = 300.0
"""... but not longer than this."""

STABLE: Final = 600.0
"""Seconds after which a run counts as good: the next end starts counting anew."""

LOST: Final = "lost"
"""The end of a run that nobody saw: the host or its libvirt was started anew meanwhile."""

UNCOUNTED: Final = frozenset({"destroyed", "saved", "migrated", "from-snapshot", LOST})
"""Ends that a person or the host brought about: no reason to wait with the next start."""


@dataclass(frozen=True)
class Run:
    """A guest's runs. Times are seconds since 1970, 0 for never.

    ``ended`` is libvirt's word for how the last run ended, empty while one goes on or where there was none.
    ``failures`` counts runs, and starts, that failed one after the other; ``retry_at`` is when the next start is due.
    """

    started: float = 0.0
    ended: str = ""
    failures: int = 0
    retry_at: float = 0.0
    asked: float = 0.0
    """When it was asked to shut down; 0 where nobody did in this run."""
    asks: int = 0
    spec: str = ""
    """A digest of the object that all this is about: another one starts with a clean slate."""


def seen(run: Run, state_now: DomainState, now: float, *, wanted: bool = False) -> Run:
    """Return *run* with what *state_now* tells of it; *wanted* says that a person wants the guest off.

    >>> from executor.hypervisor.domain import DomainState, State
    >>> crashed = DomainState(State.SHUTOFF, "crashed")
    >>> run = seen(Run(started=1000.0), crashed, 1001.0)
    >>> run.ended, run.failures, run.retry_at
    ('crashed', 1, 1011.0)
    >>> seen(run, crashed, 1002.0) == run
    True
    """
    run = in_time(run, now)
    if state_now.active:
        if not run.started or run.ended:
            return replace(run, started=now, ended="", retry_at=0.0, asked=0.0, asks=0)
        if run.failures and now - run.started >= STABLE:
            return replace(run, failures=0)
        return run
    if not run.started or run.ended:
        return run
    wanted = wanted or bool(run.asked)
    how = LOST if state_now.reason == "unknown" else state_now.reason
    run = replace(run, ended=how, asked=0.0, asks=0)
    if how in UNCOUNTED or (wanted and how == "shutdown"):
        return run
    if now - run.started >= STABLE:
        return replace(run, failures=0, retry_at=0.0)
    return failed(run, now)


def in_time(run: Run, now: float) -> Run:
    """Return *run* with no time later than it can be at *now*: no clock that was set back makes anything wait long."""
    late = (run.started, run.asked, run.retry_at - LONGEST)
    if max(late) <= now:
        return run
    return replace(
        run, started=min(run.started, now), asked=min(run.asked, now), retry_at=min(run.retry_at, now + LONGEST)
    )


def failed(run: Run, now: float) -> Run:
    """Return *run* after one more failure: the next start waits twice as long as the last."""
    return replace(run, failures=run.failures + 1, retry_at=now + min(FIRST * 2 ** min(run.failures, 16), LONGEST))


def ask(hypervisor: Hypervisor, uuid: str, now: float) -> None:
    """Remember that the guest is asked to shut down, so that its end is no failure. Raises KubevmmError."""
    run = load(hypervisor, uuid)
    if not run.asked:
        save(hypervisor, uuid, replace(run, asked=now))


def load(hypervisor: Hypervisor, uuid: str) -> Run:
    """Return what is remembered of the guest; an empty `Run` where that is nothing, or nothing that can be read."""
    own = _path(hypervisor, uuid)
    # What root's agent remembers anybody may read.
    for path in (own, state.SYSTEM / own.relative_to(own.parents[2])):
        try:
            found = json.loads(path.read_bytes())
            return Run(**{key: type(default)(found[key]) for key, default in _DEFAULTS.items() if key in found})
        except (OSError, ValueError, TypeError):
            continue
    return Run()


def known(hypervisor: Hypervisor) -> frozenset[str]:
    """Return the UUIDs of the guests of which anything is remembered."""
    try:
        return frozenset(path.stem for path in (state.folder(hypervisor) / "runs").iterdir())
    except OSError:
        return frozenset()


def save(hypervisor: Hypervisor, uuid: str, run: Run) -> None:
    """Remember *run*. Raises KubevmmError where it cannot be written."""
    from analyser import files  # noqa: PLC0415  (what lists guests writes nothing)

    files.write(_path(hypervisor, uuid), json.dumps(asdict(run)).encode(), mode=0o644)


def forget(hypervisor: Hypervisor, uuid: str) -> None:
    """Remember nothing of the guest any more."""
    _path(hypervisor, uuid).unlink(missing_ok=True)


_DEFAULTS: Final = asdict(Run())


def _path(hypervisor: Hypervisor, uuid: str) -> Path:
    return state.folder(hypervisor) / "runs" / f"{uuid}.json"
