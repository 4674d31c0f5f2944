"""Our own element in a document's metadata: whose it is, what was applied last, and what waits for a restart.

A document without it is not ours. Secrets do not go into it: what libvirt hides from readers must not show there.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from executor.plan import foreign
from schemas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml import etree

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
        from lxml import etree  # noqa: PLC0415  (what lists guests parses nothing)

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
        from lxml import etree  # noqa: PLC0415  (what lists guests parses nothing)

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
        element = foreign.elements(metadata).get(URI)
    except (InputError, SyntaxError):
        return None
    return _of_element(element, brief=brief) if element is not None else None


def read_element(text: str, *, brief: bool = False) -> Mark | None:
    """Return the mark that *text* is, our element as virDomainGetMetadata hands it out: without its namespace.

    As `read` otherwise. What libvirt printed and nobody changed is read without a parser, which halves what a list
    of guests takes.
    """
    printed = _PRINTED.fullmatch(text)
    if printed is not None and _ENTITY.search(text) is None:
        whose, applied, rest = printed.group(1, 2, 3), printed[4], printed.group(5, 6, 7, 8)
        # Of a brief one nearly all is skipped: entities in its strings wait until what stays is known.
        late = brief and "&quot;" not in applied
        found = _made(tuple(map(_plain, whose)), applied if late else _plain(applied), *map(_plain, rest), brief=brief)
        if found is not None and late and "&" in str(found.applied):
            return replace(found, applied=_all_plain(found.applied))
        return found
    from lxml import etree  # noqa: PLC0415  (what lists guests parses nothing)

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        element = etree.fromstring(text.replace("<applied", f'<applied xmlns="{URI}"', 1), parser)
    except etree.XMLSyntaxError:
        return None
    return _of_element(element, brief=brief) if element.tag == f"{{{URI}}}applied" else None


_PRINTED: Final = re.compile(
    r"""<applied[ ]namespace="([^"<]*)"[ ]name="([^"<]*)"[ ]uid="([^"<]*)">
    \s*<object>([^<]*)</object>
    (?:\s*<secrets>([^<]*)</secrets>)?
    (?:\s*<pending(?:[ ]guest="(\d+)")?>([^<]*)</pending>)?
    (?:\s*<answers>([^<]*)</answers>)?
    \s*</applied>\s*""",
    re.VERBOSE,
)

_ENTITY: Final = re.compile(r"&(?!lt;|gt;|quot;|amp;)")
"""What is left to the parser: character references, and what is no XML."""


def _plain(text: str | None) -> str | None:
    if text is None or "&" not in text:
        return text
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")


def _all_plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_plain(key): _all_plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_all_plain(each) for each in value]
    return _plain(value) if isinstance(value, str) else value


def _of_element(element: etree._Element, *, brief: bool) -> Mark | None:
    applied, secrets, answers = (element.findtext(f"{{{URI}}}{each}") for each in ("object", "secrets", "answers"))
    waits = element.find(f"{{{URI}}}pending")
    guest, pending = (waits.get("guest"), waits.text) if waits is not None else (None, None)
    whose = (element.get("namespace"), element.get("name"), element.get("uid"))
    return _made(whose, applied, secrets, guest, pending, answers, brief=brief)


def _made(
    whose: tuple[str | None, ...],
    applied: str | None,
    secrets: str | None,
    guest: str | None,
    pending: str | None,
    answers: str | None,
    *,
    brief: bool,
) -> Mark | None:
    text = applied or "{}"
    namespace, name, uid = (each or "" for each in whose)
    try:
        found = msgspec.to_builtins(_BRIEF.decode(text)) if brief else json.loads(text)
        if not isinstance(found, dict):
            return None
        return Mark(
            namespace,
            name,
            uid,
            found,
            tuple(tuple(each) for each in json.loads(secrets)) if secrets else (),
            tuple(map(str, json.loads(pending))) if pending else (),
            int(guest) if guest is not None else None,
            tuple((str(path), str(digest)) for path, digest in json.loads(answers)) if answers else (),
        )
    except (ValueError, TypeError, RecursionError, msgspec.DecodeError):
        return None


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
