"""One file of a source to rows and files of the spool: converted, stripped, proven. Runs in a worker process."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lxml import etree

from analyser import documents, xmlreader
from analyser.codec.encode import encode
from analyser.importer import names, nova, secrets
from analyser.importer.findings import Finding, findings
from analyser.importer.items import Item, contents
from analyser.importer.proof import compare
from analyser.model import Node
from analyser.runtime import Taken, strip
from analyser.yamlreader import load_all
from analyser.yamlwriter import dump
from schemas.errors import InputError, KubevmmError
from schemas.table import EXTRA, table

if TYPE_CHECKING:
    from collections.abc import Iterator

WRAPPERS = {"domstatus": "domain", "networkstatus": "network", "poolstate": "pool"}
"""libvirt's run-time files, and what is in them."""

INTERNAL = {"qemuCaps", "cpudata", "cpuTest", "nwfilterbindingstatus", "vmstatus", "domainbackupstatus"}
"""Roots of files that libvirt keeps for itself."""


class Options(NamedTuple):
    """What the conversion depends on besides the file; ``spool`` is the folder that files are kept in until named."""

    spool: str
    namespace: str | None
    infrastructure: str


class Row(NamedTuple):
    """One document, as the spool's table has it."""

    source: str
    part: int
    digest: str
    kind: str
    """guest, network, pool, other, ignored or failed."""
    node: str | None
    rank: int
    running: int
    identity: str
    """What a guest is known by, whatever file it stands in."""
    name: str
    base: str
    """The object name that it would like."""
    project: str
    """What tells apart namespaces that would like to be called the same."""
    folder: str
    """The namespace (or the folder below it) that it would like."""
    merge: str
    """Networks and pools that are equal are one object."""
    sha: str
    file: str
    """Its file in the spool."""
    secret: int
    info: str
    """What the report says, as JSON."""


SECRETS = "-secrets"
"""What follows an object's name in the name of its Secret."""


def token(file: str) -> str:
    """Return what stands for a guest's name inside its file until the name is certain."""
    return f"kubevmm-name-{file}"


def rows(item: Item, options: Options, known: str | None = None) -> list[Row] | None:
    """Convert *item* and return its rows; None if it is what was converted before, with the digest *known*.

    Never raises for what is wrong with the item: that is a row of its own.
    """
    name = item.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    item = item._replace(name=name)
    digest = ""
    try:
        data = contents(item)
        context = f"{item.node}\0{int(item.rank)}\0{item.running}\0".encode()
        digest = hashlib.sha256(context + data).hexdigest()
        if digest == known:
            return None
        return list(_documents(item, data, digest, options))
    except RecursionError:
        return [_failed(item, digest, InputError("nested too deeply", file=name))]
    except KubevmmError as error:
        return [_failed(item, digest, error)]


def _documents(item: Item, data: bytes, digest: str, options: Options) -> Iterator[Row]:
    part = 0
    for root in xmlreader.parse(data, file=item.name):
        for element in documents.documents(root):
            try:
                yield _document(item, element, part, digest, options)
            except RecursionError:
                yield _failed(item, digest, InputError("nested too deeply", file=item.name), part)
            except KubevmmError as error:
                if isinstance(error, InputError):
                    error.file = error.file or item.name
                yield _failed(item, digest, error, part)
            part += 1


def _document(item: Item, element: etree._Element, part: int, digest: str, options: Options) -> Row:
    rank = int(item.rank)
    running = bool(item.running)
    inner = WRAPPERS.get(element.tag)
    if element.tag in INTERNAL:
        return _row(item, part, digest, "ignored", name=str(element.tag))
    if inner is not None:
        found = element.find(inner)
        if found is None:
            raise InputError(f"<{element.tag}> without <{inner}>", file=item.name, line=element.sourceline)
        element, rank, running = found, max(rank, 2), True
    elif item.running is None and element.tag == "domain" and element.get("id") is not None:
        running = True
    if element.getparent() is not None:
        element = etree.fromstring(etree.tostring(element, with_tail=False), xmlreader.FRAGMENTS)
    if element.tag == "domain":
        return _guest(item, element, part, digest, options, rank=rank, running=running)
    return _other(item, element, part, digest, options, rank)


def _guest(
    item: Item, domain: etree._Element, part: int, digest: str, options: Options, *, rank: int, running: bool
) -> Row:
    uuid = (domain.findtext("uuid") or "").strip().lower()
    name = domain.findtext("name") or ""
    identity = uuid.replace("-", "") or names.digest(item.node or "", name, "" if name else f"{item.name}#{part}")
    if len(identity) != 32 or not identity.isalnum() or not identity.isascii():  # noqa: PLR2004  (a UUID's digits)
        identity = names.digest(identity)
    live_only = domain.get("id") is not None and not item.running
    found, uses, devices = findings(domain)
    if domain.find("devices/disk/mirror") is not None:
        found.append(Finding("block-job", "a disk was being copied"))
    file = names.digest(item.name, str(part), digest)
    made = _made(domain, token(file))
    owner = nova.read(domain)
    base = names.guest_name((owner.name if owner else None, name), identity)
    namespace, project = options.namespace or "default", ""
    if owner is not None and (owner.project or owner.project_id):
        namespace = options.namespace or names.project_namespace(owner.project, owner.project_id)
        project = owner.project_id or names.digest(owner.project or "")
    if live_only:
        found.append(Finding("running-only", "import its inactive definition instead where there is one"))
    if item.node is None:
        found.append(Finding("no-node", "set spec.nodeName, or import with --node"))
    spec: Node = {"runStrategy": "Manual", "deletionPolicy": "Retain"}
    if item.node is not None:
        spec["nodeName"] = item.node
    spec["domain"] = made.content
    head = head_of(base, namespace, *_marks(owner))
    text = dump({**head, "spec": spec})
    _prove(item, domain, text, ("spec", "domain"), token(file) if made.values else None)
    if EXTRA in text:
        found.append(_unknown(text))
    found += made.found
    sha = _keep(options, file, text, made.values)
    info = {
        "name": name, "uuid": uuid or None, "running": running,
        "carried": {"elements": made.elements, "devices": devices},
        "leftOut": [{"path": t.path, "what": t.what, **({"value": t.value} if t.value else {})} for t in made.taken],
        "findings": found, "networks": uses.networks, "pools": uses.pools, "disks": uses.disks,
        "labels": head["metadata"].get("labels"), "annotations": head["metadata"].get("annotations"),
    }  # fmt: skip
    return _row(
        item, part, digest, "guest", rank=rank, running=int(running), identity=identity, name=name, base=base,
        project=project, folder=namespace, sha=sha, file=file, secret=int(bool(made.values)), info=json.dumps(info),
    )  # fmt: skip


class _Made(NamedTuple):
    """A document's content, without runtime state and secrets, and what these were."""

    content: Node
    taken: list[Taken]
    values: dict[str, str]
    found: list[Finding]
    elements: int


def _made(element: etree._Element, name: str) -> _Made:
    """Take runtime state and secrets out of *element*; return what is left, referring to the Secret of object *name*."""
    root = table().roots.get(element.tag)
    if root is None:
        documents.to_object(element)
        raise InputError(f"<{element.tag}> is not a libvirt document", line=element.sourceline)
    lower = etree.tostring(element).lower()
    taken = strip(element, lower)
    kept = secrets.take(element, lower)
    found = []
    spec = documents.to_object(element)["spec"]
    content: Node = spec[root.field] if root.field else spec
    if kept.values:
        done: set[str] = set()
        content, done = secrets.refer(content, root.type, kept.marks, name + SECRETS)
        for key in kept.values:
            kept.remove(key)
        if len(done) < len(kept.values):
            spec = documents.to_object(element)["spec"]
            content = _merged(content, spec[root.field] if root.field else spec)
        found = [
            Finding("password-moved" if key in done else "password-unreferenced", kept.places[key]) for key in kept.values
        ]
    return _Made(content, taken, kept.values, found, int(_COUNT(element)))


def _prove(item: Item, element: etree._Element, text: str, path: tuple[str, ...], name: str | None) -> None:
    """Raise InputError if what stands at *path* in the YAML *text* is not *element*, but for the references of *name*."""
    root = table().roots[element.tag]
    written: Any = load_all(text)[0]
    for step in path:
        written = written[step]
    if name is not None:
        written = secrets.without(written, name + SECRETS)
    back = encode(written, root.type, root.element, table().namespaces, path=path)
    compare(element, xmlreader.parse(back.encode())[0], file=item.name)


def _unknown(text: str) -> Finding:
    return Finding("unknown-xml", f"{text.count(EXTRA + ':')} places")


def _keep(options: Options, file: str, text: str, values: dict[str, str]) -> str:
    """Write a document, and its secrets, to the spool, whose folder nobody else can read; return the text's SHA-256."""
    data = text.encode()
    Path(options.spool, file).write_bytes(data)
    if values:
        Path(options.spool, f"{file}.secret").write_text(json.dumps(values), encoding="utf-8")
    return hashlib.sha256(data).hexdigest()


_COUNT = etree.XPath("count(descendant-or-self::*)")


def _merged(marked: Any, plain: Any) -> Any:
    """Return *plain* with the references that *marked*, the same document with marks still in it, has."""
    if isinstance(marked, dict) and isinstance(plain, dict):
        return {
            key: _merged(value, plain[key]) if key in plain else value
            for key, value in marked.items()
            if key in plain or (key.endswith(secrets.REFERENCE) and isinstance(value, dict))
        }
    if isinstance(marked, list) and isinstance(plain, list) and len(marked) == len(plain):
        return [_merged(one, other) for one, other in zip(marked, plain, strict=True)]
    return plain


def _marks(owner: nova.Nova | None) -> tuple[dict[str, str] | None, dict[str, str] | None]:
    """Return the labels and annotations of a guest of *owner*."""
    if owner is None:
        return None, None
    labels = {nova.PREFIX + key: names.label_value(value) for key, value in owner.facts}
    annotations = {nova.PREFIX + key: names.annotation_value(value) for key, value in owner.facts}
    return {key: value for key, value in labels.items() if value}, annotations


def head_of(name: str, namespace: str, labels: dict[str, str] | None, annotations: dict[str, str] | None) -> Node:
    """Return the part of a VirtualMachine above its spec."""
    metadata: Node = {"name": name, "namespace": namespace}
    if labels:
        metadata["labels"] = labels
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": documents.GROUP, "kind": "VirtualMachine", "metadata": metadata}


def _other(item: Item, element: etree._Element, part: int, digest: str, options: Options, rank: int) -> Row:
    """Convert what is no guest: networks and pools, which become objects, and the rest, which is kept to be read."""
    tag = str(element.tag)
    kind = tag if tag in ("network", "pool") else "other"
    name = element.findtext("name") or element.get("name") or element.findtext("uuid") or ""
    file = names.digest(item.name, str(part), digest)
    base = names.guest_name((name,), names.digest(name, digest)) if name else names.guest_name((tag,), digest)
    made = _made(element, token(file))
    root = table().roots[tag]
    merge = ""
    if kind == "other":
        folder = f"{options.infrastructure}/libvirt/{item.node or 'unknown-node'}/{root.kind.lower()}"
        head = {"apiVersion": documents.GROUP if root.field else documents.LIBVIRT, "kind": root.kind}
        text = dump({**head, "metadata": {"name": base}, "spec": {root.field: made.content} if root.field else made.content})
        path = ("spec", root.field) if root.field else ("spec",)
    else:
        folder = f"{options.infrastructure}/{kind}s"
        text = dump({"spec": made.content})
        path = ("spec",)
        merge = names.digest(tag, dump(_mergeable(made.content)))
    _prove(item, element, text, path, token(file) if made.values else None)
    sha = _keep(options, file, text, made.values)
    info = {
        "name": name, "uuid": made.content.get("uuid"), "kind": root.kind, "own": names.digest(dump(_own(made.content))),
        "leftOut": [{"path": t.path, "what": t.what, **({"value": t.value} if t.value else {})} for t in made.taken],
        "findings": made.found,
        "target": element.findtext("target/path"), "type": element.get("type"),
        "source": element.findtext("source/name"),
        "device": next((d.get("path") for d in element.findall("source/device")), None),
    }  # fmt: skip
    guest = element.findtext("domain/uuid") or element.findtext("domain/name") or ""
    identity = names.digest(item.node or "", name or file, guest)
    return _row(
        item, part, digest, kind, rank=rank, identity=identity, name=name, base=base,
        folder=folder, merge=merge, sha=sha, file=file, secret=int(bool(made.values)), info=json.dumps(info),
    )  # fmt: skip


PER_NODE = ("uuid", "mac")
"""What each node's libvirt makes up for itself: networks and pools that differ in nothing else are one."""


def _own(content: Node) -> Node:
    return {key: content[key] for key in PER_NODE if key in content}


def _mergeable(content: Node) -> Node:
    return {key: value for key, value in content.items() if key not in PER_NODE}


def _row(item: Item, part: int, digest: str, kind: str, **more: Any) -> Row:
    defaults: dict[str, Any] = {
        "rank": int(item.rank), "running": 0, "identity": "", "name": "", "base": "", "project": "", "folder": "",
        "merge": "", "sha": "", "file": "", "secret": 0, "info": "{}",
    }  # fmt: skip
    return Row(source=item.name, part=part, digest=digest, kind=kind, node=item.node, **{**defaults, **more})


def _failed(item: Item, digest: str, error: KubevmmError, part: int = 0) -> Row:
    info = {
        "message": error.message, "hint": error.hint, "text": str(error),
        "line": getattr(error, "line", None), "column": getattr(error, "column", None), "path": getattr(error, "path", None),
    }  # fmt: skip
    return _row(item, part, digest, "failed", info=json.dumps(info))
