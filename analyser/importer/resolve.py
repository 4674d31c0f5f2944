"""Decides what no single file can: which of several definitions counts, in which namespace, under which name.

Everything here depends on the whole estate and on nothing else, so the order in which files came does not matter.
"""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from analyser.importer import names
from analyser.importer.spool import IMPORTED, Spool

if TYPE_CHECKING:
    from collections.abc import Iterable

SUPERSEDED, STALE, CONFLICT = "superseded", "stale", "conflict"


class Definition(NamedTuple):
    """One definition of a guest that has several."""

    source: str
    part: int
    node: str | None
    rank: int
    running: int
    sha: str


def choose(definitions: list[Definition]) -> tuple[Definition | None, str]:
    """Return the definition that counts and its state for the others (None: a person must say which).

    On one node libvirt's own configuration counts before a dump, a run-time file and what Nova wrote. Of several nodes
    the one where the guest runs counts, or the only one whose libvirt has it defined: the others are left over from a
    migration. Where neither can be told, starting the wrong one could damage the guest's disks.
    """
    ordered = sorted(definitions, key=lambda d: (d.rank, d.node or "", d.source, d.part))
    best: dict[str, Definition] = {}
    for each in ordered:
        best.setdefault(each.node or "", each)
    for node, chosen in best.items():
        equal = [d for d in ordered if (d.node or "") == node and d.rank == chosen.rank]
        if len({d.sha for d in equal}) > 1:
            return None, CONFLICT
    if len(best) == 1:
        return next(iter(best.values())), SUPERSEDED
    runs = {d.node or "" for d in definitions if d.running}
    if len(runs) == 1:
        return best[runs.pop()], STALE
    if not runs:
        configured = [d for d in best.values() if d.rank == min(x.rank for x in best.values())]
        if len(configured) == 1 and configured[0].rank == 0:
            return configured[0], STALE
    return None, CONFLICT


def duplicates(spool: Spool) -> None:
    """Give every guest's definition its state."""
    found = spool.query(
        "SELECT identity, source, part, node, rank, running, sha FROM item WHERE kind = 'guest' AND identity IN"
        " (SELECT identity FROM item WHERE kind = 'guest' GROUP BY identity HAVING count(*) > 1)"
        " ORDER BY identity, source, part"
    )
    changes: list[tuple[str, str, str, int]] = []
    for _, group in groupby(found, itemgetter(0)):
        definitions = [Definition(*row[1:]) for row in group]
        chosen, state = choose(definitions)
        places = _listed({d.source for d in definitions}) if chosen is None else ""
        for each in definitions:
            if chosen is None:
                changes.append((CONFLICT, places, each.source, each.part))
            elif each != chosen:
                here = SUPERSEDED if each.node == chosen.node else state
                changes.append((here, chosen.source, each.source, each.part))
            elif state == STALE:
                stale = _listed({d.node or "unknown node" for d in definitions if d.node != chosen.node})
                changes.append((IMPORTED, f"stale-elsewhere:{stale}", each.source, each.part))
    spool.many("UPDATE item SET state = ?, note = ? WHERE source = ? AND part = ?", changes)
    _other_duplicates(spool)


_NAMED = 4


def _listed(places: set[str]) -> str:
    named = ", ".join(sorted(places)[:_NAMED])
    return named if len(places) <= _NAMED else f"{named} and {len(places) - _NAMED} more"


def _other_duplicates(spool: Spool) -> None:
    """Of networks and pools that one node has twice, keep the one that counts most; of others, distinct ones."""
    spool.execute(
        "UPDATE item SET state = ? WHERE kind IN ('network', 'pool', 'other') AND EXISTS (SELECT 1 FROM item AS better"
        " WHERE better.kind = item.kind AND better.identity = item.identity AND better.folder = item.folder"
        " AND (better.rank, better.source, better.part) < (item.rank, item.source, item.part))",
        SUPERSEDED,
    )


def namespaces(spool: Spool) -> None:
    """Keep projects apart that would like the same namespace: by their ids, whoever comes first."""
    # Guests of no project share what they would like with each other, never with a project.
    wanted: dict[str, set[str]] = defaultdict(set)
    for folder, project in spool.query(
        "SELECT DISTINCT folder, project FROM item WHERE kind = 'guest' AND state = ?", IMPORTED
    ):
        wanted[folder].add(project)
    for (folder, project), final in distinct(wanted).items():
        if final != folder:
            spool.execute(
                "UPDATE item SET place = ? WHERE kind = 'guest' AND folder = ? AND project = ?", final, folder, project
            )


def distinct(wanted: dict[str, set[str]]) -> dict[tuple[str, str], str]:
    """Return a namespace of its own for each (name, project) of *wanted*, which has the projects by name."""
    levels = {(name, project): int(len(projects) > 1) for name, projects in wanted.items() for project in projects}
    while True:
        final = {key: names.suffixed(key[0], _hexadecimal(key[1]), level) for key, level in levels.items()}
        taken: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for key, name in final.items():
            taken[name].append(key)
        again = [key for keys in taken.values() if len(keys) > 1 for key in keys]
        if not again:
            return final
        for key in again:
            levels[key] += 1


def _hexadecimal(project: str) -> str:
    plain = project.replace("-", "").lower()
    return plain if len(plain) == 32 and all(c in "0123456789abcdef" for c in plain) else names.digest(project)  # noqa: PLR2004


def object_names(spool: Spool) -> None:
    """Give every guest, and every other document, a name that nothing else in its folder has."""
    spool.execute(
        "UPDATE item SET level = 1, final = suffixed(base, identity, 1) WHERE state = ? AND taken_file(final)", IMPORTED
    )
    while spool.execute(
        "UPDATE item SET level = level + 1, final = suffixed(base, identity, level + 1)"
        " WHERE kind IN ('guest', 'other') AND state = ? AND (place, final) IN (SELECT place, final FROM item"
        " WHERE kind IN ('guest', 'other') AND state = ? GROUP BY place, final HAVING count(*) > 1)",
        IMPORTED, IMPORTED,
    ):  # fmt: skip
        pass


def same_names(spool: Spool) -> None:
    """Note guests of one node that have one domain name: libvirt has only one of them."""
    spool.execute(
        "UPDATE item SET note = note || '\nsame-name:' || name WHERE kind = 'guest' AND state = ? AND node IS NOT NULL"
        " AND (node, name) IN (SELECT node, name FROM item WHERE kind = 'guest' AND state = ? AND node IS NOT NULL"
        " GROUP BY node, name HAVING count(*) > 1)",
        IMPORTED, IMPORTED,
    )  # fmt: skip


class Shared(NamedTuple):
    """A network or pool as one object: its name, the nodes that have it, and the file of one of them."""

    kind: str
    name: str
    nodes: list[str]
    file: str
    secret: bool
    info: dict[str, Any]
    differing: bool
    """Whether the nodes' own UUIDs differ, so that the object has none."""
    apart: bool
    """Whether there is another of the name that is not equal."""


def shared(spool: Spool) -> Iterable[Shared]:
    """Yield the networks and pools, those that are equal on several nodes as one; names never depend on order."""
    rows = spool.query(
        "SELECT kind, base, merge, node, file, secret, info FROM described"
        " WHERE kind IN ('network', 'pool') AND state = ? ORDER BY kind, base, merge, node, source, part",
        IMPORTED,
    )
    for (kind, base), group in groupby(rows, itemgetter(0, 1)):
        kinds = [list(equal) for _, equal in groupby(group, itemgetter(2))]
        for equal in kinds:
            name = names.suffixed(base, equal[0][2], int(len(kinds) > 1))
            if name.endswith("-secrets"):
                name = names.suffixed(base, equal[0][2], 1)
            infos = [json.loads(row[6]) for row in equal]
            yield Shared(
                kind, name, sorted({row[3] for row in equal if row[3]}), equal[0][4], bool(equal[0][5]), infos[0],
                len({info["own"] for info in infos}) > 1, len(kinds) > 1,
            )  # fmt: skip


def resolve(spool: Spool) -> None:
    """Decide everything."""
    duplicates(spool)
    namespaces(spool)
    object_names(spool)
    same_names(spool)
    spool.db.commit()
