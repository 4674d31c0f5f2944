"""What there is to say of one object of a cluster: itself, its events, and why it is not as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from executor.cli import messages
from executor.cli.cluster import why
from executor.cli.cluster.listing import without_owners
from executor.cli.cluster.server import GUESTS, NODES, get
from executor.cli.describing import text as described
from executor.cli.getting import age
from executor.cli.tables import table
from executor.cluster.wanted import LAST_APPLIED
from kube.errors import Forbidden, NotFound
from kube.object import Key
from kube.pages import Selection
from kube.resource import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from executor.cli.cluster.server import Server

_SAID: Final = ("created", "ready")
"""Keys of the status that say what its words and conditions say too."""

_OF_CLUSTER: Final = "default"
"""The namespace of events about what is in none."""


async def about(server: Server, kind: str, name: str) -> dict[str, Any]:
    """Return the ``object``, its ``events``, the older ones first, and the ``reasons`` why it is not as it should be.

    Raises KubevmmError where there is no such object. What its reader may not see is left out.
    """
    obj = without_owners((await get(server, kind, name)).decode())
    out: dict[str, Any] = {"object": obj, "events": await _events(server, obj)}
    if kind == GUESTS.kind:
        out["reasons"] = list(why.reasons(obj, await _node(server, obj)))
    return out


async def _node(server: Server, guest: Mapping[str, Any]) -> dict[str, Any] | None:
    name = (guest.get("status") or {}).get("nodeName")
    if not name:
        return None
    try:
        return (await server.client.get(NODES, Key("", name))).decode()
    except NotFound:
        return None
    except Forbidden:
        return {}


async def _events(server: Server, obj: Mapping[str, Any]) -> list[dict[str, Any]]:
    metadata = obj["metadata"]
    fields = f"regarding.kind={obj['kind']},regarding.name={metadata['name']}"
    try:
        found = await server.client.list(EVENTS, Selection(metadata.get("namespace", _OF_CLUSTER), fields=fields))
    except Forbidden:
        return []
    events = [each.decode() for each in found]
    same = [each for each in events if (each.get("regarding") or {}).get("uid") in (None, "", metadata["uid"])]
    return sorted(map(_event, same), key=lambda event: str(event["last"]))


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    series = event.get("series") or {}
    first = event.get("eventTime") or event.get("deprecatedFirstTimestamp") or event["metadata"]["creationTimestamp"]
    return {
        "type": event.get("type"),
        "reason": event.get("reason"),
        "last": series.get("lastObservedTime") or event.get("deprecatedLastTimestamp") or first,
        "count": series.get("count") or event.get("deprecatedCount") or 1,
        "from": event.get("reportingController") or (event.get("deprecatedSource") or {}).get("component"),
        "message": event.get("note"),
    }


def text(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that say what `about` returned."""
    if found.get("reasons"):
        yield "Why:"
        yield from (f"  - {messages.one_line(reason)}" for reason in found["reasons"])
    yield from described(_for_people(found["object"]))
    if not found["events"]:
        yield f"{'Events:':<18}<none>"
        return
    yield "Events:"
    rows = [
        (
            each["type"], each["reason"], age(each["last"]) + (f" (x{each['count']})" if each["count"] > 1 else ""),
            each["from"], each["message"],
        )
        for each in found["events"]
    ]  # fmt: skip
    for line in table(("TYPE", "REASON", "AGE", "FROM", "MESSAGE"), rows).splitlines():
        yield f"  {line}"


def _for_people(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return *obj* without what it says twice."""
    metadata = dict(obj["metadata"])
    metadata["annotations"] = {
        name: value for name, value in (metadata.get("annotations") or {}).items() if name != LAST_APPLIED
    }
    status = {name: value for name, value in (obj.get("status") or {}).items() if name not in _SAID}
    return {**obj, "metadata": metadata, "status": status}
