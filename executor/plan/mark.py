"""Our own element in a document's metadata: whose it is, what was applied last, and what waits for a restart.

A document without it is not ours. Secrets do not go into it: what libvirt hides from readers must not show there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec
from lxml import etree

from executor.plan import foreign
from schemas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

URI = f"{foreign.OURS}applied/1"
"""The namespace of the element."""

KEY = "kubevmm"
"""Its prefix."""


class _BriefSpec(msgspec.Struct, rename="camel", omit_defaults=True):
    run_strategy: str = ""
    running: bool | None = None


class _Brief(msgspec.Struct, rename="camel", omit_defaults=True):
    """What lists of objects show."""

    api_version: str = ""
    kind: str = ""
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    spec: _BriefSpec = msgspec.field(default_factory=_BriefSpec)


_BRIEF: Final = msgspec.json.Decoder(_Brief)


@dataclass(frozen=True)
class Mark:
    """What the element says.

    ``applied`` is the object as it was applied, secrets left out; ``secrets`` are the key paths of those. ``pending``
    are paths that wait for a restart of the guest whose id was ``guest`` when they were noted. ``answers`` are what
    libvirt made of values that it does not take as they are written (``merge.Answers``).
    """

    namespace: str
    name: str
    uid: str
    applied: dict[str, Any] = field(default_factory=dict)
    secrets: tuple[tuple[str | int, ...], ...] = ()
    pending: tuple[str, ...] = ()
    guest: int | None = None
    answers: tuple[tuple[str, str], ...] = ()

    def last(self, *keys: str) -> dict[str, Any] | None:
        """Return what was applied under *keys* (``spec``, ``domain``), with a word in place of each secret."""
        found: Any = self.applied
        for secret in self.secrets:
            found = _put(found, secret)
        for key in keys:
            found = found.get(key) if found.__class__ is dict else None
        return found if found.__class__ is dict else None

    def xml(self) -> str:
        """Return the element without its namespace, as virDomainSetMetadata takes it."""
        root = etree.Element("applied", {"namespace": self.namespace, "name": self.name, "uid": self.uid})
        etree.SubElement(root, "object").text = _json(self.applied)
        if self.secrets:
            etree.SubElement(root, "secrets").text = _json(self.secrets)
        if self.pending:
            waits = etree.SubElement(root, "pending")
            if self.guest is not None:
                waits.set("guest", str(self.guest))
            waits.text = _json(self.pending)
        if self.answers:
            etree.SubElement(root, "answers").text = _json(self.answers)
        return etree.tostring(root, encoding="unicode")

    def element(self) -> str:
        """Return the element as it stands in a document."""
        root = etree.fromstring(self.xml())
        out = etree.Element(f"{{{URI}}}applied", dict(root.attrib), nsmap={KEY: URI})
        for child in root:
            etree.SubElement(out, f"{{{URI}}}{etree.QName(child).localname}", dict(child.attrib)).text = child.text
        return foreign.printed(out)


def make(namespace: str, name: str, uid: str, applied: dict[str, Any]) -> Mark:
    """Return the mark of the object *applied*; its secrets are left out."""
    from analyser.compare.normal import is_secret  # noqa: PLC0415  (what lists guests needs no tables)

    secrets: list[tuple[str | int, ...]] = []
    return Mark(namespace, name, uid, _without_secrets(applied, (), secrets, is_secret), tuple(secrets))


def read(metadata: str, *, brief: bool = False) -> Mark | None:
    """Return the mark in the metadata text of a document; None if it has none, or none that can be read.

    The object of a *brief* one lacks what `_Brief` does not have, which is nearly all of its size.
    """
    if URI not in metadata:
        return None
    try:
        element = _alone(metadata) if metadata.startswith("<applied") else foreign.elements(metadata).get(URI)
    except (InputError, etree.XMLSyntaxError):
        return None
    if element is None:
        return None
    try:
        text = element.findtext(f"{{{URI}}}object") or "{}"
        applied = msgspec.to_builtins(_BRIEF.decode(text)) if brief else json.loads(text)
        secrets = json.loads(element.findtext(f"{{{URI}}}secrets") or "[]")
        answers = json.loads(element.findtext(f"{{{URI}}}answers") or "[]")
        waits = element.find(f"{{{URI}}}pending")
        pending = json.loads(waits.text or "[]") if waits is not None else []
        guest = waits.get("guest") if waits is not None else None
        if not isinstance(applied, dict):
            return None
        return Mark(
            element.get("namespace", ""),
            element.get("name", ""),
            element.get("uid", ""),
            applied,
            tuple(tuple(secret) for secret in secrets),
            tuple(map(str, pending)),
            int(guest) if guest is not None else None,
            tuple((str(path), str(digest)) for path, digest in answers),
        )
    except (ValueError, TypeError, RecursionError, msgspec.DecodeError):
        return None


_PARSER: Final = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)


def _alone(text: str) -> etree._Element | None:
    """Return the element that *text* is, if it is ours."""
    element = etree.fromstring(text, _PARSER)
    return element if element.tag == f"{{{URI}}}applied" else None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _without_secrets(
    value: Any, path: tuple[str | int, ...], found: list[tuple[str | int, ...]], is_secret: Callable[[str], bool]
) -> Any:
    if isinstance(value, dict):
        out = {}
        for key, each in value.items():
            if is_secret(str(key)) and each.__class__ is str:
                found.append((*path, key))
            else:
                out[key] = _without_secrets(each, (*path, key), found, is_secret)
        return out
    if isinstance(value, list):
        return [_without_secrets(each, (*path, index), found, is_secret) for index, each in enumerate(value)]
    return value


def _put(value: Any, path: tuple[str | int, ...]) -> Any:
    """Return *value* with a word in place of the secret at *path*."""
    if not path:
        from analyser.compare.normal import HIDDEN  # noqa: PLC0415  (what lists guests needs no tables)

        return HIDDEN
    step, rest = path[0], path[1:]
    if isinstance(value, dict) and isinstance(step, str):
        return {**value, step: _put(value.get(step, {}), rest)}
    if isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
        return [*value[:step], _put(value[step], rest), *value[step + 1 :]]
    return value
