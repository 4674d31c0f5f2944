"""One file of a source to rows and files of the spool, by its tree: converted, stripped, proven."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lxml import etree

from analyser import documents, xmlreader
from analyser.importer import names
from analyser.importer.document import SECRETS, keep, make, prove, token
from analyser.importer.guest import guest
from analyser.importer.place import Rank
from analyser.importer.row import Options, Row, failed, left_out, row
from analyser.yamlwriter import dump
from schemas.errors import InputError, KubevmmError
from schemas.table import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analyser.importer.items import Item
    from analyser.importer.row import Read
    from analyser.model import Node

WRAPPERS = {"domstatus": "domain", "networkstatus": "network", "poolstate": "pool"}
"""libvirt's run-time files, and what is in them."""

INTERNAL = {"qemuCaps", "cpudata", "nwfilterbindingstatus", "xmlCPUState"}
"""Roots of files that libvirt keeps for itself."""

PER_NODE = ("uuid", "mac")
"""What each node's libvirt makes up for itself: networks and pools that differ in nothing else are one."""


def by_tree(read: Read, options: Options) -> list[Row]:
    """Convert the documents of a file by their trees and return their rows.

    Never raises for what is wrong with the file: that is a row of its own.
    """
    try:
        return list(_documents(read.item, read.data, read.digest, options))
    except RecursionError:
        return [failed(read.item, read.digest, _too_deep(read.item))]
    except KubevmmError as error:
        return [failed(read.item, read.digest, error)]


def _too_deep(item: Item) -> InputError:
    return InputError("nested too deeply", file=item.name)


def _documents(item: Item, data: bytes, digest: str, options: Options) -> Iterator[Row]:
    part = 0
    for root in xmlreader.parse(data, file=item.name, comments=b"<!--" in data):
        _leave_comments_in_metadata(root)
        for element in documents.documents(root):
            try:
                yield _document(item, element, part, digest, options)
            except RecursionError:
                yield failed(item, digest, _too_deep(item), part)
            except KubevmmError as error:
                if isinstance(error, InputError):
                    error.file = error.file or item.name
                yield failed(item, digest, error, part)
            part += 1


def _leave_comments_in_metadata(root: etree._Element) -> None:
    """Remove all comments but those inside ``<metadata>``: these libvirt keeps, with what else is not its own."""
    for comment in list(root.iter(etree.Comment)):
        parent = comment.getparent()
        if parent is None or any(outer.tag == "metadata" for outer in comment.iterancestors()):
            continue
        previous = comment.getprevious()
        if comment.tail and previous is None:
            parent.text = (parent.text or "") + comment.tail
        elif comment.tail and previous is not None:
            previous.tail = (previous.tail or "") + comment.tail
        parent.remove(comment)


def _document(item: Item, element: etree._Element, part: int, digest: str, options: Options) -> Row:
    tag = str(element.tag)
    if tag in INTERNAL:
        return row(item, part, digest, "ignored", name=tag)
    rank = int(item.rank)
    running = bool(item.running)
    if tag in WRAPPERS:
        found = element.find(WRAPPERS[tag])
        if found is None:
            raise InputError(f"<{tag}> without <{WRAPPERS[tag]}>", file=item.name, line=element.sourceline)
        element, rank, running = found, max(rank, int(Rank.STATE)), True
    elif item.running is None and tag == "domain" and element.get("id") is not None:
        running = True
    if element.getparent() is not None:
        # A document of its own, as all that follows expects.
        element = etree.fromstring(etree.tostring(element, with_tail=False), xmlreader.FRAGMENTS)
    if element.tag == "domain":
        return guest(item, element, part, digest, options, rank=rank, running=running)
    return _other(item, element, part, digest, options, rank)


def _other(item: Item, element: etree._Element, part: int, digest: str, options: Options, rank: int) -> Row:
    """Convert what is no guest: networks and pools, which become objects, and the rest, which is kept to be read."""
    tag = str(element.tag)
    kind = tag if tag in ("network", "pool") else "other"
    name = element.findtext("name") or element.get("name") or element.findtext("uuid") or ""
    file = names.spooled(item.name, str(part), digest)
    base = names.guest_name((name, tag), names.digest(name, digest))
    made = make(element, token(file))
    root = table().roots[tag]
    document: Node = {"spec": made.content}
    path: tuple[str, ...] = ("spec",)
    folder = f"{options.infrastructure}/{kind}s"
    merge = names.digest(tag, dump({k: v for k, v in made.content.items() if k not in PER_NODE}))
    if kind == "other":
        folder = f"{options.infrastructure}/libvirt/{item.node or 'unknown-node'}/{root.kind.lower()}"
        document = {
            "apiVersion": documents.GROUP if root.field else documents.LIBVIRT, "kind": root.kind,
            "metadata": {"name": base}, "spec": {root.field: made.content} if root.field else made.content,
        }  # fmt: skip
        path = ("spec", root.field) if root.field else path
    text = dump(document)
    prove(element, text, path, file=item.name, secret=token(file) + SECRETS if made.values else None)
    info = {
        "name": name, "uuid": made.content.get("uuid"), "kind": root.kind, "leftOut": left_out(made.taken),
        "own": names.digest(dump({k: v for k, v in made.content.items() if k in PER_NODE})), "findings": made.found,
        "target": element.findtext("target/path"), "type": element.get("type"),
        "source": element.findtext("source/name"),
        "device": next((d.get("path") for d in element.findall("source/device")), None),
    }  # fmt: skip
    sha = keep(options.spool, file, text, made.values)
    identity = names.digest(sha) if kind == "other" else names.digest(item.node or "", name or file)
    return row(
        item, part, digest, kind, rank=rank, identity=identity, name=name, base=base, folder=folder, merge=merge,
        sha=sha, file=file, secret=int(bool(made.values)), info=json.dumps(info),
    )  # fmt: skip
