"""Checks of our own fields (runStrategy, nodeSelector, status) against their typed definitions in ``schemas.api``."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec.inspect as types

from analyser.model import Comment
from analyser.validate.problems import Findings, Path, kind_of, shown

if TYPE_CHECKING:
    from schemas.api.common import Struct

_NOT_BOTH = re.compile(r"!\(has\(self\.(\w+)\) && has\(self\.(\w+)\)\)")
"""The one form of rule that is checked without a cluster: two keys that exclude each other."""


def check(
    node: Any, struct: type[Struct], path: Path, findings: Findings, *, elsewhere: frozenset[str] = frozenset()
) -> None:
    """Add to *findings* what is wrong with *node*, which *struct* describes; keys *elsewhere* are not looked at."""
    _struct(node, _described(struct), path, findings, elsewhere)


@cache
def _described(struct: type[Struct]) -> types.StructType:
    described = types.type_info(struct)
    if not isinstance(described, types.StructType):
        raise TypeError(f"{struct} is no struct")
    return described


def _struct(
    node: Any, kind: types.StructType, path: Path, findings: Findings, elsewhere: frozenset[str] = frozenset()
) -> None:
    if not isinstance(node, dict):
        findings.add(path, f"expected a map, found {kind_of(node)}")
        return
    fields = {field.encode_name: field for field in kind.fields}
    for key, value in node.items():
        if key.__class__ is Comment or key in elsewhere:
            continue
        field = fields.get(key)
        if field is None:
            hint = findings.nearest(key, fields) or f"known here: {', '.join(sorted(fields))}"
            findings.add((*path, key), "unknown key", hint)
        else:
            _value(value, field.type, (*path, key), findings)
    struct: Any = kind.cls
    for key in struct.needed:
        if key not in node:
            findings.add((*path, key), "missing", place=path)
    for rule in struct.rules:
        match = _NOT_BOTH.fullmatch(rule.cel)
        if match and match[1] in node and match[2] in node:
            findings.add((*path, match[2]), rule.message)


def _value(value: Any, kind: types.Type, path: Path, findings: Findings) -> None:
    while isinstance(kind, types.Metadata):
        kind = kind.type
    if isinstance(kind, types.UnionType):
        found = [each for each in kind.types if not isinstance(each, types.NoneType)]
        fitting = next((each for each in found if _fits(value, each)), found[0])
        _value(value, fitting, path, findings)
    elif isinstance(kind, types.StructType):
        _struct(value, kind, path, findings)
    elif isinstance(kind, types.AnyType):
        return
    elif not _fits(value, kind):
        wanted = _expected(kind)
        hint = f'write "{value}", with quotes' if isinstance(kind, types.StrType) and isinstance(value, int) else None
        findings.add(
            path, f"expected {wanted}, found {shown(value)}", hint, at_value=not isinstance(value, dict | list)
        )
    elif isinstance(kind, types.ListType):
        for index, entry in enumerate(value):
            if entry.__class__ is not Comment:
                _value(entry, kind.item_type, (*path, index), findings)
    elif isinstance(kind, types.DictType):
        for key, entry in value.items():
            if key.__class__ is not Comment:
                _value(entry, kind.value_type, (*path, key), findings)
    else:
        _scalar(value, kind, path, findings)


def _scalar(value: Any, kind: types.Type, path: Path, findings: Findings) -> None:
    words = _words(kind)
    if words is not None and value not in words:
        nearest = findings.nearest(str(value), words)
        findings.add(path, f"{shown(value)} is not one of {', '.join(words)}", nearest, at_value=True)
    elif isinstance(kind, types.StrType):
        if kind.max_length is not None and len(value) > kind.max_length:
            findings.add(path, f"longer than {kind.max_length} characters", at_value=True)
        elif kind.min_length is not None and len(value) < kind.min_length:
            findings.add(path, f"shorter than {kind.min_length} characters", at_value=True)
        elif kind.pattern is not None and not re.search(kind.pattern, value):
            findings.add(path, f"{shown(value)} does not match {kind.pattern}", at_value=True)
    elif isinstance(kind, types.IntType):
        if kind.ge is not None and value < kind.ge:
            findings.add(path, f"{value} is less than {kind.ge}", at_value=True)
        elif kind.le is not None and value > kind.le:
            findings.add(path, f"{value} is more than {kind.le}", at_value=True)


def _fits(value: Any, kind: types.Type) -> bool:
    """Say whether *value* is of the shape of *kind*."""
    while isinstance(kind, types.Metadata):
        kind = kind.type
    if isinstance(kind, types.StructType | types.DictType):
        return isinstance(value, dict)
    if isinstance(kind, types.ListType):
        return isinstance(value, list)
    if isinstance(kind, types.BoolType):
        return isinstance(value, bool)
    if isinstance(kind, types.IntType):
        return isinstance(value, int) and not isinstance(value, bool)
    if isinstance(kind, types.UnionType):
        return any(_fits(value, each) for each in kind.types)
    return isinstance(value, str) or isinstance(kind, types.AnyType)


def _words(kind: types.Type) -> list[str] | None:
    if isinstance(kind, types.EnumType):
        return [member.value for member in kind.cls]
    return [str(value) for value in kind.values] if isinstance(kind, types.LiteralType) else None


def _expected(kind: types.Type) -> str:
    words = _words(kind)
    if words is not None:
        return f"one of {', '.join(words)}"
    names = {
        types.ListType: "a list",
        types.DictType: "a map",
        types.BoolType: "true or false",
        types.IntType: "an integer",
    }
    return names.get(type(kind), "text")
