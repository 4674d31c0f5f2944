"""One libvirt document on its way to YAML: runtime state and secrets taken out, the result proven and kept."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from lxml import etree

from analyser import documents, fastyaml, files, xmlreader
from analyser.codec.encode import encode
from analyser.importer import secrets
from analyser.importer.findings import Finding
from analyser.importer.proof import compare
from analyser.runtime import Taken, strip
from analyser.yamlreader import load_all
from schemas.errors import InputError
from schemas.table import EXTRA, table

if TYPE_CHECKING:
    from analyser.model import Node

SECRETS = "-secrets"
"""What follows an object's name in the name of its Secret."""


def token(file: str) -> str:
    """Return what stands for an object's name, in the name of its Secret, until the name is certain."""
    return f"kubevmm-name-{file.rpartition('/')[2]}"


class Made(NamedTuple):
    """A document's content, without runtime state and secrets, and what these were."""

    content: Node
    taken: list[Taken]
    values: dict[str, str]
    found: list[Finding]
    elements: int


def make(element: etree._Element, name: str) -> Made:
    """Take runtime state and secrets out of *element*; return what is left, referring to the Secret of object *name*.

    Raises InputError for what is no libvirt document.
    """
    root = table().roots.get(str(element.tag))
    if root is None:
        documents.to_object(element)
        raise InputError("not a libvirt document", line=element.sourceline)
    lower = etree.tostring(element).lower()
    taken = strip(element, lower)
    kept = secrets.take(element, lower)
    content = _content(element)
    found = []
    if kept.values:
        content, done = secrets.refer(content, root.type, kept.marks, name + SECRETS)
        for key in kept.values:
            kept.remove(key)
            code = "password-moved" if key in done else "password-unreferenced"
            found.append(Finding(code, kept.places[key]))
        if len(done) < len(kept.values):
            content = secrets.merged(content, _content(element))
    whole = lower if not taken else etree.tostring(element)
    return Made(content, taken, kept.values, found, whole.count(b"<") - whole.count(b"</"))


def _content(element: etree._Element) -> Node:
    field = table().roots[str(element.tag)].field
    spec: Node = documents.to_object(element)["spec"]
    return spec[field] if field else spec


def prove(element: etree._Element, text: str, path: tuple[str, ...], *, file: str, secret: str | None) -> None:
    """Raise InputError if what stands at *path* in the YAML *text* is not *element*.

    References into *secret* do not count.
    """
    quick = fastyaml.to_xml(secrets.without_lines(text, secret).encode())
    if quick is not None:
        back = quick.xml
    else:
        root = table().roots[str(element.tag)]
        written: Any = load_all(text)[0]
        for step in path:
            written = written[step]
        if secret is not None:
            written = secrets.without(written, secret)
        back = encode(written, root.type, root.element, table().namespaces, path=path)
    compare(element, xmlreader.parse(back.strip().encode(), comments=True)[0], file=file)


def keep(spool: str, file: str, text: str, values: dict[str, str]) -> str:
    """Write a document, and its secrets, to the spool; return what equal documents have in common."""
    data = text.encode()
    files.put(f"{spool}/{file}", data)
    if not values:
        return hashlib.sha256(data).hexdigest()
    kept = json.dumps(values)
    files.put(f"{spool}/{file}.secret", kept.encode())
    return hashlib.sha256((text.replace(token(file), "") + kept).encode()).hexdigest()


def unknown(text: str) -> list[Finding]:
    """Return what is to be said of XML in the YAML *text* that the tables do not know."""
    count = text.count(f"{EXTRA}:")
    return [Finding("unknown-xml", f"{count} place{'s' if count > 1 else ''}")] if count else []
