"""Reads XML text safely: no DOCTYPE, no entities, no network, bounded size and depth; several documents in one file."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from schemas.errors import InputError

MAX_BYTES = 64 << 20
"""The largest single document or file that is read, in bytes."""

MAX_DEPTH = 200
"""How deep elements may be nested; libxml2 itself stops at 256."""

XML_SPACE = " \t\r\n"
"""What XML calls white space."""

_OPTIONS: dict[str, Any] = {
    "resolve_entities": False, "no_network": True, "load_dtd": False, "dtd_validation": False,
    "huge_tree": False, "remove_blank_text": True, "strip_cdata": True, "remove_pis": True,
}  # fmt: skip

FRAGMENTS = etree.XMLParser(**_OPTIONS)
_PLAIN = etree.XMLParser(**_OPTIONS, remove_comments=True)

_PROLOG = re.compile(r"\ufeff?(?:\s|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
_DECLARATION = re.compile(r"<\?xml\s[^>]*?\?>")
_ENCODING = re.compile(rb"""^<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["']""")
_EXTRA_CONTENT = 5  # libxml2's XML_ERR_DOCUMENT_END


def is_comment(node: Any) -> bool:
    """Say whether *node* of a tree is a comment: lxml gives those the factory as their tag."""
    return node.tag is etree.Comment


def parse(data: bytes, *, file: str | None = None, comments: bool = False) -> list[etree._Element]:
    """Return the root elements of the documents in *data*, one after the other.

    Raises InputError with file, line and column for what is not well-formed, a DOCTYPE, or more than MAX_BYTES.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"larger than {MAX_BYTES >> 20} MiB", file=file, hint="split it, one document a file")
    if b"<!DOCTYPE" in data or data[:1] not in (b"<", b"\n", b" "):
        data = _decoded(data, file)
        _refuse_doctype(data.decode(), file)
    parser = FRAGMENTS if comments else _PLAIN
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        if error.code == _EXTRA_CONTENT:
            several = _several(_decoded(data, file), parser)
            if several is not None:
                return several
        line, column = error.position
        raise InputError(
            f"not well-formed XML: {str(error.msg).partition(', line ')[0]}",
            file=file,
            line=line,
            column=max(column, 1),
        ) from None
    except (ValueError, LookupError) as error:
        raise InputError(f"not XML: {error}", file=file) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise InputError("a DOCTYPE is not allowed", file=file, hint="libvirt's documents need none; remove it")
    return [root]


def text_of(data: bytes, *, file: str | None = None) -> str:
    """Return the document in *data* as text, whatever its encoding; raises InputError where it is not in its encoding."""
    return _decoded(data, file).decode()


def _several(data: bytes, parser: etree.XMLParser) -> list[etree._Element] | None:
    """Return the roots of documents that follow each other in one file; None if that is not what *data* is."""
    text = _DECLARATION.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), data.decode())
    try:
        return [
            child for child in etree.fromstring(f"<documents>{text}</documents>", parser) if isinstance(child.tag, str)
        ]
    except etree.XMLSyntaxError:
        return None


def _refuse_doctype(text: str, file: str | None) -> None:
    prolog = _PROLOG.match(text)
    end = prolog.end() if prolog else 0
    if text.startswith("<!DOCTYPE", end):
        raise InputError(
            "a DOCTYPE is not allowed",
            file=file,
            line=text.count("\n", 0, end) + 1,
            hint="libvirt's documents need none; remove it",
        )


def _decoded(data: bytes, file: str | None) -> bytes:
    """Return *data* as UTF-8 without a byte order mark or a declaration of another encoding."""
    for mark, name in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"),
                       (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):  # fmt: skip
        if data.startswith(mark):
            encoding = name
            break
    else:
        found = _ENCODING.match(data)
        encoding = found[1].decode() if found else "utf-8"
        if data[:4] == b"<\x00?\x00":
            encoding = "utf-16-le"
        elif data[:4] == b"\x00<\x00?":
            encoding = "utf-16-be"
        elif data[:4] == b"\x4c\x6f\xa7\x94":
            encoding = "cp037"
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except (UnicodeDecodeError, LookupError) as error:
        raise InputError(f"cannot be read as {encoding}: {error}", file=file) from None
    head = _DECLARATION.match(text)
    if head:
        text = "<?xml version='1.0'?>" + text[head.end() :]
    return text.encode("utf-8", "surrogatepass")
