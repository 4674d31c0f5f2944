"""The quick way of an import: a domain printed by virsh, with nothing in it to take out, goes line by line to YAML."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from analyser import fastxml, runtime
from analyser.importer import secrets

_START = "\nspec:\n  domain:"
_REMEMBERED = 8192


class Plain(NamedTuple):
    """A domain's YAML: the lines below ``spec.domain``, indented as they stand there, and how many elements it has."""

    body: str
    elements: int


def convert(data: bytes) -> Plain | None:
    """Return the domain in the XML file *data*; None where it has to be looked at element by element.

    That is so where it has a secret or runtime state, comments besides libvirt's own in front, or another form than
    virsh prints: this knows what a line means only in that form.
    """
    start = data.find(b"<domain ") + 1
    if not start or data.find(b"<!--", start) >= 0 or b" id='" in data[start : data.find(b">", start)]:
        return None
    text = fastxml.to_yaml(data)
    if text is None or not _is_clean(data[start - 1 :]):
        return None
    _, found, body = text.partition(_START)
    return Plain(body, data.count(b"<", start) + 1 - data.count(b"</", start)) if found else None


@cache
def _needles() -> list[bytes]:
    return sorted(runtime.needles("domain") | secrets.needles())


_clean: set[bytes] = set()


def _is_clean(data: bytes) -> bool:
    """Say whether no line has what runtime state or a secret must have; guests repeat each other's lines."""
    new = set(data.split(b"\n")) - _clean
    # The rules know XML with double quotes.
    text = b"\n".join(new).lower().replace(b"'", b'"')
    for needle in _needles():
        if needle in text:
            return False
    if len(_clean) > _REMEMBERED:
        _clean.clear()
    _clean.update(new)
    return True
