"""A guest's life, by hand: start, stop, restart, pause and the like, each safe to ask for twice.

Each function returns what became of it in a word, such as ``started``, and raises LibvirtError.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from executor.hypervisor.domain import State
from executor.hypervisor.errors import Conflict, NotFound, OperationFailed, WrongState

if TYPE_CHECKING:
    from collections.abc import Callable

    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor

ALREADY: Final = "unchanged"
_LOOK_AGAIN: Final = 1.0
"""Seconds after which the state is read though no event came: some drivers have none."""


def start(domain: Domain, *, paused: bool = False, forget_saved: bool = False) -> str:
    """Start it, or go on from where it was saved; one that is paused is left so."""
    if domain.state().active:
        return f"{ALREADY} (it runs)"
    saved = domain.has_managed_save() and not forget_saved
    domain.start(paused=paused, forget_saved=forget_saved)
    return "restored" if saved else "started"


def stop(
    hypervisor: Hypervisor,
    domain: Domain,
    *,
    force: bool = False,
    grace: float | None = None,
    wait: bool = True,
    timeout: float = 120.0,
) -> str:
    """Ask the guest to shut down, and wait *timeout* seconds; *force* pulls the plug instead.

    With *grace* the plug is pulled when it has not stopped after that many seconds. Raises Conflict when it runs still.
    """
    state = domain.state()
    if not state.active:
        return f"{ALREADY} (it does not run)"
    if force:
        return _plug(domain)
    if state.state is State.PAUSED and grace is None:
        raise WrongState(
            f"domain {domain.name}: it is paused ({state.reason}), so it cannot shut down by itself",
            hint="`virtctl resume` first, or stop it with --force",
        )
    # After a pause it could only be cut off, so nothing is gained by waiting.
    if grace is not None and state.state is State.PAUSED:
        return _plug(domain)
    _ask_to_stop(domain)
    if not wait and grace is None:
        return "stopping"
    if until(hypervisor, domain, lambda: not domain.state().active, timeout if grace is None else grace):
        return "stopped"
    if grace is not None:
        return f"{_plug(domain)}, after {grace:g} s"
    raise Conflict(
        f"domain {domain.name}: it runs still, {timeout:g} s after it was asked to shut down",
        hint="its system may ignore the power button; --force or --grace-period stops it all the same",
    )


def restart(
    hypervisor: Hypervisor,
    domain: Domain,
    *,
    force: bool = False,
    grace: float | None = None,
    timeout: float = 120.0,
) -> str:
    """Stop it as `stop` does and start it anew, so that its new definition counts. One that is off is started."""
    if not domain.state().active:
        return start(domain)
    if not domain.persistent:
        raise WrongState(
            f"domain {domain.name}: it is transient, and would be gone once it stops",
            hint="`virtctl reset` or `virtctl softreboot` restarts it in place",
        )
    stop(hypervisor, domain, force=force, grace=grace, timeout=timeout)
    try:
        start(domain)
    except WrongState:
        if not domain.state().active:
            raise
    return "restarted"


def reset(domain: Domain) -> str:
    """Press the reset button: the guest is not asked, and keeps its process and devices."""
    domain.reset()
    return "reset"


def soft_reboot(domain: Domain) -> str:
    """Ask the guest's system to reboot; it keeps its process and devices."""
    domain.reboot()
    return "rebooting"


def pause(domain: Domain) -> str:
    """Stop its clock; its memory stays where it is."""
    if domain.state().state is State.PAUSED:
        return f"{ALREADY} (it is paused)"
    domain.suspend()
    return "paused"


def resume(domain: Domain) -> str:
    """Let it run on after a pause."""
    state = domain.state().state
    if state is State.RUNNING:
        return f"{ALREADY} (it runs)"
    domain.resume()
    return "resumed"


def save(domain: Domain) -> str:
    """Write its memory to disk and stop it; the next start goes on there."""
    if not domain.state().active and domain.has_managed_save():
        return f"{ALREADY} (it is saved)"
    domain.managed_save()
    return "saved"


def restore(domain: Domain, *, paused: bool = False) -> str:
    """Go on from where it was saved. Raises NotFound when it is not saved, WrongState when it runs."""
    if domain.state().active:
        raise WrongState(f"domain {domain.name}: it runs already")
    if not domain.has_managed_save():
        raise NotFound(f"domain {domain.name}: there is no saved memory to go on from", hint="`virtctl start` boots it")
    domain.start(paused=paused)
    return "restored"


def discard(domain: Domain) -> str:
    """Forget its saved memory: the next start boots."""
    if not domain.has_managed_save():
        return f"{ALREADY} (it is not saved)"
    domain.forget_managed_save()
    return "saved memory discarded"


def until(hypervisor: Hypervisor, domain: Domain, holds: Callable[[], bool], timeout: float) -> bool:
    """Wait until *holds*, *timeout* seconds at most, asking at each of its events; return whether it does.

    One that has ceased to exist (it was transient) counts as stopped, so that everything holds of it.
    """
    deadline = time.monotonic() + timeout
    changed = threading.Event()
    with hypervisor.events(lambda event: changed.set() if event.uuid in {"", domain.uuid} else None):
        while True:
            changed.clear()
            try:
                if holds():
                    return True
            except NotFound:
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            changed.wait(min(left, _LOOK_AGAIN))


def _ask_to_stop(domain: Domain) -> None:
    try:
        domain.shutdown()
    except (NotFound, WrongState):
        # It stopped by itself in the meantime.
        if _active(domain):
            raise


def _plug(domain: Domain) -> str:
    try:
        domain.destroy()
    except (NotFound, WrongState, OperationFailed):
        if _active(domain):
            raise
    return "stopped by force"


def _active(domain: Domain) -> bool:
    try:
        return domain.state().active
    except NotFound:
        return False
