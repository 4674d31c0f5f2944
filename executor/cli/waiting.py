"""What `virtctl wait` waits for: conditions as kubectl writes them, and the loop that looks at each change."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import typer

from executor.cli import jsonpath, messages
from executor.engine import power
from executor.engine.listing import Query
from executor.engine.objects import Ref, ref_of
from executor.engine.watching import What, changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from executor.hypervisor.hypervisor import Hypervisor

CREATE: Final = "create"
DELETE: Final = "delete"


@dataclass(frozen=True)
class Condition:
    """What is waited for: ``holds`` of an object that is there, ``now`` says how it stands; ``text`` is for people.

    For ``create`` and ``delete`` it is enough that the object is there, or is not.
    """

    text: str
    holds: Callable[[dict[str, Any]], bool]
    now: Callable[[dict[str, Any]], str]
    detail: bool = False
    """Whether it may need what costs further calls (addresses, statistics)."""


def condition(text: str) -> Condition:
    """Return what ``--for=text`` asks for. Raises a usage error, JsonPathError for a wrong path."""
    lower = text.lower()
    if lower in {CREATE, DELETE}:
        return Condition(lower, lambda _: lower == CREATE, lambda _: "it is there still")
    kind, equals, rest = text.partition("=")
    if kind.lower() == "condition" and equals and rest:
        return _of_condition(rest)
    if kind.lower() == "jsonpath" and equals and rest:
        return _of_jsonpath(rest)
    raise typer.BadParameter(
        f"--for={text}: expected create, delete, condition=NAME[=VALUE] or jsonpath='{{PATH}}'[=VALUE]"
    )


def _of_condition(text: str) -> Condition:
    name, _, value = text.partition("=")
    wanted = (value or "True").lower()

    def found(obj: dict[str, Any]) -> dict[str, Any]:
        conditions = (obj.get("status") or {}).get("conditions") or []
        return next((each for each in conditions if str(each.get("type")).lower() == name.lower()), {})

    def now(obj: dict[str, Any]) -> str:
        each = found(obj)
        if not each:
            return f"it has no condition {name}"
        reason = f" ({each['reason']})" if each.get("reason") else ""
        return f"{each['type']} is {each['status']}{reason}"

    return Condition(f"condition {text}", lambda obj: str(found(obj).get("status")).lower() == wanted, now)


def _of_jsonpath(text: str) -> Condition:
    end = text.rfind("}")
    if text.startswith("{") and end < 0:
        raise jsonpath.JsonPathError(f"jsonpath {text!r}: the brace is not closed")
    cut = end + 1 if end >= 0 else len(text.partition("=")[0])
    path_text, equals, value = text[:cut], text[cut : cut + 1], text[cut + 1 :]
    if equals not in {"", "="} or (equals and not value):
        raise typer.BadParameter(f"--for=jsonpath={text}: expected jsonpath='{{PATH}}'[=VALUE]")
    path = jsonpath.path(path_text)

    def values(obj: dict[str, Any]) -> list[str]:
        return [jsonpath.shown(each) for each in path.values(obj)]

    def holds(obj: dict[str, Any]) -> bool:
        found = values(obj)
        return bool(found) and (not equals or all(each == value for each in found))

    def now(obj: dict[str, Any]) -> str:
        found = values(obj)
        return f"{path_text} is {' '.join(found)}" if found else f"{path_text} is not there"

    return Condition(f"jsonpath {text}", holds, now, detail=True)


@dataclass
class Waiting:
    """The objects that are waited for; ``refs`` empty for all that the queries find at first."""

    condition: Condition
    refs: Sequence[Ref]
    say: Callable[[str], object]

    def run(self, hypervisor: Hypervisor, queries: Sequence[Query], timeout: float) -> int:
        """Wait at most *timeout* seconds and return the exit code; say each object that is as it should be."""
        there: dict[Ref, dict[str, Any]] = {}
        pending: dict[Ref, str] | None = None
        deadline = time.monotonic() + timeout
        missing = 0
        for batch in changes(hypervisor, queries, deadline=deadline, lost=lambda error: messages.note(str(error))):
            # An object that is gone and there anew has been deleted, too.
            gone = [self._ref(each.object) for each in batch if each.what is What.DELETED]
            for ref in gone:
                there.pop(ref, None)
            for each in batch:
                if each.what is not What.DELETED:
                    self._add(there, each.object)
            if pending is None:
                pending, missing = self._first(there)
            for ref in list(pending):
                if self._met(ref, there, pending[ref]):
                    del pending[ref]
                    self.say(f"{ref} condition met")
            if not pending:
                return 1 if missing else 0
        for ref in pending or {}:
            how = self.condition.now(there[ref]) if ref in there else "it is not there"
            messages.error(f"{ref}: timed out waiting for {self.condition.text}: {how}")
        return 1

    def _ref(self, obj: dict[str, Any]) -> Ref:
        made = ref_of(obj)
        if "namespace" in obj["metadata"]:
            return made
        # What is not managed goes by the name that it was asked for.
        return next((ref for ref in self.refs if (ref.kind, ref.name) == (made.kind, made.name)), made)

    def _add(self, there: dict[Ref, dict[str, Any]], obj: dict[str, Any]) -> None:
        ref = self._ref(obj)
        managed = "namespace" in obj["metadata"]
        if managed or "namespace" not in there.get(ref, {}).get("metadata", {}):
            there[ref] = obj

    def _first(self, there: dict[Ref, dict[str, Any]]) -> tuple[dict[Ref, str], int]:
        wanted: Iterable[Ref] = self.refs or sorted(there)
        missing = 0
        pending = {}
        for ref in wanted:
            if ref not in there and self.condition.text not in {CREATE, DELETE}:
                messages.error(
                    f"{ref} is not found in the namespace {ref.namespace}",
                    hint=f"`virtctl get {ref.kind.lower()} -A` lists what is there; --for=create waits until it is",
                )
                missing += 1
            else:
                pending[ref] = _uid(there.get(ref))
        if not pending and not missing and self.condition.text != DELETE:
            messages.error("nothing matches", hint="`virtctl get KIND -A` lists what is there")
            missing = 1
        return pending, missing

    def _met(self, ref: Ref, there: dict[Ref, dict[str, Any]], uid: str) -> bool:
        if self.condition.text == DELETE:
            return ref not in there or _uid(there[ref]) != uid
        return ref in there and self.condition.holds(there[ref])


def settled(hypervisor: Hypervisor, refs: Sequence[Ref], timeout: float) -> int:
    """Wait until the objects *refs* are as they should be: guests as their runStrategy says, others ready.

    Returns the exit code; says which are not within *timeout* seconds.
    """
    if not refs:
        return 0
    queries = [
        Query(kind, namespace, tuple(ref.name for ref in refs if (ref.kind, ref.namespace) == (kind, namespace)))
        for kind, namespace in dict.fromkeys((ref.kind, ref.namespace) for ref in refs)
    ]
    ready = _of_condition("Ready")
    wanted = Condition("it to be as its manifest says", is_settled, lambda obj: _word(obj) or ready.now(obj))
    return Waiting(wanted, refs, lambda _: None).run(hypervisor, queries, timeout)


def is_settled(obj: dict[str, Any]) -> bool:
    """Say whether *obj* is as it should be. What waits for a restart is, too, for nothing more happens by itself."""
    spec = obj.get("spec") or {}
    if obj["kind"] == "VirtualMachine":
        word = {"Always": "Running", "RerunOnFailure": "Running", "Halted": "Stopped"}.get(power.strategy(obj))
        return word in {None, _word(obj)}
    return spec.get("active") is False or _of_condition("Ready").holds(obj)


def _word(obj: dict[str, Any]) -> str:
    return str((obj.get("status") or {}).get("printableStatus") or "")


def _uid(obj: dict[str, Any] | None) -> str:
    return str(obj["metadata"].get("uid", "")) if obj else ""
