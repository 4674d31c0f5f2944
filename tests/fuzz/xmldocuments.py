"""Random libvirt documents as XML text: what the tables know, and everything else that XML allows beside it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from schemas.table import table
from tests.fuzz.choices import pick, rarely
from tests.yaml.yamlmodels import NASTY

if TYPE_CHECKING:
    from schemas.table import Field, Type
    from tests.fuzz.choices import Choices

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

STRANGE_TEXTS = [text for text in NASTY if not NOT_XML.search(text) and len(text) < 200] + [
    "<", "a<b>&c", "]]>", "\r\n", "\r", "a\rb", " x ", "\u00a0", "&amp;", "1 GiB", "4Gi", "1 (KiB)", "KiB", "x" * 200,
]  # fmt: skip
COMMON_TEXTS = [
    "a", "vda", "/dev/sda", "0x1f", "007", "0", "1", "-1", "4096", "4194304", "52:54:00:aa:bb:cc", "10.0.0.1", "yes",
    "no", "on", "off", "default", "4dea22b3-1d52-d8f3-2516-782e98ab3fa0", "true", "9223372036854775807",
    "9223372036854775808", "é",
]  # fmt: skip
UNITS = ["KiB", "MiB", "bytes", "B", "M", "G", "b", "", "K iB", "(KiB)", "TB", "kib"]
FOREIGN_NAMES = ["new", "x-y", "a.b", "é", "name", "value", "type", "extraXML", "_", "newThing", "spec"]
FOREIGN_URIS = [
    "urn:a",
    "http://openstack.org/xmlns/libvirt/nova/1.1",
    "urn:a&b",
    "http://libvirt.org/schemas/domain/qemu/1.0",
]
DEEPEST = 7


def xml_document(choices: Choices) -> str:
    """Return a well-formed document of a kind that libvirt has, without a DOCTYPE."""
    roots = list(table().roots.values())
    root = pick(choices, [next(each for each in roots if each.element == "domain"), *roots])
    out: list[str] = []
    if rarely(choices, 4):
        out.append(
            pick(choices, ["<?xml version='1.0'?>\n", '<?xml version="1.0" encoding="utf-8" standalone="yes"?>'])
        )
    _around(choices, out)
    _element(choices, out, root.element, root.type, 0)
    _around(choices, out)
    return "".join(out)


def _around(choices: Choices, out: list[str]) -> None:
    if rarely(choices, 4):
        out.append(pick(choices, ["\n", "  \n\n", _comment(choices)]))


def _element(choices: Choices, out: list[str], tag: str, kind: Type, depth: int) -> None:
    name, declared = _tag(choices, tag)
    attributes = {}
    for field in _some(choices, list(kind.attributes.values())):
        attributes[field.xml] = _scalar(choices, field)
        if field.value == "size" and not rarely(choices, 4):
            attributes["unit"] = pick(choices, UNITS)
    out.append(f"<{name}{declared}{_attributes(choices, attributes)}")
    content: list[str] = []
    text = kind.text
    if text is not None and not rarely(choices, 4):
        content.append(_text(choices, _scalar(choices, text)))
    elements = list(kind.elements.values())
    for _ in range(choices.below(6) if depth < DEEPEST else 0):
        _space(choices, content, depth)
        if rarely(choices, 12):
            _strange_content(choices, content, depth)
        elif elements:
            _child(choices, content, pick(choices, elements), depth + 1)
    _space(choices, content, depth)
    _close(choices, out, name, content)


def _close(choices: Choices, out: list[str], name: str, content: list[str]) -> None:
    if any(content):
        out.append(">")
        out.extend(content)
        out.append(f"</{name}{pick(choices, ['', ' '])}>")
    else:
        out.append(pick(choices, ["/>", " />", f"></{name}>"]))


def _child(choices: Choices, out: list[str], field: Field, depth: int) -> None:
    if field.value == "map":
        _element(choices, out, field.xml, field.type, depth)
        return
    name, declared = _tag(choices, field.xml)
    attributes = {}
    if field.value == "size":
        if not rarely(choices, 3):
            attributes["unit"] = pick(choices, [field.unit, *UNITS])
        for xml, beside in field.beside.items():
            if rarely(choices, 3):
                attributes[xml] = _scalar(choices, beside)
    out.append(f"<{name}{declared}{_attributes(choices, attributes)}")
    content: list[str] = []
    if field.value == "xml":
        for _ in range(choices.below(4)):
            _foreign(choices, content, depth)
            if rarely(choices, 8):
                content.append(_text(choices, _any_text(choices)))
    else:
        content.append(_text(choices, _scalar(choices, field)))
        if rarely(choices, 24):
            _strange_content(choices, content, depth)
    _close(choices, out, name, content)


def _foreign(choices: Choices, out: list[str], depth: int) -> None:
    """Add an element that no table knows, with whatever content."""
    local = pick(choices, FOREIGN_NAMES)
    how = choices.below(4)
    uri = _escaped(pick(choices, FOREIGN_URIS))
    name, declared = local, ""
    if how == 1:
        name, declared = f"p:{local}", f" xmlns:p='{uri}'"
    elif how == 2:
        declared = f' xmlns="{uri}"'
    out.append(f"<{name}{declared}{_attributes(choices, {})}")
    content: list[str] = []
    for _ in range(choices.below(4) if depth < DEEPEST else 0):
        _space(choices, content, depth)
        what = choices.below(4)
        if what == 1:
            content.append(_text(choices, _any_text(choices)))
        elif what == 2:
            content.append(_comment(choices))
        else:
            _foreign(choices, content, depth + 1)
    _close(choices, out, name, content)


def _strange_content(choices: Choices, out: list[str], depth: int) -> None:
    what = choices.below(5)
    if what == 0:
        _foreign(choices, out, depth + 1)
    elif what == 1:
        out.append(_comment(choices))
    elif what == 2:
        out.append(_text(choices, _any_text(choices)))
    elif what == 3:
        out.append(pick(choices, ["<?pi?>", "<?p i='1'?>"]))
    else:
        name = pick(choices, ["name", "memory", "disk", "source", "target", "driver", "feature"])
        out.append(f"<{name}{_attributes(choices, {})}>{_text(choices, _any_text(choices))}</{name}>")


def _tag(choices: Choices, tag: str) -> tuple[str, str]:
    """Return the name to write for *tag* (``{namespace}local``), and the declaration that it needs."""
    if not tag.startswith("{"):
        return tag, " xmlns=''" if rarely(choices, 40) else ""
    uri, _, local = tag[1:].partition("}")
    prefix = pick(choices, [table().namespaces[uri], "q", ""])
    return (f"{prefix}:{local}", f" xmlns:{prefix}='{uri}'") if prefix else (local, f" xmlns='{uri}'")


def _some(choices: Choices, fields: list[Field]) -> list[Field]:
    if not fields:
        return []
    picked = {choices.below(len(fields)) for _ in range(choices.below(5))}
    return [fields[at] for at in picked]


def _attributes(choices: Choices, known: dict[str, str]) -> str:
    attributes = dict(known)
    if rarely(choices, 10):
        attributes.setdefault(pick(choices, FOREIGN_NAMES), _any_text(choices))
    text = ""
    if rarely(choices, 30):
        uri = _escaped(pick(choices, FOREIGN_URIS))
        text = f" xmlns:n='{uri}' n:{pick(choices, FOREIGN_NAMES)}='{_escaped(_any_text(choices))}'"
    for name, value in attributes.items():
        written = _escaped(value)
        if rarely(choices, 12):
            written = value.translate(_REFERENCES)
        quote = pick(choices, ["'", '"'])
        text += f"{pick(choices, [' ', '  ', chr(10)])}{name}={quote}{written}{quote}"
    return text


_REFERENCES = {code: f"&#{code};" for code in (*range(128), 233)}


def _escaped(text: str) -> str:
    for char, reference in (
        ("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&apos;"), ('"', "&quot;"), ("\r", "&#xD;"),
        ("\n", "&#10;"), ("\t", "&#9;"),
    ):  # fmt: skip
        text = text.replace(char, reference)
    return text


def _text(choices: Choices, text: str) -> str:
    how = choices.below(12)
    if how == 10 and "]]>" not in text and "\r" not in text:
        return f"<![CDATA[{text}]]>"
    if how == 11:
        return text.translate(_REFERENCES)
    return _escaped(text).replace("&#10;", "\n").replace("&#9;", "\t")


def _comment(choices: Choices) -> str:
    text = pick(choices, [" note ", "x", "", " a\n b ", " é: # ", "<disk/>", " [yes] "])
    return f"<!--{text}-->"


def _space(choices: Choices, out: list[str], depth: int) -> None:
    out.append(pick(choices, ["", "\n" + "  " * (depth + 1), "\n", " ", "\t\n  "]))


def _any_text(choices: Choices) -> str:
    how = choices.below(4)
    if how == 0:
        return pick(choices, COMMON_TEXTS)
    if how == 1:
        return pick(choices, STRANGE_TEXTS)
    if how == 2:
        return "".join(pick(choices, "ab01 \n\t:#-?|>'\"{}[],&*!%@`~=<.\\_é\r]") for _ in range(choices.below(8)))
    return "".join(NOT_XML.sub("?", chr(choices.below(1 << 16))) for _ in range(choices.below(6)))


def _scalar(choices: Choices, field: Field) -> str:
    if rarely(choices, 6):
        return _any_text(choices)
    if field.value in ("integer", "size"):
        return str(pick(choices, [1, 0, 2, 8, 1024, 4194304, 1048576, 1 << 62, (1 << 63) - 1]))
    if field.value == "yesno":
        return pick(choices, ["yes", "no"])
    if field.value == "onoff":
        return pick(choices, ["on", "off"])
    if field.enum:
        return pick(choices, field.enum)
    return pick(choices, COMMON_TEXTS)
