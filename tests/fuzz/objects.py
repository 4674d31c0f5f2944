"""Random objects by the binding tables: what a person could write in YAML, wholly right or with mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analyser.documents import GROUP, LIBVIRT
from schemas.table import EXTRA, REFERENCE, table
from tests.fuzz.choices import pick, rarely

if TYPE_CHECKING:
    from schemas.table import Field, Type
    from tests.fuzz.choices import Choices

SIZES = ["4Gi", "1Ki", "512Mi", "4194304Ki", "3 MiB", "4096 b", "1048576 KiB"]
TEXTS = ["a", "vda", "/dev/sda", "0x1f", "007", "yes", "é", "a & b <c> 'd' \"e\"", "a\nb", "null", "x" * 200]
FOREIGN = ["<a/>", "<p:a xmlns:p='urn:p' b='1'>\n  <p:c/>\n</p:a>", '<a xmlns="urn:a">text</a>', "<a>x<b/>y</a>"]
MISTAKES = [None, 1.5, [], {}, "", [None], -1, True, "strange", ["a"], {"a": 1}, "\x00", "\ud800", 2**70, "<", "<a>"]
DEEPEST = 5


def object_by_table(choices: Choices, *, mistakes: bool = False) -> dict[str, Any]:
    """Return an object whose document is right by the tables; with *mistakes*, often wrong somewhere."""
    roots = list(table().roots.values())
    root = pick(choices, [next(each for each in roots if each.element == "domain"), *roots])
    wrong = 12 if mistakes else 0
    content = _content(choices, root.type, wrong, 0)
    if not mistakes and "name" in root.type.by_key:
        content.setdefault("name", "a")
    document: dict[str, Any] = {
        "apiVersion": GROUP if root.field else LIBVIRT,
        "kind": root.kind,
        "metadata": {"name": "a"},
        "spec": {root.field: content} if root.field else content,
    }
    if wrong and rarely(choices, 8):
        document[pick(choices, list(document))] = pick(choices, MISTAKES)
    return document


def _content(choices: Choices, kind: Type, wrong: int, depth: int) -> dict[Any, Any]:
    out: dict[Any, Any] = {}
    fields = [field for field in kind.fields if field.where is not REFERENCE and not field.sequence]
    for _ in range(choices.below(7) if fields and depth < DEEPEST else 0):
        field = pick(choices, fields)
        if field.value == "map" and depth + 1 >= DEEPEST:
            continue
        out[field.key] = _value(choices, field, wrong, depth)
        for beside in field.beside.values():
            if rarely(choices, 3):
                out[beside.key] = _scalar(choices, beside)
    for key, named in kind.sequences.items():
        entries = list(named.values())
        out[key] = [_entry(choices, pick(choices, entries), wrong, depth) for _ in range(1 + choices.below(3))]
    if wrong and rarely(choices, wrong):
        out[pick(choices, ["unknown", EXTRA, "value", "name", "", "a b", *kind.by_key])] = pick(choices, MISTAKES)
    return out


def _entry(choices: Choices, field: Field, wrong: int, depth: int) -> dict[str, Any]:
    return {field.key: _content(choices, field.type, wrong, depth + 1)}


def _value(choices: Choices, field: Field, wrong: int, depth: int) -> Any:
    if wrong and rarely(choices, wrong):
        return pick(choices, MISTAKES)
    if field.many:
        return [_single(choices, field, wrong, depth) for _ in range(1 + choices.below(3))]
    return _single(choices, field, wrong, depth)


def _single(choices: Choices, field: Field, wrong: int, depth: int) -> Any:
    return _content(choices, field.type, wrong, depth + 1) if field.value == "map" else _scalar(choices, field)


def _scalar(choices: Choices, field: Field) -> Any:
    if field.value == "integer":
        return pick(choices, [1, 0, -1, 4096, (1 << 63) - 1, -(1 << 63), "0x10", "007"])
    if field.value in ("yesno", "onoff"):
        return pick(choices, [True, False, "default"])
    if field.value == "size":
        return pick(choices, SIZES)
    if field.value == "xml":
        return pick(choices, FOREIGN)
    return pick(choices, field.enum or TEXTS)
