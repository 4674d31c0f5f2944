"""One domain as a VirtualMachine: whose it is, what it would like to be called, what the report says of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from analyser import documents
from analyser.importer import names, nova
from analyser.importer.document import SECRETS, Made, keep, left_out, make, prove, token, unknown
from analyser.importer.findings import Finding, findings
from analyser.importer.plain import convert
from analyser.importer.row import Options, Row, row
from analyser.yamlwriter import dump

if TYPE_CHECKING:
    from lxml import etree

    from analyser.importer.items import Item
    from analyser.model import Node

Marks = dict[str, str] | None
"""Labels or annotations."""

_UUID_DIGITS = 32


def guest(
    item: Item, domain: etree._Element, part: int, digest: str, options: Options, *,
    rank: int, running: bool, whole: bytes,
) -> Row:  # fmt: skip
    """Convert *domain*, document number *part* of *item*, and return its row; raises InputError.

    *whole* is the bytes of the file if *domain* is all that it says.
    """
    uuid = (domain.findtext("uuid") or "").strip().lower()
    name = domain.findtext("name") or ""
    found, uses, devices = findings(domain)
    if domain.get("id") is not None and not item.running:
        found.append(Finding("running-only", "its definition, where there is one, says what was chosen"))
    if item.node is None:
        found.append(Finding("no-node", "set spec.nodeName, or import with --node"))
    file = names.spooled(item.name, str(part), digest)
    plain = convert(whole) if whole else None
    made = make(domain, token(file)) if plain is None else Made({}, [], {}, [], plain.elements)
    owner = nova.read(domain)
    namespace, project = _namespace(owner, options)
    identity = _identity(uuid, item, name, part)
    base = names.guest_name((owner.name if owner else None, name), identity)
    labels, annotations = _marks(owner)
    spec: Node = {"runStrategy": "Manual", "deletionPolicy": "Retain"}
    if item.node is not None:
        spec["nodeName"] = item.node
    above = head(base, namespace, labels, annotations)
    if plain is None:
        text = dump({**above, "spec": {**spec, "domain": made.content}})
    else:
        text = f"{dump({**above, 'spec': spec})}  domain:{plain.body}"
    changed = made.taken or made.values
    secret = token(file) + SECRETS if made.values else None
    prove(domain, text, ("spec", "domain"), file=item.name, secret=secret, whole=b"" if changed else whole)
    info = {
        "name": name, "uuid": uuid or None, "running": running,
        "carried": {"elements": made.elements, "devices": devices}, "leftOut": left_out(made.taken),
        "findings": [*found, *unknown(text), *made.found],
        "networks": uses.networks, "pools": uses.pools, "disks": uses.disks,
        "labels": labels, "annotations": annotations,
    }  # fmt: skip
    return row(
        item, part, digest, "guest", rank=rank, running=int(running), identity=identity, name=name, base=base,
        project=project, folder=namespace, sha=keep(options.spool, file, text, made.values), file=file,
        secret=int(bool(made.values)), info=json.dumps(info),
    )  # fmt: skip


def _identity(uuid: str, item: Item, name: str, part: int) -> str:
    """Return what the guest is known by: its UUID, or else its name on its node, or else where it was found."""
    digits = uuid.replace("-", "")
    if len(digits) == _UUID_DIGITS and digits.isascii() and digits.isalnum():
        return digits
    return names.digest(item.node or "", uuid, name, "" if uuid or name else f"{item.name}#{part}")


def _namespace(owner: nova.Nova | None, options: Options) -> tuple[str, str]:
    """Return the namespace that the guest would like, and what tells its project from others of the name."""
    if options.namespace:
        return options.namespace, ""
    if owner is None or not (owner.project or owner.project_id):
        return "default", ""
    wanted = names.project_namespace(owner.project, owner.project_id, options.infrastructure)
    return wanted, owner.project_id or names.digest(owner.project or "")


def _marks(owner: nova.Nova | None) -> tuple[Marks, Marks]:
    """Return the labels and annotations that say what Nova said."""
    if owner is None:
        return None, None
    labels = {nova.PREFIX + key: names.label_value(value) for key, value in owner.facts}
    annotations = {nova.PREFIX + key: names.annotation_value(value) for key, value in owner.facts}
    return {key: value for key, value in labels.items() if value}, annotations


def head(name: str, namespace: str, labels: Marks, annotations: Marks) -> Node:
    """Return the part of a VirtualMachine above its spec."""
    metadata: Node = {"name": name, "namespace": namespace}
    if labels:
        metadata["labels"] = labels
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": documents.GROUP, "kind": "VirtualMachine", "metadata": metadata}
