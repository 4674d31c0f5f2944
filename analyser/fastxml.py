"""XML as virsh prints it to YAML text, line by line and without a tree: the fast path in front of the codec.

Guests repeat each other's lines, so what a line is in YAML is remembered (``analyser.fastxmllines``), and most lines
cost one look-up. The codec (``analyser.codec``) stays the one truth: this accepts only a text whose every line has the
form that the codec itself prints, with tags that match, attributes and values that the tables know, and siblings in an
order that a dict with lists keeps. That proves it well-formed without a parser, and the codec would make the same YAML
of it and print the same bytes back. Anything else is not accepted; what is wrong with it is for others to say.
"""

from __future__ import annotations

import re
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from lxml import etree

from analyser import documents
from analyser.codec.decode import inner_xml
from analyser.fastmemory import LARGEST, NotAccepted
from analyser.fastxmllines import Context, Entry, Foreign, Remark, Scope, scope
from analyser.foreignlines import is_canonical
from analyser.xmlreader import FRAGMENTS
from analyser.yamlscalars import block_text, scalar_text
from schemas.table import Root, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NONE: Mapping[str, str] = MappingProxyType({})

_ROOT = re.compile(r"(<([A-Za-z]+)(?: \w+='[^']*')*)((?: xmlns:\w+='[^']*')*)(/?>)", re.ASCII)
_DECLARATION = re.compile(r" xmlns:(\w+)='([^']*)'", re.ASCII)
_NAME = re.compile(r" name='([^']*)'")
_ESCAPES = {"&lt;": "<", "&gt;": ">", "&apos;": "'", "&quot;": '"', "&#13;": "\r", "&amp;": "&"}
_COMMENT = re.compile(r"<!--([\n -~]*?)-->")


def to_yaml(data: bytes, annotations: Mapping[str, str] = NONE) -> str | None:
    """Return the YAML of the one document in *data*, XML in UTF-8; None where it is not printed as virsh prints.

    The object gets the *annotations*.
    """
    if len(data) > LARGEST:
        return None
    try:
        return _to_yaml(data.decode(), annotations)
    except (NotAccepted, UnicodeDecodeError):
        return None


def _to_yaml(text: str, annotations: Mapping[str, str] = NONE) -> str:
    comment = ""
    if text.startswith("<!--"):
        match = _COMMENT.match(text)
        printed = documents.comment_xml(match[1]) if match else ""
        if match is None or not text.startswith(f"{printed}<"):
            raise NotAccepted
        text = text[len(printed) :]
        comment = "#" + match[1].replace("\n", "\n#") + "\n"
    rest = iter(text.rstrip("\n").split("\n"))
    line = next(rest)
    root, start, declarations = head_of(line)
    namespaces = scope_of(root, declarations)
    out: list[str] = [""]
    write(namespaces.document(root)[start], rest, out, namespaces)
    if declarations:
        check_declarations(text, declarations)
    marks = "\n  annotations:" if annotations else ""
    for key, value in annotations.items():
        marks += f"\n    {scalar_text(key)}: {scalar_text(value)}"
    spec = "\nspec:" if root.field else ""
    out[0] = f"{comment}{_header(root)}{_metadata(root, text, line)}{marks}{spec}"
    out.append("\n")
    return "".join(out)


def head_of(line: str) -> tuple[Root, str, str]:
    """Return the kind of document that begins with *line*, the line without declarations, and these."""
    head = _ROOT.fullmatch(line)
    root = table().roots.get(head[2]) if head else None
    if head is None or root is None:
        raise NotAccepted
    return root, head[1] + head[4], head[3]


def write(entry: Entry, rest: Iterator[str], out: list[str], namespaces: Scope) -> None:
    """Add the YAML of the element whose first line is *entry* to *out*; *rest* must end with it."""
    _, shown, again, inner = entry
    append = out.append
    append(shown)
    if type(inner) is Context:
        # For each open element: its lines, the keys that it has, the last of these, and where a dash is still missing.
        stack: list[tuple[Context, int, int, int]] = []
        memo: Context = inner
        seen = last = 0
        dash = len(out) if again == "" else 0
        for line in rest:
            bit, shown, again, inner = memo[line]
            if bit & seen:
                if bit == last and again is not None:
                    append(again)
                elif bit == 1:
                    append(shown)
                    last = 1
                else:
                    # A key that takes one value, or a list that was left and goes on.
                    raise NotAccepted
            elif bit:
                seen |= bit
                last = bit
                append(shown)
            else:
                if seen <= 1:
                    # A pair of tags with nothing in between is for few elements what virsh prints.
                    if seen or dash or not memo.pair:
                        raise NotAccepted
                    if out[-1][-1] == ":":
                        append(" {}")
                if dash:
                    out[dash] = memo.with_dash(out[dash])
                if not stack:
                    break
                memo, seen, last, dash = stack.pop()
                continue
            if inner is None:
                continue
            if type(inner) is Context:
                stack.append((memo, seen, last, dash))
                memo, seen, last = inner, 0, 0
                dash = len(out) if again == "" else 0
            elif isinstance(inner, Foreign):
                append(_foreign(inner, rest, namespaces))
            elif isinstance(inner, Remark):
                append(inner.yaml(rest))
        else:
            raise NotAccepted
    elif isinstance(inner, Foreign):
        append(_foreign(inner, rest, namespaces))
    elif inner is not None:
        raise NotAccepted
    if next(rest, None) is not None:
        raise NotAccepted


def _foreign(inside: Foreign, rest: Iterator[str], namespaces: Scope) -> str:
    """Take the lines of an element with foreign content from *rest*, its end tag's too; return them as a YAML value."""
    lines = []
    for line in rest:
        if line == inside.end:
            break
        lines.append(line)
    else:
        raise NotAccepted
    column = " " * inside.column
    shift = " " * namespaces.offset
    # The codec declares the namespaces of the root element again where foreign content has their prefix.
    if namespaces.declared and any(f"{prefix}:" in line for line in lines for prefix in namespaces.declared):
        raise NotAccepted
    whole = "\n".join(lines)
    if len(lines) > 1 and is_canonical(whole, inside.column):
        return as_block(whole, namespaces)
    if not lines or not all(line.startswith(column) for line in lines):
        raise NotAccepted
    value = "\n".join([line[inside.column :] for line in lines])
    # Read at its own column: the white space in a text of several lines is no indentation.
    try:
        same = inner_xml(etree.fromstring(f"<x>\n{whole}\n</x>", FRAGMENTS)) == value
    except etree.XMLSyntaxError:
        same = False
    if not same:
        raise NotAccepted
    block = block_text(value, shift + column) if len(lines) > 1 else None
    return " " + (block or scalar_text(value))


def as_block(text: str, namespaces: Scope) -> str:
    """Return the canonical foreign content *text*, of several lines, as a YAML value."""
    shift = " " * namespaces.offset
    return f" |-\n{shift}" + text.replace("\n", f"\n{shift}")


def scope_of(root: Root, declarations: str) -> Scope:
    """Return where the lines of a document are remembered: YAML's keys stand further in by the keys around them."""
    declared: dict[str, str] = {}
    for prefix, uri in _DECLARATION.findall(declarations):
        if prefix in declared or table().namespaces.get(uri) != prefix:
            raise NotAccepted
        declared[prefix] = uri
    return scope(2 if root.field else 0, declarations, declared)


def check_declarations(text: str, declarations: str) -> None:
    """Hold the declared namespaces to those that are used, in the order of their use: so the codec declares them."""
    prefixes = [prefix for prefix, _ in _DECLARATION.findall(declarations)]
    used = dict.fromkeys(re.findall(r"^ *<(\w+):", text, re.MULTILINE))
    if [prefix for prefix in used if prefix in prefixes] != prefixes:
        raise NotAccepted


@cache
def _header(root: Root) -> str:
    version = documents.GROUP if root.field else documents.LIBVIRT
    return f"apiVersion: {scalar_text(version)}\nkind: {scalar_text(root.kind)}\nmetadata:\n  "


def _metadata(root: Root, text: str, first_line: str) -> str:
    """Return the line of ``metadata`` with the object's name."""
    name = _child_text(text, "name")
    attribute = _NAME.search(first_line)
    names = (name, attribute[1] if attribute else None, _child_text(text, "uuid"))
    nameless = name is None and (attribute is None or "name" not in root.type.attributes)
    ((key, value),) = documents.metadata(root, names, nameless=nameless).items()
    return f"{key}: {scalar_text(value)}"


def _child_text(text: str, tag: str) -> str | None:
    """Return the text of the root's child *tag*: what stands in that column is no other element's child."""
    start = text.find(f"\n  <{tag}")
    if start < 0:
        return None
    start += len(tag) + 4
    if text.startswith("/>", start):
        return ""
    end = text.find("<", start)
    if text[start] != ">":
        # An attribute, or another element whose name begins alike.
        raise NotAccepted
    found = text[start + 1 : end]
    return unescape(found) if "&" in found else found


def unescape(text: str) -> str:
    """Return *text* without the escapes that virsh prints; others stay as they stand."""
    for escape, char in _ESCAPES.items():
        text = text.replace(escape, char)
    return text
