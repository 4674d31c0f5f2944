"""Starting and stopping a guest of a cluster: its run strategy changed, and waited for."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from executor.cli import messages
from executor.cli.cluster import why
from executor.cli.cluster.server import GUESTS, MANAGER, Server, explained, get
from executor.cli.cluster.watching import until
from kube.errors import ApiError
from kube.object import Key
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ALREADY: Final = "unchanged"
HINT: Final = "`kubectl virt describe vm {name}` tells more; it goes on without you"


@dataclass(frozen=True)
class Change:
    """The run strategy to set, empty for none; ``said`` is what that means, in a word or two."""

    wanted: str
    said: str
    note: str = ""

    def patch(self, guest: Mapping[str, Any]) -> dict[str, Any]:
        """Return it as a merge patch of *guest*, in the form in which its spec says it: ``running`` or its own."""
        if (guest.get("spec") or {}).get("running") is not None:
            spec: dict[str, Any] = {"running": self.wanted == "Always"}
        else:
            spec = {"runStrategy": self.wanted}
        # It may have been deleted and made anew since it was read.
        return {"metadata": {"uid": guest["metadata"]["uid"]}, "spec": spec}


def starting(guest: Mapping[str, Any]) -> Change:
    """Return what is to be changed so that *guest* runs. Raises KubevmmError where it cannot."""
    name, word = guest["metadata"]["name"], (guest.get("status") or {}).get("printableStatus")
    if guest["metadata"].get("deletionTimestamp"):
        raise KubevmmError(f"virtualmachine/{name} is being deleted", hint="create it again when it is gone")
    before = why.strategy(guest)
    if before == "Always":
        return Change("", f"{ALREADY}: it {'runs' if word == 'Running' else 'is started by its node'} already")
    if word in ("Running", "Paused", "Starting", "Migrating") and before != "Halted":
        return Change("", f"{ALREADY}: it runs already")
    note = f"its runStrategy was {before}, and is Always now" if before in ("RerunOnFailure", "Once") else ""
    return Change("Always", "starting", note)


def stopping(guest: Mapping[str, Any]) -> Change:
    """Return what is to be changed so that *guest* is off and stays so."""
    word = (guest.get("status") or {}).get("printableStatus")
    if why.strategy(guest) == "Halted":
        return Change("", f"{ALREADY}: it {'is off' if word == 'Stopped' else 'is stopped by its node'} already")
    if word == "Stopped" and why.strategy(guest) in ("Manual", "Once", "RerunOnFailure"):
        return Change("", f"{ALREADY}: it is off already")
    return Change("Halted", "stopping")


async def change(
    server: Server, names: Sequence[str], decide: Callable[[Mapping[str, Any]], Change], *, patience: float | None
) -> int:
    """Change the guests *names* as *decide* says, and wait *patience* seconds until they are so; None: do not wait.

    Each guest's outcome is a line on standard output, an error one on standard error. Returns the exit code.
    """
    code = 0
    waiting: list[Mapping[str, Any]] = []
    goals = ("Always", "Halted")
    for name in names:
        try:
            guest = (await get(server, GUESTS.kind, name)).decode()
            todo = decide(guest)
            if todo.wanted:
                key = Key(server.namespace, name)
                params = {"fieldManager": MANAGER}
                guest = (await server.client.patch(GUESTS, key, todo.patch(guest), params=params)).decode()
        except KubevmmError as error:
            messages.failure(explained(error, server.url) if isinstance(error, ApiError) else error)
            code = 1
            continue
        if todo.note:
            messages.note(f"virtualmachine/{name}: {todo.note}")
        if patience is not None and why.strategy(guest) in goals and (todo.wanted or not _settled(guest, guest)):
            waiting.append(guest)
        else:
            _say(name, todo.said)
    if patience is not None:
        end = time.monotonic() + patience
        for each in waiting:
            code = max(code, await _wait(server, each, max(0.0, end - time.monotonic())))
    return code


async def _wait(server: Server, guest: Mapping[str, Any], patience: float) -> int:
    name = guest["metadata"]["name"]
    last: Mapping[str, Any] | None = guest

    def settled(found: dict[str, Any] | None) -> bool:
        nonlocal last
        last = found
        return found is None or _settled(found, guest)

    done = await until(server, GUESTS, Key(server.namespace, name), settled, patience)
    if last is None:
        messages.error(f"virtualmachine/{name} was deleted meanwhile")
        return 1
    if done:
        _say(name, _wanted(guest).lower())
        return 0
    told = "; ".join(why.reasons(last, {})) or f"it is {(last.get('status') or {}).get('printableStatus') or 'unknown'}"
    messages.error(
        f"virtualmachine/{name} is not {_wanted(guest).lower()} in time: {told}", hint=HINT.format(name=name)
    )
    return 1


def _wanted(guest: Mapping[str, Any]) -> str:
    return "Stopped" if why.strategy(guest) == "Halted" else "Running"


def _settled(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Say whether the guest as it was *found* is as *wanted*, the same guest as it was changed, says."""
    status = found.get("status") or {}
    seen, generation = status.get("observedGeneration") or 0, wanted["metadata"].get("generation") or 0
    return seen >= generation and status.get("printableStatus") == _wanted(wanted)


def _say(name: str, what: str) -> None:
    sys.stdout.write(messages.one_line(f"virtualmachine/{name} {what}") + "\n")
    sys.stdout.flush()
