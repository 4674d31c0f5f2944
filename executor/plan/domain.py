"""The plan for one domain: from what the spec says, what is there, and what was applied last."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lxml import etree

from analyser import xmlreader
from analyser.codec.encode import encode
from analyser.compare.normal import HIDDEN, is_secret
from executor.plan import actions, foreign, live, rules, worked
from executor.plan import mark as marks
from executor.plan.identity import label
from executor.plan.merge import Cause, Change, Merged, answer, merge, path_text
from schemas.errors import KubevmmError
from schemas.table import table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from executor.plan.actual import Actual
    from executor.plan.mark import Mark
    from executor.plan.merge import Answers, Path
    from schemas.table import Field, Type

_FORMAT = ("driver", "type")
_STEP = re.compile(r"\[[^\]]*\]|[^.\[\]]+")


@dataclass(frozen=True)
class Difference:
    """One value that is not what the spec says.

    ``running`` says whether it is so in the running guest alone, ``runs`` whether in the definition alone.
    """

    path: str
    actual: Any
    desired: Any
    cause: Cause
    running: bool = False
    runs: bool = False


def plan(
    desired: dict[str, Any],
    actual: Actual | None,
    last_applied: dict[str, Any] | None = None,
    *,
    mark: Mark | None = None,
    live_updates: bool = True,
    repair: bool = True,
    defined: bool = False,
) -> list[actions.Action]:
    """Return what must be done so that the domain *actual* (None: there is none) becomes *desired*, in a safe order.

    *desired* and *last_applied* are ``spec.domain`` as somebody wrote it, with its references resolved; the domain has
    *mark* afterwards. Without *live_updates* all changes wait for the guest's next start; without *repair* what
    somebody changed behind our back stays. The definition comes first, so that a guest that ends on the way starts
    anew as it should; the mark comes last, so that what is not done yet is still known to be wanted.

    A plan with a Define is best run as far as that, and then made anew from what libvirt says then, *defined*: devices
    are then plugged in where the definition has them, and what libvirt does not take as it is written is known, so that
    it is not asked for again. When all is done, ``settle`` notes what is left.

    Raises KubevmmError where *desired* is another domain than *actual*, InputError where libvirt's XML cannot say it.
    """
    desired, last_applied = _read(desired, last_applied)
    if actual is None:
        return [_new(desired, mark)]
    _check(desired, actual)
    wanted, renames = _renamed(desired, actual)
    if renames:
        actual = replace(actual, inactive={**actual.inactive, "name": wanted["name"]})
    config, keep = _config(wanted, last_applied, actual, repair=repair)
    changed = bool(config.changes) and not defined
    complete(config.node)
    out: list[actions.Action] = list(renames)
    now: list[actions.Action] = []
    waiting: list[Path] = []
    if actual.running and actual.live is not None:
        now, waiting = _live(wanted, actual, last_applied, config, repair=repair, live_updates=live_updates)
        if wanted is not desired:
            waiting.append(("name",))
    pending = _pending(actual, waiting, wanted)
    if mark is not None:
        if actual.mark is None and last_applied is None and now:
            # Should this end on the way, the next pass must still know that what runs was to change, too.
            out.append(_set_mark(replace(mark, applied={"spec": {"domain": {}}}, secrets=()), actual, config=False))
        mark = _noted(mark, actual, pending, wanted, keep, all_of_it=defined)
    in_definition = changed and mark is not None and not actual.running
    if changed:
        node = _marked(config.node, mark) if in_definition and mark is not None else config.node
        out.append(_define(node, tuple(path_text(change.path) for change in config.changes)))
    out += now
    if mark is not None and mark != actual.mark and not in_definition:
        out.append(_set_mark(mark, actual, config=changed))
    if pending:
        out.append(actions.RestartRequired(pending))
    return out


def settle(
    desired: dict[str, Any],
    actual: Actual,
    last_applied: dict[str, Any] | None,
    mark: Mark,
    done: Iterable[actions.Action] = (),
) -> list[actions.Action]:
    """Return what is left to note when a plan has been carried out and libvirt says that it is *actual* now.

    What is not as it should be in the definition is libvirt's answer to what it does not take, and is no drift from now
    on; what is not so in the running guest waits for its next start. So the next plan is empty. *last_applied* is what
    it was for the plan, and *done* the plan.
    """
    desired, last_applied = _read(desired, last_applied)
    wanted, _ = _renamed(desired, actual)
    waiting: list[Path] = [] if wanted is desired else [("name",)]
    if actual.live is not None:
        waiting += _undone(_merged_live(wanted, last_applied, actual), wanted, actual)
        left = (steps_of(text) for step in done if isinstance(step, actions.RestartRequired) for text in step.paths)
        waiting += [path for path in left if _reported(path)]
    pending = _pending(actual, waiting, wanted)
    _, keep = _config(wanted, last_applied, actual)
    mark = _noted(mark, actual, pending, wanted, keep, all_of_it=True)
    out: list[actions.Action] = [] if mark == actual.mark else [_set_mark(mark, actual, config=False)]
    return [*out, actions.RestartRequired(pending)] if pending else out


def release(actual: Actual) -> list[actions.Action]:
    """Return how the domain is given back to plain libvirt: without our mark, and else as it is.

    Where the mark is all of the metadata, libvirt leaves an empty element behind: the last step, which the release does
    not depend on, defines the domain without.
    """
    if actual.mark is None:
        return []
    alone = actual.persistent and set(foreign.elements(str(actual.inactive["metadata"]))) == {marks.URI}
    out: list[actions.Action] = [
        actions.SetMark(marks.URI, marks.KEY, None, in_live=actual.running, in_config=actual.persistent)
    ]
    if alone:
        (root,) = xmlreader.parse(actual.inactive_xml)
        for metadata in root.findall("metadata"):
            root.remove(metadata)
        xml = etree.tostring(root, encoding="unicode")
        out.append(actions.Define("domain", str(actual.inactive.get("name", "")), xml, ("metadata",)))
    return out


def _undone(running: Merged, desired: dict[str, Any], actual: Actual) -> list[Path]:
    """Return what the *running* guest still is not, though all that can be done has been done."""
    answers = set(map(answer, _unlike(desired, actual)))
    changes = [c for c in running.changes if not _reported(c.path) and answer(c) not in answers]
    _, later = live.plan(Merged(running.node, changes, running.entries), actual.inactive, actual)
    # A limit that has been taken away may well still be shown, with the value that stands for none.
    return [c.path for c in changes if c.new is not None or c.path[0] == "devices" or c.path in later]


def _merged(
    node: dict[str, Any],
    desired: dict[str, Any],
    last: dict[str, Any] | None,
    actual: Actual,
    *,
    repair: bool = True,
    keep: frozenset[Path] = frozenset(),
) -> Merged:
    return merge(node, desired, last, table().roots["domain"].type, repair=repair, answers=_known(actual), keep=keep)


def _known(actual: Actual) -> Answers:
    return frozenset(actual.mark.answers) if actual.mark is not None else frozenset()


def _config(
    desired: dict[str, Any], last: dict[str, Any] | None, actual: Actual, *, repair: bool = True
) -> tuple[Merged, frozenset[Path]]:
    """Return what the definition shall be, and the paths where it stays, since libvirt works them out of it."""
    merged = _merged(actual.inactive, desired, last, actual, repair=repair)
    if actual.live is None or not any(worked.may_keep(change.path, last) for change in merged.changes):
        return merged, frozenset()
    keep = worked.kept(merged.changes, _merged_live(desired, last, actual).changes, last)
    return (_merged(actual.inactive, desired, last, actual, repair=repair, keep=keep) if keep else merged), keep


def _merged_live(
    desired: dict[str, Any], last: dict[str, Any] | None, actual: Actual, *, repair: bool = True
) -> Merged:
    """Return what the running guest shall be."""
    running = actual.live or {}
    merged = _merged(running, desired, last, actual, repair=repair)
    # With all of its CPUs on, a guest has as many as its maximum says, whatever the next maximum is.
    vcpu = running.get("vcpu") or {}
    online = vcpu.get("current", vcpu.get("value"))
    merged.changes[:] = [
        c
        for c in merged.changes
        if (c.path != ("vcpu", "current") or c.new != online) and not (c.path[-2:] == _FORMAT and _empty(c, merged))
    ]
    return merged


def _empty(change: Change, merged: Merged) -> bool:
    """Say whether *change* is to a drive with nothing in it, which has no format while it runs."""
    old, _, _ = merged.entries.get(change.path[:3], (None, None, None))
    return change.old is None and old is not None and not old.get("source")


def _unlike(desired: dict[str, Any], actual: Actual) -> list[Change]:
    """Return what libvirt has in its definition in place of what it was asked for."""
    # What is no longer wanted is none: libvirt may well have a value of its own in its place.
    return merge(actual.inactive, desired, desired, table().roots["domain"].type).changes


def _noted(
    mark: Mark,
    actual: Actual,
    pending: tuple[str, ...],
    desired: dict[str, Any],
    keep: frozenset[Path],
    *,
    all_of_it: bool,
) -> Mark:
    """Return *mark* with what waits and with libvirt's answers.

    These are the known ones, and what it *keeps*; where the definition was just made, *all of it* that is not as asked.
    """
    known = _known(actual)
    answers = dict(known)
    if all_of_it or keep:
        unlike = _unlike(desired, actual)
        answers = {} if all_of_it else answers
        answers |= worked.answers(actual.inactive, unlike if all_of_it else worked.only(unlike, keep), keep, known)
    return replace(
        mark, pending=pending, guest=actual.number if pending else None, answers=tuple(sorted(answers.items()))
    )


def diff(desired: dict[str, Any], actual: Actual, last_applied: dict[str, Any] | None = None) -> list[Difference]:
    """Return, field by field, where *actual* is not what *desired* says, first in its definition, then as it runs."""
    desired, last_applied = _read(desired, last_applied)
    config, _ = _config(desired, last_applied, actual)
    running = [] if actual.live is None else _merged_live(desired, last_applied, actual).changes
    differs = {change.path for change in running}
    out = [
        difference(change, runs=actual.live is not None and worked.agrees(change, differs)) for change in config.changes
    ]
    if running:
        seen = {each.path for each in out}
        left = _left(actual)
        for change in running:
            path = path_text(change.path)
            if not _reported(change.path) and path not in seen:
                cause = Cause.RESTART if path in left else change.cause
                out.append(difference(replace(change, cause=cause), running=True))
    return out


def _read(desired: dict[str, Any], last: dict[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any] | None]:
    return foreign.lifted(desired), None if last is None else foreign.lifted(last)


def complete(node: dict[str, Any]) -> None:
    """Give the interfaces of *node* that have no MAC address one that every pass finds again.

    libvirt would make up one for the definition and another one for the running guest.
    """
    devices = node.get("devices")
    interfaces = devices.get("interfaces") if isinstance(devices, dict) else None
    if not interfaces or all((entry.get("mac") or {}).get("address") for entry in interfaces):
        return
    taken = {str((entry.get("mac") or {}).get("address", "")).lower() for entry in interfaces}
    owner = node.get("uuid") or node.get("name") or ""
    filled = []
    for entry in interfaces:
        if (entry.get("mac") or {}).get("address"):
            filled.append(entry)
            continue
        number = 0
        while (address := _mac(str(owner), number)) in taken:
            number += 1
        taken.add(address)
        filled.append({**entry, "mac": {**(entry.get("mac") or {}), "address": address}})
    node["devices"] = {**devices, "interfaces": filled}  # type: ignore[dict-item]


def _set_mark(mark: Mark, actual: Actual, *, config: bool) -> actions.Action:
    in_config = actual.persistent or config
    return actions.SetMark(marks.URI, marks.KEY, mark.xml(), in_live=actual.running, in_config=in_config)


def _mac(owner: str, number: int) -> str:
    digest = hashlib.sha256(f"{owner.lower()}/{number}".encode()).digest()
    return "52:54:00:" + ":".join(f"{octet:02x}" for octet in digest[:3])


def _new(desired: dict[str, Any], mark: Mark | None) -> actions.Action:
    node = merge(None, desired, None, table().roots["domain"].type).node
    complete(node)
    return _define(_marked(node, mark) if mark is not None else node, ())


def _define(node: dict[str, Any], paths: tuple[str, ...]) -> actions.Action:
    root = table().roots["domain"]
    xml = encode(node, root.type, root.element, table().namespaces, path=("spec", "domain"), libvirt_order=True)
    return actions.Define("domain", str(node.get("name", "")), xml, paths)


def _marked(node: dict[str, Any], mark: Mark) -> dict[str, Any]:
    rest = foreign.without(str(node.get("metadata") or ""), marks.URI)
    return {**node, "metadata": f"{rest}\n{mark.element()}".lstrip("\n")}


def _check(desired: dict[str, Any], actual: Actual) -> None:
    wanted, found = desired.get("uuid"), actual.inactive.get("uuid")
    if wanted is not None and found is not None and _bare(wanted) != _bare(found):
        raise KubevmmError(
            f"the domain {actual.inactive.get('name')} has the UUID {found}, not {wanted}",
            hint="a guest keeps its UUID; give the spec that one, or another name",
        )


def _bare(uuid: Any) -> str:
    return str(uuid).replace("-", "").lower()


def _renamed(desired: dict[str, Any], actual: Actual) -> tuple[dict[str, Any], list[actions.Action]]:
    """Return *desired* with the name that its definition can have now, and what renames it if it can be."""
    old, new = actual.inactive.get("name"), desired.get("name")
    if new is None or old is None or str(old) == str(new):
        return desired, []
    if actual.running or not actual.persistent:
        return {**desired, "name": old}, []
    return desired, [actions.Rename(str(old), str(new))]


def _live(
    desired: dict[str, Any],
    actual: Actual,
    last: dict[str, Any] | None,
    config: Merged,
    *,
    repair: bool,
    live_updates: bool,
) -> tuple[list[actions.Action], list[Path]]:
    merged = _merged_live(desired, last, actual, repair=repair)
    now = {change.path for change in config.changes}
    left = _left(actual)
    todo: list[Change] = []
    waiting: list[Path] = []
    for change in merged.changes:
        if change.cause is Cause.SPEC or worked.touched(change.path, now):
            todo.append(change)
        elif change.cause is Cause.FIRST or path_text(change.path) in left:
            # It waited for the next start before we came, or since we left it to that.
            waiting += [] if _reported(change.path) else [change.path]
        elif not _reported(change.path):
            todo.append(change)
    seen = {change.path for change in todo}
    todo += [change for change in config.changes if _reported(change.path) and change.path not in seen]
    if not live_updates:
        return [], [*(change.path for change in todo), *waiting]
    done, later = live.plan(Merged(merged.node, todo, merged.entries), config.node, actual)
    return done, [*later, *waiting]


def _left(actual: Actual) -> tuple[str, ...]:
    """Return the paths that wait for the running guest's next start, as far as the mark knows."""
    before = actual.mark
    return before.pending if before is not None and actual.running and before.guest == actual.number else ()


def _reported(path: Path) -> bool:
    return any(path[: len(prefix)] == prefix for prefix in rules.REPORTED)


def _pending(actual: Actual, waiting: list[Path], desired: dict[str, Any]) -> tuple[str, ...]:
    """Return what waits for a restart: what this plan leaves, and what earlier ones left for the same guest.

    What the spec says is compared anew by every plan; what it no longer says is only known from before.
    """
    out = dict.fromkeys(path_text(path) for path in waiting)
    for text in _left(actual):
        steps = steps_of(text)
        if _reported(steps) or (has(actual.live or {}, steps) and not has(desired, steps)):
            out[text] = None
    return tuple(sorted(out))


def has(node: dict[str, Any], steps: Path) -> bool:
    """Say whether the domain *node* has something at the path *steps*."""
    kind: Type | None = table().roots["domain"].type
    found: Any = node
    where: Field | None = None
    for step in steps:
        if step.startswith("[") and found.__class__ is list:
            entries = enumerate(found)
            found = next((e for place, e in entries if where is not None and label(e, where, place) == step), None)
        elif kind is not None and found.__class__ is dict:
            where = kind.by_key.get(step)
            kind = where.type if where is not None and where.value == "map" else None
            found = found.get(step)
        else:
            return False
    return found is not None


def steps_of(text: str) -> Path:
    """Return the path that *text* writes."""
    return tuple(_STEP.findall(text))


def difference(change: Change, *, running: bool = False, runs: bool = False) -> Difference:
    """Return *change* as people are told of it, without its secrets."""
    key = next((step for step in reversed(change.path) if not step.startswith("[")), "")
    old, new = (_shown(value, key) for value in (change.old, change.new))
    return Difference(path_text(change.path), old, new, change.cause, running, runs)


def _shown(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return {name: _shown(each, name if not is_secret(key) else key) for name, each in value.items()}
    if isinstance(value, list):
        return [_shown(each, key) for each in value]
    return HIDDEN if value is not None and is_secret(key) else value
