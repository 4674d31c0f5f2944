"""What files, objects and nodes say differently of the same thing: found without changing anything, and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from analyser.compare.normal import normal
from analyser.compare.walk import Difference, differences
from executor.cli import messages
from executor.cli.cluster import why
from executor.cli.cluster.listing import listed
from executor.cli.cluster.server import GUESTS, explained
from executor.cli.diff import DIFFERENT, SAME, TROUBLE, line, show, values
from executor.cluster.resources import RESOURCES
from kube.errors import ApiError, NotFound
from kube.object import Key
from schemas.table import table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from executor.cli.cluster.listing import Query
    from executor.cli.cluster.server import Server
    from executor.engine.source import Declarations, Declared

_MARKS: Final = ("labels", "annotations")


async def of_objects(server: Server, queries: Sequence[Query]) -> int:
    """Show where nodes do not have what the objects say that *queries* find; return the exit code."""
    code = SAME
    for found in await listed(server, queries):
        for error in found.missing:
            messages.failure(error)
            code = TROUBLE
        for obj in found.objects:
            name = called(found.query.kind, obj["metadata"], found.query.everywhere)
            code = max(code, _standing(name, obj))
    return code


async def of_files(server: Server, declared: Declarations) -> int:
    """Show where objects are not what *declared* says, and where nodes do not have it; return the exit code."""
    code = SAME
    secrets = {value for value in declared.secrets.values() if value}
    for each in declared.objects:
        try:
            code = max(code, await _file(server, each, secrets))
        except ApiError as error:
            messages.failure(explained(error, server.url))
            code = TROUBLE
    return code


async def _file(server: Server, each: Declared, secrets: set[str]) -> int:
    resource = RESOURCES[each.ref.kind]
    metadata = each.object.get("metadata") or {}
    namespace = (metadata.get("namespace") or server.namespace) if resource.namespaced else ""
    name = f"{each.ref.kind.lower()}/{each.ref.name}"
    try:
        found = (await server.client.get(resource, Key(namespace, each.ref.name))).decode()
    except NotFound as error:
        if "page not found" in str(error):
            raise
        line("+ ", f"{name}: is not there yet")
        return DIFFERENT
    code = SAME
    for difference in compared(found, each.object):
        show(f"{name}: {difference.path}: the file says otherwise")
        values(difference.path, difference.a, difference.b, secrets)
        code = DIFFERENT
    return max(code, _standing(name, found))


def _standing(name: str, obj: Mapping[str, Any]) -> int:
    code = SAME
    for text in standing(obj):
        show(f"{name}: {text}")
        code = DIFFERENT
    return code


def called(kind: str, metadata: Mapping[str, Any], everywhere: bool) -> str:
    """Return what an object is called in a line of ours."""
    where = f"{metadata['namespace']}/" if everywhere and metadata.get("namespace") else ""
    return f"{kind.lower()}/{where}{metadata['name']}"


def standing(obj: Mapping[str, Any]) -> Iterator[str]:
    """Yield where what is on its node, or its nodes, is not what *obj* says, as far as these have told. Pure."""
    status = obj.get("status") or {}
    if obj["kind"] != GUESTS.kind:
        for node in status.get("nodes") or ():
            if node.get("state") == "Failed":
                message = node.get("message") or "it does not say why"
                yield f"the node {node.get('nodeName')} does not have it so: {message}"
        return
    if not status.get("nodeName"):
        yield from why.reasons(obj, None)
        return
    if late := why.behind(obj):
        yield late
    if problem := why.refused(obj):
        yield f"its node {status['nodeName']} does not have it so: {problem}"
    pending = status.get("pendingChanges") or ()
    yield from (f"{path}: waits for the guest's next start" for path in pending)
    if status.get("restartRequired") and not pending:
        yield "changes wait for the guest's next start"
    yield from (f"{path}: somebody changed the guest" for path in status.get("drift") or ())


def compared(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Difference]:
    """Return where the object *found* is not what *wanted* says; of labels and annotations only what that names. Pure.

    What means the same to libvirt (4Gi, 4096Mi) is no difference.
    """
    out = differences(_plain(found), _plain(wanted), "spec")
    here, there = (obj.get("metadata") or {} for obj in (found, wanted))
    for mark in _MARKS:
        named = there.get(mark) or {}
        same = {name: value for name, value in (here.get(mark) or {}).items() if name in named}
        out += differences(same, dict(named), f"metadata.{mark}")
    return out


def _plain(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec of *obj*, its native part in the one form that all of its spellings share."""
    spec = dict(obj.get("spec") or {})
    for root in table().roots.values():
        if root.kind == obj["kind"] and isinstance(spec.get(root.field or ""), dict):
            native = spec[root.field or ""]
            spec[root.field or ""] = normal(native, root.type, native)
    return spec
