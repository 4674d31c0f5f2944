"""A libvirt document in the one form that all its spellings share, so that equal means the same to libvirt.

Sizes become bytes, integers numbers, yes/no and on/off booleans, text loses the white space around it, and XML that the
tables do not know becomes plain maps too. Children of one name keep their order; among different names there is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analyser import sizes
from analyser.codec.encode import fragment
from analyser.codec.scalars import BOOLEANS
from analyser.xmlreader import XML_SPACE
from schemas.table import EXTRA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lxml import etree

    from schemas.table import Field, Type

_SECRET = re.compile(r"passw|^cookies?$", re.IGNORECASE)
_NOT_SECRET = re.compile(r"valid|ref$", re.IGNORECASE)
_INTEGER = re.compile(r"[+-]?[0-9]{1,30}")
_HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]{1,30}")
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5, "e": 6}
_UNIT = re.compile(r"([kmgtpe]?)(b|bytes?|ib)?", re.IGNORECASE)

HIDDEN = "(secret)"
"""What is printed in place of a secret."""


@dataclass(frozen=True)
class Secret:
    """A value that is compared but never printed."""

    value: str

    def __repr__(self) -> str:
        return HIDDEN


@dataclass(frozen=True)
class Size:
    """An amount in bytes; printed as it was written."""

    bytes: int
    text: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Size) and self.bytes == other.bytes

    def __hash__(self) -> int:
        return hash(self.bytes)


def is_secret(name: str) -> bool:
    """Say whether the value of the key, element or attribute *name* must never be printed."""
    return bool(_SECRET.search(name)) and not _NOT_SECRET.search(name)


def normal(node: Mapping[Any, Any], kind: Type, written: Any = None) -> dict[str, Any]:
    """Return *node*, decoded without comments and of type *kind*, as dicts, lists, scalars, Size and Secret.

    *written* is the same as somebody wrote it, in YAML: its references to other objects, which XML cannot hold, are
    taken from there.
    """
    out: dict[str, Any] = {}
    by_key = kind.by_key
    beside = written if isinstance(written, dict) else {}
    for key, value in node.items():
        field = by_key.get(key)
        if field is not None:
            if isinstance(value, list):
                origin = beside.get(key)
                origins = origin if isinstance(origin, list) and len(origin) == len(value) else [None] * len(value)
                out[key] = [_one(entry, field, key, each) for entry, each in zip(value, origins, strict=True)]
            else:
                out[key] = _one(value, field, key, beside.get(key))
        elif key == EXTRA:
            for name, content in foreign(fragment(value, (key,))).items():
                # A second list of the same name would hide which of them differs.
                out[name if name not in out else f"{EXTRA}.{name}"] = content
        else:
            names = kind.sequences[key]
            out[key] = [{name: _one(content, names[name], name) for name, content in entry.items()} for entry in value]
    for key, field in kind.references.items():
        if key in beside:
            out[key] = _one(beside[key], field, key)
    return out


def _one(value: Any, field: Field, key: str, written: Any = None) -> Any:
    if field.value == "map":
        if not isinstance(value, dict):
            return str(value)
        inner = normal(value, field.type, written)
        return _hidden(inner) if is_secret(key) else inner
    if field.value == "xml":
        return foreign(fragment(f"<content>{value}</content>", (key,)))
    return Secret(str(value)) if is_secret(key) else scalar(value, field)


def scalar(value: Any, field: Field) -> Any:
    """Return the scalar *value* of *field* in its normal form."""
    if not isinstance(value, str):
        return value
    text = value.strip(XML_SPACE)
    if field.value == "size":
        return _size(text, field)
    if field.value == "integer":
        if _INTEGER.fullmatch(text):
            return int(text)
        if _HEXADECIMAL.fullmatch(text):
            return int(text, 16)
    elif field.value in BOOLEANS and text in BOOLEANS[field.value]:
        return text == BOOLEANS[field.value][True]
    return text


def _size(text: str, field: Field) -> Any:
    try:
        number, unit = sizes.parse(text, field.unit)
    except ValueError:
        return text
    factor = factor_of(field.unit if unit is None else unit)
    if factor is None or not _INTEGER.fullmatch(number.strip()):
        return text
    return Size(int(number) * factor, text)


def factor_of(unit: str) -> int | None:
    """Return how many bytes *unit* is to libvirt (KB is 1000, K and KiB are 1024); None if it is no unit."""
    match = _UNIT.fullmatch(unit)
    if match is None:
        return None
    prefix, ending = match[1].lower(), (match[2] or "").lower()
    if not prefix:
        return None if ending == "ib" else 1
    if ending.startswith("byte"):
        return None
    return int((1000 if ending == "b" else 1024) ** _UNITS[prefix])


def foreign(element: etree._Element) -> dict[str, Any]:
    """Return an element that no table describes: ``@attribute``, ``#text`` and a list for each child's name."""
    out: dict[str, Any] = {f"@{name}": _text(value, name) for name, value in element.items()}
    work = [(element, out)]
    while work:
        parent, made = work.pop()
        texts = [parent.text or ""]
        for child in parent:
            texts.append(child.tail or "")
            if not isinstance(child.tag, str):
                continue
            inner: dict[str, Any] = {f"@{name}": _text(v, name) for name, v in child.items()}
            made.setdefault(child.tag, []).append(inner)
            work.append((child, inner))
        text = " ".join(stripped for each in texts if (stripped := each.strip(XML_SPACE)))
        if text:
            made["#text"] = _text(text, parent.tag)
    return out


def _text(text: str, name: object) -> Any:
    return Secret(text) if is_secret(str(name).rpartition("}")[2]) else text.strip(XML_SPACE)


def _hidden(value: Any) -> Any:
    """Return *value* with every scalar in it made a secret."""
    if isinstance(value, dict):
        return {key: _hidden(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_hidden(inner) for inner in value]
    return value if isinstance(value, Secret) else Secret(str(value))
