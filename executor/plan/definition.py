"""The plan for a network or a storage pool: defined, changed while it runs where libvirt can, started, stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from analyser.codec.encode import encode
from executor.plan import actions, network
from executor.plan.domain import Difference, difference
from executor.plan.merge import Merged, answer, merge, path_text
from schemas.errors import KubevmmError
from schemas.table import table

if TYPE_CHECKING:
    from executor.plan.actual import Actual

Kind: TypeAlias = Literal["network", "pool"]
"""libvirt's root element."""


@dataclass(frozen=True)
class Lifecycle:
    """How a network or pool should be: None where nobody says."""

    active: bool | None = True
    autostart: bool | None = None
    build: bool = False
    """Whether what lies below a pool that is started is made first, where it is missing."""


RUN: Final = Lifecycle()


def plan(
    kind: Kind,
    desired: dict[str, Any],
    actual: Actual | None,
    last_applied: dict[str, Any] | None = None,
    *,
    lifecycle: Lifecycle = RUN,
    answers: tuple[tuple[str, str], ...] = (),
    repair: bool = True,
) -> list[actions.Action]:
    """Return what must be done so that the network or pool *actual* (None: there is none) becomes *desired*.

    *answers* are those of ``settle``, when it was last applied. What libvirt cannot change while it runs waits for its
    next start: a plan never takes down what guests use, unless the *lifecycle* says so. Raises KubevmmError where
    *desired* is another one than *actual*, InputError where libvirt's XML cannot say it.
    """
    if actual is None:
        node = merge(None, desired, None, table().roots[kind].type).node
        return [_define(kind, node, ()), *_life(kind, node, None, lifecycle)]
    for key in ("uuid", "name"):
        wanted, found = desired.get(key), actual.inactive.get(key)
        if wanted is not None and found is not None and _bare(wanted) != _bare(found):
            raise KubevmmError(
                f"the {kind} {actual.inactive.get('name')} has the {key} {found}, not {wanted}",
                hint=f"a {kind} keeps its name and its UUID; give the spec those, or make another one",
            )
    config = _merged(kind, actual.inactive, desired, last_applied, answers, repair=repair)
    out: list[actions.Action] = []
    if config.changes:
        out.append(_define(kind, config.node, tuple(path_text(change.path) for change in config.changes)))
    waiting: tuple[str, ...] = ()
    if actual.running and lifecycle.active is not False:
        running = _merged(kind, actual.live or actual.inactive, desired, last_applied, answers, repair=repair)
        if kind == "network":
            now, later = network.plan(running, actual.live or actual.inactive)
            out += now
        else:
            later = [change.path for change in running.changes]
        waiting = tuple(sorted(dict.fromkeys(map(path_text, later))))
    out += _life(kind, actual.inactive, actual, lifecycle)
    return [*out, actions.RestartRequired(waiting)] if waiting else out


def diff(
    kind: Kind,
    desired: dict[str, Any],
    actual: Actual,
    last_applied: dict[str, Any] | None = None,
    answers: tuple[tuple[str, str], ...] = (),
) -> list[Difference]:
    """Return, field by field, where *actual* is not what *desired* says, first as defined, then as it runs."""
    out = [difference(change) for change in _merged(kind, actual.inactive, desired, last_applied, answers).changes]
    if actual.live is not None:
        seen = {each.path for each in out}
        changes = _merged(kind, actual.live, desired, last_applied, answers).changes
        out += [difference(c, running=True) for c in changes if path_text(c.path) not in seen]
    return out


def settle(kind: Kind, desired: dict[str, Any], actual: Actual) -> tuple[tuple[str, str], ...]:
    """Return libvirt's answers to what it does not take as it is written, when *actual* has just been made *desired*.

    They are to be kept beside what was applied, for the next plan: these differences are no drift.
    """
    changes = merge(actual.inactive, desired, desired, table().roots[kind].type).changes
    return tuple(sorted(map(answer, changes)))


def _merged(
    kind: Kind,
    node: dict[str, Any],
    desired: dict[str, Any],
    last: dict[str, Any] | None,
    answers: tuple[tuple[str, str], ...],
    *,
    repair: bool = True,
) -> Merged:
    return merge(node, desired, last, table().roots[kind].type, repair=repair, answers=frozenset(answers))


def _life(kind: Kind, node: dict[str, Any], actual: Actual | None, lifecycle: Lifecycle) -> list[actions.Action]:
    name = str(node.get("name", ""))
    out: list[actions.Action] = []
    autostart = actual.autostart if actual is not None else False
    if lifecycle.autostart is not None and lifecycle.autostart != autostart:
        out.append(actions.SetAutostart(kind, name, lifecycle.autostart))
    running = actual is not None and actual.running
    if lifecycle.active is True and not running:
        if lifecycle.build:
            out.append(actions.Build(kind, name))
        out.append(actions.Start(kind, name))
    if lifecycle.active is False and running:
        out.append(actions.Stop(kind, name))
    return out


def _define(kind: Kind, node: dict[str, Any], paths: tuple[str, ...]) -> actions.Action:
    root = table().roots[kind]
    xml = encode(node, root.type, root.element, table().namespaces, path=("spec", kind), libvirt_order=True)
    return actions.Define(kind, str(node.get("name", "")), xml, paths)


def _bare(text: Any) -> str:
    return str(text).replace("-", "").lower()
