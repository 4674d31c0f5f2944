"""Each guest of an import as its report has it, with what only the whole estate shows: what is missing in it."""

from __future__ import annotations

import json
from functools import lru_cache
from json.encoder import encode_basestring as quoted
from typing import TYPE_CHECKING, Any, NamedTuple

from analyser.importer.findings import NETWORK, POOL
from analyser.importer.row import FIELD, NEXT, person
from analyser.importer.spool import IMPORTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from analyser.importer.spool import Spool

_NODES = 64
_STATES = {
    "superseded": "another definition of it on the same node counts more",
    "stale": "the guest is defined on another node too, which has it now",
    "conflict": "several definitions of one guest, and nothing says which counts",
}

Entry = dict[str, Any]
"""What there is to say of one document: plain JSON."""


class Guest(NamedTuple):
    """An imported guest: its entry in report.json, and what is counted of it."""

    text: str
    namespace: str
    node: str | None
    running: int
    secret: int
    devices: str
    elements: int
    codes: str
    left_out: str


def guests(spool: Spool) -> Iterator[Guest]:
    """Yield the imported guests in the order of their names."""
    known = _known(spool)
    rows = spool.query(
        "SELECT place, final, node, running, secret, note, front, back, uses, devices, elements, codes, left_out"
        " FROM described WHERE kind = 'guest' AND state = ? ORDER BY place, final", IMPORTED,
    )  # fmt: skip
    for place, final, node, running, secret, note, front, back, uses, devices, elements, codes, left_out in rows:
        found = list(_missing(uses, known(node))) if uses else []
        found += [(code, detail) for code, _, detail in (part.partition(":") for part in note.split("\n") if part)]
        if found:
            more = ", ".join([person(code, detail) for code, detail in found])
            back += f", {more}" if codes else more  # noqa: PLW2901  (a string of this row)
            codes = NEXT.join([*([codes] if codes else []), *(code for code, _ in found)])  # noqa: PLW2901
        file = f"{place}/{final}"
        yield Guest(
            f'{{"namespace": "{place}", "name": "{final}", "node": {quoted(node) if node else "null"}, {front}, '
            f'"file": "{file}.yaml", ' + (f'"secret": "{file}-secrets.yaml", ' if secret else "") + f"{back}]}}",
            place, node, running, secret, devices, elements, codes, left_out,
        )  # fmt: skip


class _Node:
    """What one node has."""

    def __init__(self, networks: set[str], pools: dict[str, dict[str, Any]]) -> None:
        self.networks = networks
        self.pools = pools

    def holds(self, kind: str, place: str) -> bool:
        """Say whether a disk of *kind* at *place* is in one of the node's pools."""
        for pool in self.pools.values():
            target = pool.get("target")
            if kind in ("file", "block", "dir"):
                if target and place.startswith(target.rstrip("/") + "/"):
                    return True
            elif kind == pool.get("type"):
                inside = pool.get("source") or pool.get("device")
                if inside and (place == inside or place.startswith(inside + "/")):
                    return True
        return False


def _known(spool: Spool) -> Callable[[str | None], _Node]:
    @lru_cache(maxsize=_NODES)
    def known(node: str | None) -> _Node:
        rows = list(
            spool.query(
                "SELECT kind, name, info FROM described WHERE kind IN ('network', 'pool') AND state = ? AND node IS ?",
                IMPORTED,
                node,
            )
        )
        return _Node(
            {name for kind, name, _ in rows if kind == "network"},
            {name: json.loads(info) for kind, name, info in rows if kind == "pool"},
        )

    return known


def _missing(uses: str, node: _Node) -> Iterator[tuple[str, str]]:
    for use in uses.split(NEXT):
        what, *name = use.split(FIELD)
        if what == NETWORK:
            if name[0] not in node.networks:
                yield "missing-network", name[0]
        elif what == POOL:
            if name[0] not in node.pools:
                yield "missing-pool", name[0]
        else:
            target, kind, place = name
            if not node.holds(kind, place):
                found = place if kind in ("file", "block", "dir") else f"{kind} {place}"
                yield "disk-outside-pools", f"{target}: {found}"


def failures(spool: Spool) -> Iterator[Entry]:
    """Yield what failed: files that cannot be read or converted, and guests that are defined more than once."""
    rows = spool.query(
        "SELECT source, node, kind, name, note, info, front FROM described WHERE kind = 'failed' OR state = 'conflict'"
        " ORDER BY source, part"
    )
    for source, node, kind, name, note, info, front in rows:
        said = json.loads(info if kind == "failed" else f"{{{front}}}")
        if kind == "failed":
            yield {"source": source, "node": node, **{key: value for key, value in said.items() if value is not None}}
        else:
            message = f"{name} ({said['uuid']}): {_STATES['conflict']}: {note}"
            yield {
                "source": source, "node": node, "message": message, "text": f"{source}: {message}",
                "hint": "remove the definitions that are left over, and import again",
            }  # fmt: skip


def passed_over(spool: Spool) -> Iterator[Entry]:
    """Yield the definitions that were not imported because another of the same thing was, and libvirt's own files."""
    rows = spool.query(
        "SELECT source, node, kind, name, state, note FROM item"
        " WHERE state IN ('superseded', 'stale') OR kind = 'ignored' ORDER BY source, part"
    )
    for source, node, kind, name, state, note in rows:
        why = _STATES.get(state, "a file that libvirt keeps for itself")
        yield {
            "source": source,
            "node": node,
            "kind": kind,
            "name": name,
            "why": why,
            **({"instead": note} if note else {}),
        }


def others(spool: Spool) -> Iterator[Entry]:
    """Yield the documents that are no guests, networks or pools: kept to be read, not to be applied."""
    rows = spool.query(
        "SELECT source, node, name, place, final, info FROM described WHERE kind = 'other' AND state = ?"
        " ORDER BY place, final",
        IMPORTED,
    )
    for source, node, name, place, final, info in rows:
        yield {
            "kind": json.loads(info)["kind"],
            "name": name,
            "node": node,
            "source": source,
            "file": f"{place}/{final}.yaml",
        }
