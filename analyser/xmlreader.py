"""Reads XML text safely: no DOCTYPE, no entities, no network, bounded size and depth; several documents in one file."""

from __future__ import annotations

import codecs
import re
from typing import Any

from lxml import etree

from schemas.errors import InputError

MAX_BYTES = 64 << 20
"""The largest single document or file that is read, in bytes."""

MAX_TAGS = 4_000_000
"""The most tags in one file: a tree takes some 400 bytes for each, whatever little they take in the file."""

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

# Possessive, and each with a way to match what is never closed: no text makes these slow or large.
_PROLOG = re.compile(r"\ufeff?(?:\s++|<\?(?:.*?\?>|.*\Z)|<!--(?:.*?-->|.*\Z))*+", re.DOTALL)
_OPAQUE = re.compile(r"<\?(?:.*?\?>|.*\Z)|<!--(?:.*?-->|.*\Z)|<!\[CDATA\[(?:.*?\]\]>|.*\Z)", re.DOTALL)
_DECLARATION = re.compile(r"<\?xml\s[^<>]{0,400}?\?>")
_ENCODING = re.compile(r"""<\?xml\s[^<>]{0,300}?\sencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["']""", re.ASCII)
_NO_MEMORY = 2  # libxml2's XML_ERR_NO_MEMORY
_NOT_ENCODED = 81  # libxml2's XML_ERR_INVALID_ENCODING
_LIMIT = 114  # libxml2's XML_ERR_RESOURCE_LIMIT
_ENCODING_HINT = "declare the encoding that the file is in, or save it as UTF-8"
_HEAD = 512  # bytes that a declaration stands in, whatever its encoding
_FOLLOWED = (5, 64)  # libxml2's XML_ERR_DOCUMENT_END and XML_ERR_RESERVED_XML_NAME: more, or a second declaration

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),  # before UTF-16, whose mark it begins with
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"<\x00\x00\x00", "utf-32-le"),
    (b"\x00\x00\x00<", "utf-32-be"),
    (b"<\x00", "utf-16-le"),
    (b"\x00<", "utf-16-be"),
)
"""How a document in an encoding with a mark, or with more than a byte for each character, begins."""

_EBCDIC = "<?xm".encode("cp037")
_WIDE = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
_NO_CHARSETS = {
    "utf-7", "idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "charmap",
}  # fmt: skip
"""What Python calls a text encoding and XML does not, or what could hide a DOCTYPE."""


def is_comment(node: Any) -> bool:
    """Say whether *node* of a tree is a comment: lxml gives those the factory as their tag."""
    return node.tag is etree.Comment


def parse(data: bytes, *, file: str | None = None, comments: bool = False) -> list[etree._Element]:
    """Return the root elements of the documents in *data*, one after the other.

    Raises InputError with file, line and column for what is not well-formed, a DOCTYPE, or more than MAX_BYTES; and
    MemoryError.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"larger than {MAX_BYTES >> 20} MiB", file=file, hint="split it, one document a file")
    if len(data) > MAX_TAGS and data.count(b"<") > MAX_TAGS:
        raise InputError(f"holds more than {MAX_TAGS:,} tags", file=file, hint="split it, one document a file")
    if b"<!DOCTYPE" in data or data[:1] not in (b"<", b"\n", b" ") or _encoding(data, file) != "utf-8":
        data = _decoded(data, file)
        _refuse_doctype(data.decode(), file)
    parser = FRAGMENTS if comments else _PLAIN
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        if error.code == _NO_MEMORY:
            raise MemoryError from None
        if error.code in _FOLLOWED:
            several = _several(_decoded(data, file), parser)
            if several is not None:
                return several
        line, column = error.position
        message, hint = _in_plain_words(str(error.msg).partition(", line ")[0].strip(), error.code)
        raise InputError(message, file=file, line=line, column=max(column, 1), hint=hint) from None
    except (ValueError, LookupError) as error:
        raise InputError(f"not XML: {error}", file=file) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise InputError("a DOCTYPE is not allowed", file=file, hint="libvirt's documents need none; remove it")
    return [root]


def _in_plain_words(message: str, code: int) -> tuple[str, str | None]:
    """Return what libxml2's *message* means, and what to do."""
    if code == _NOT_ENCODED:
        return "the bytes here are not UTF-8", _ENCODING_HINT
    if code != _LIMIT:
        return f"not well-formed XML: {message}", None
    if "depth" in message:
        return "elements are nested more than 256 levels deep", None
    return "a text, an attribute or a tag is longer than 10 MB", None


def text_of(data: bytes, *, file: str | None = None) -> str:
    """Return the document in *data* as text, whatever its encoding; raises InputError where the bytes are not in it."""
    return _decoded(data, file).decode()


def _several(data: bytes, parser: etree.XMLParser) -> list[etree._Element] | None:
    """Return the roots of documents that follow each other in one file; None if that is not what *data* is."""
    text = _OPAQUE.sub(_without_declaration, data.decode())
    try:
        whole = etree.fromstring(f"<documents>{text}</documents>", parser)
    except etree.XMLSyntaxError:
        return None
    if any(between and between.strip(XML_SPACE) for between in (whole.text, *(child.tail for child in whole))):
        return None
    return [child for child in whole if isinstance(child.tag, str)]


def _without_declaration(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0]) if _DECLARATION.fullmatch(match[0]) else match[0]


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


def _encoding(data: bytes, file: str | None) -> str:
    """Return the encoding of *data*, by how it begins, in Python's words; raises InputError for what is none of XML."""
    name = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), None)
    if name is not None:
        return name
    head = data[:_HEAD].decode("cp037" if data.startswith(_EBCDIC) else "latin-1")
    found = _ENCODING.match(head)
    if found is None:
        return "utf-8"
    declared = found[1]
    try:
        name = codecs.lookup(declared).name
        "".encode(name)
    except (LookupError, UnicodeError):
        name = "undefined"
    if name.replace("_", "-") in _NO_CHARSETS:
        raise InputError(f"the encoding {declared} is not known", file=file, line=1, hint="save the file as UTF-8")
    if name in _WIDE:  # and yet its first characters have one byte each
        raise InputError(f"is not in the encoding that it declares, {declared}", file=file, line=1)
    return "utf-8" if name == "ascii" else name


def _decoded(data: bytes, file: str | None) -> bytes:
    """Return *data* as UTF-8 without a byte order mark or a declaration of another encoding."""
    encoding = _encoding(data, file)
    try:
        text = data.decode(encoding)
    except UnicodeError as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        raise InputError(
            f"the bytes here are not {encoding.upper()}",
            file=file,
            line=data[:start].decode(encoding, "replace").count("\n") + 1,
            hint=_ENCODING_HINT,
        ) from None
    text = text.removeprefix("\ufeff")
    head = _DECLARATION.match(text)
    if head:
        text = "<?xml version='1.0'?>" + "\n" * head[0].count("\n") + text[head.end() :]
    return text.encode("utf-8", "surrogatepass")
