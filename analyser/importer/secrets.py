"""Passwords in XML: taken out before anything is written, kept in a Secret, referenced where they stood.

Which paths these are is data: ``secrets`` in ``schemas/overrides.yaml``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from lxml import etree

from analyser.runtime import Rule, rule, where
from schemas.grammar.overrides import load

if TYPE_CHECKING:
    from analyser.model import Node
    from schemas.table import Type

REFERENCE = "SecretRef"
"""What is put behind a key to name the Secret that has its value."""

_MARK = "\ue000kubevmm-secret-{}\ue001"
"""What stands in a secret's place while its document is converted: private characters, so that no document has it."""


@dataclass
class Secrets:
    """The secrets of one document: ``values`` by key; ``places`` by key, in a person's words."""

    values: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)
    _found: dict[str, tuple[etree._Element, str | None]] = field(default_factory=dict)

    def remove(self, key: str) -> None:
        """Take the mark of *key* out of the document too."""
        element, attribute = self._found[key]
        if attribute is None:
            element.text = None
        else:
            element.attrib.pop(attribute, None)


@cache
def _rules() -> tuple[Rule, ...]:
    return tuple(rule(raw) for raw in load()["secrets"])


@cache
def needles() -> frozenset[bytes]:
    """Return what XML, in lower case, must contain to have a secret."""
    return frozenset(each.needle for each in _rules())


def take(root: etree._Element, text: bytes = b"") -> Secrets:
    """Put a mark in the place of each secret in *root*; *text* is its XML in lower case, if it is at hand."""
    secrets = Secrets()
    for each in _rules():
        if text and each.needle not in text:
            continue
        for match in each.find(root):
            element = match.getparent()
            if not str(match) or element is None or getattr(match, "is_tail", False):
                continue
            attribute = match.attrname if match.is_attribute else None
            if str(match).startswith(_MARK[0]):
                continue
            place = where(element)
            name = etree.QName(attribute).localname if attribute else "value"
            key = base = key_of(place.rpartition("/")[2] or str(root.tag), name)
            number = 1
            while key in secrets.values:
                number += 1
                key = f"{base}-{number}"
            mark = _MARK.format(len(secrets.values))
            secrets.values[key] = str(match)
            secrets.places[key] = f"{place}/@{attribute}" if attribute else place
            secrets.marks[mark] = key
            secrets._found[key] = (element, attribute)  # noqa: SLF001
            if attribute is None:
                element.text = mark
            else:
                element.set(attribute, mark)
    return secrets


def key_of(step: str, name: str) -> str:
    """Return the key of what stands in *name* of an element, the last *step* of whose path is this."""
    return f"{step.replace('[', '-').rstrip(']')}-{name}"


def refer(node: Node, kind: Type, marks: dict[str, str], secret: str) -> tuple[Node, set[str]]:
    """Return *node*, of type *kind*, with a reference into *secret* in the place of each mark that can have one there.

    Also returns the keys of those secrets.
    """
    done: set[str] = set()
    return _refer(node, kind, marks, secret, done), done


def _refer(node: Node, kind: Type, marks: dict[str, str], secret: str, done: set[str]) -> Node:
    out: Node = {}
    for key, value in node.items():
        field_of = kind.by_key.get(key)
        below = field_of.type if field_of is not None and field_of.type_name is not None else None
        found = marks.get(value) if isinstance(value, str) else None
        if found is not None and f"{key}{REFERENCE}" in kind.by_key | kind.references:
            out[f"{key}{REFERENCE}"] = {"name": secret, "key": found}
            done.add(found)
        elif below is not None and isinstance(value, dict):
            out[key] = _refer(value, below, marks, secret, done)
        elif below is not None and isinstance(value, list):
            out[key] = [_refer(item, below, marks, secret, done) if isinstance(item, dict) else item for item in value]
        else:
            out[key] = value
    return out


def merged(marked: Any, plain: Any) -> Any:
    """Return *plain* with the references that *marked*, the same document with marks still in it, has."""
    if isinstance(marked, dict) and isinstance(plain, dict):
        return {
            key: merged(value, plain[key]) if key in plain else value
            for key, value in marked.items()
            if key in plain or (key.endswith(REFERENCE) and isinstance(value, dict))
        }
    if isinstance(marked, list) and isinstance(plain, list) and len(marked) == len(plain):
        return [merged(one, other) for one, other in zip(marked, plain, strict=True)]
    return plain


def without(node: Any, secret: str) -> Any:
    """Return *node* without the references into *secret*."""
    if isinstance(node, list):
        return [without(item, secret) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: without(value, secret)
        for key, value in node.items()
        if not (isinstance(value, dict) and key.endswith(REFERENCE) and value.get("name") == secret)
    }


def without_lines(text: str, secret: str | None) -> str:
    """Return the YAML *text* without the references into *secret*, as far as they stand on lines of their own."""
    if secret is None:
        return text
    return re.sub(rf"\n +\w+{REFERENCE}:\n +name: {re.escape(secret)}\n +key: [\w-]+$", "", text, flags=re.MULTILINE)


def manifest(name: str, namespace: str, values: dict[str, str]) -> Node:
    """Return the Secret *name* with *values*."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "Opaque",
        "stringData": dict(values),
    }
