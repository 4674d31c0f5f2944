"""Checks of scalars against the field that holds them: integers, booleans, enums, sizes, text, XML text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from analyser import sizes
from analyser.codec.encode import escape, fragment
from analyser.validate.problems import Findings, Path, Severity, kind_of, shown
from analyser.xmlreader import XML_SPACE
from schemas.errors import InputError

if TYPE_CHECKING:
    from schemas.table import Field

_WORDS = {"yesno": ("yes", "no"), "onoff": ("on", "off")}
_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,20}\s*")
_LONGEST_MATCHED = 200
"""No number, word or variable is longer; the grammar's expressions are not made for more."""
_NUMBER = re.compile(r"\s*\+?[0-9]{1,20}\s*")
_UNIT = re.compile(r"b|bytes?|[kmgtpe](?:i?b)?", re.IGNORECASE)
"""libvirt.org/formatdomain.html, memory allocation; libvirt does not mind upper or lower case."""

_SECRET = re.compile("passw", re.IGNORECASE)


def check(value: Any, field: Field, path: Path, findings: Findings) -> None:
    """Add to *findings* what is wrong with *value*, which is no map of *field*'s own."""
    if isinstance(value, dict | list):
        wanted = {"xml": "XML text", "size": "a size such as 4Gi"}.get(field.value, "a single value")
        findings.add(path, f"expected {wanted}, found {kind_of(value)}")
        return
    problem = _CHECKS.get(field.value, _text)(value, field, path, findings)
    if problem is not None:
        severity: Severity = "warning" if field.open and isinstance(value, str) else "error"
        findings.add(path, problem[0], problem[1], severity=severity, at_value=True)
    elif isinstance(value, str) and not value.isprintable():
        try:
            escape(value, path)
        except InputError as error:
            findings.add(path, error.message, at_value=True)


def _integer(value: Any, field: Field, _: Path, findings: Findings) -> tuple[str, str | None] | None:
    if isinstance(value, bool):
        return f"expected an integer, found {shown(value)}", "yes, no, on and off are booleans in YAML"
    if isinstance(value, int) or _INTEGER.fullmatch(value):
        return None
    text = value.strip(XML_SPACE)
    if len(text) <= _LONGEST_MATCHED and any(re.fullmatch(pattern, text) for pattern in field.also):
        return None
    words = [pattern for pattern in field.also if pattern.isalnum()]
    wanted = f"an integer or one of {', '.join(words)}" if words else "an integer"
    return f"expected {wanted}, found {shown(value)}", findings.nearest(text, words) if words else None


def _boolean(value: Any, field: Field, _: Path, findings: Findings) -> tuple[str, str | None] | None:
    if isinstance(value, bool):
        return None
    yes, no = _WORDS[field.value]
    if findings.xml:
        return f"expected {yes} or {no}, found {shown(value)}", None
    meant = {
        "yes": "true",
        "on": "true",
        "true": "true",
        "1": "true",
        "no": "false",
        "off": "false",
        "false": "false",
        "0": "false",
    }
    word = meant.get(str(value).strip().lower())
    return f"expected true or false, found {shown(value)}", f"write {word}, without quotes" if word else None


def _enum(value: Any, field: Field, _: Path, findings: Findings) -> tuple[str, str | None] | None:
    if isinstance(value, str) and (value in field.enum or value.strip() in field.enum):
        return None
    if not isinstance(value, str):
        wanted = _spelling(value, field)
        if wanted is not None:
            return f"expected text, found {shown(value)}", f'write "{wanted}", with quotes'
    nearest = findings.nearest(str(value), field.enum)
    return f"{shown(value)} is not one of {', '.join(field.enum)}", nearest


def _spelling(value: Any, field: Field) -> str | None:
    """Return the text that a boolean or a number was meant to be, where the enum says which."""
    if value is True or value is False:
        words = ("yes", "on", "true") if value else ("no", "off", "false")
        return next((word for word in words if word in field.enum), None)
    return str(value) if str(value) in field.enum else None


def _size(value: Any, field: Field, _: Path, findings: Findings) -> tuple[str, str | None] | None:
    if isinstance(value, bool):
        return f"expected a size such as 4Gi, found {shown(value)}", None
    try:
        number, unit = sizes.parse(str(value), field.unit)
    except ValueError as error:
        message, *hint = str(error).split("; ", 1)
        return message, hint[0] if hint else None
    if not _NUMBER.fullmatch(number):
        return f"expected a size, found {shown(number)}", None
    if unit is not None and not _UNIT.fullmatch(unit):
        units = ("bytes", "KiB", "MiB", "GiB", "TiB")
        return f"{shown(unit)} is no unit", findings.nearest(
            unit, units
        ) or f"units are {', '.join(units)} and the like"
    return None


def _xml(value: Any, _: Field, path: Path, __: Findings) -> tuple[str, str | None] | None:
    if not isinstance(value, str):
        return f"expected XML text, found {kind_of(value)}", None
    return not_xml(f"<content>{value}</content>", path) if value else None


def not_xml(text: str, path: Path) -> tuple[str, str | None] | None:
    """Return what keeps *text* from being one well-formed XML element, None if nothing does."""
    try:
        fragment(text, path)
    except InputError as error:
        return error.message.partition(" (<string>")[0], error.hint
    return None


def _text(value: Any, _: Field, path: Path, __: Findings) -> tuple[str, str | None] | None:
    if isinstance(value, str):
        return None
    if isinstance(path[-1], str) and _SECRET.search(path[-1]):
        return f"expected text, found {kind_of(value)}", "write it with quotes"
    if isinstance(value, bool):
        return f"expected text, found {shown(value)}", "write it with quotes: yes, no, on and off are booleans in YAML"
    return f"expected text, found {shown(value)}", f'write "{value}", with quotes'


_CHECKS = {"integer": _integer, "yesno": _boolean, "onoff": _boolean, "enum": _enum, "size": _size, "xml": _xml}
