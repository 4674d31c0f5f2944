"""Runtime state: what libvirt fills in while a guest runs, found in its XML and taken out of it.

Which paths these are is data: ``runtime`` in ``schemas/overrides.yaml``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from lxml import etree

from schemas.grammar.overrides import load
from schemas.table import table

_FIRST_STEPS = re.compile(r"(@?\w+)(?![\w:(])(?:/(\w+)(?![\w:(]))?")
_LAST_NAME = re.compile(r"([A-Za-z_][\w-]*)(?:\[.*\])?$")


@dataclass(frozen=True)
class Rule:
    """One path.

    XML without ``needle`` (lower case) cannot have it, nor, with ``running``, a definition that was not taken from a
    running guest: then it need not be looked for. An attribute is set to what it ``becomes``; None takes it out.
    """

    find: Any
    needle: bytes
    what: str
    prune: bool
    running: bool
    becomes: str | None
    places: frozenset[tuple[str, str]]
    """The first two steps of each path that it is; ``*`` for any."""

    def may_be_in(self, above: str, tag: str) -> bool:
        """Say whether it may find something in an element *tag*: the root's child (*above* is empty), or of a child."""
        if not above:
            return any(first in (tag, "*") for first, _ in self.places)
        return any(first in (above, "*") and second in (tag, "*") for first, second in self.places)


class Taken(NamedTuple):
    """What was taken out: where it stood, its value (empty for an element), what it is in a person's words.

    And the number of the rule that says so: the report has them in that order.
    """

    path: str
    value: str
    what: str
    number: int = 0


def rule(raw: dict[str, Any]) -> Rule:
    """Return the rule that *raw*, an entry of the overrides, describes."""
    path = raw["path"]
    prefixes = {prefix: uri for uri, prefix in table().namespaces.items()}
    needle = raw.get("needle")
    if needle is None:
        found = _LAST_NAME.search(re.sub(r"\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]", "", path))
        needle = found[1] if found else ""
    find = etree.XPath(path, namespaces=prefixes)
    places = frozenset(_place(each.strip()) for each in path.split(" | "))
    prune, running = raw.get("prune", False), raw.get("running", False)
    return Rule(find, needle.lower().encode(), raw.get("what", ""), prune, running, raw.get("becomes"), places)


def _place(path: str) -> tuple[str, str]:
    match = _FIRST_STEPS.match(path)
    return (match[1], match[2] or "*") if match else ("*", "*")


@cache
def _rules(root: str) -> tuple[Rule, ...]:
    return tuple(rule(raw) for raw in load()["runtime"].get(root, ()))


@cache
def needles(root: str, above: str, tag: str, *, running: bool) -> frozenset[bytes]:
    """Return what an element must contain to have runtime state: in lower case, with double quotes.

    It is a child *tag* of the root (*above* is empty), or of the root's child *above*, in the definition of a guest
    that is *running* or not.
    """
    rules = (each for each in _rules(root) if running or not each.running)
    return frozenset(each.needle for each in rules if each.may_be_in(above, tag))


def where(element: etree._Element) -> str:
    """Return *element*'s place below its root as people write it: ``devices/disk[2]/alias``."""
    steps: list[str] = []
    while True:
        parent = element.getparent()
        if parent is None:
            return "/".join(reversed(steps))
        alike = parent.findall(str(element.tag))
        name = etree.QName(element).localname
        steps.append(f"{name}[{alike.index(element) + 1}]" if len(alike) > 1 else name)
        element = parent


def strip(root: etree._Element, text: bytes = b"") -> list[Taken]:
    """Take the runtime state out of the document *root* and return what that was, in the order of the rules.

    *text* is the document's XML in lower case, attributes in double quotes, if it is at hand: what it does not contain
    is not looked for.
    """
    found: list[tuple[int, Rule, Any]] = []
    running = root.get("id") is not None
    for number, each in enumerate(_rules(root.tag if isinstance(root.tag, str) else "")):
        if (running or not each.running) and (not text or each.needle in text):
            found += [(number, each, match) for match in each.find(root)]
    taken: list[Taken] = []
    if not found:
        return taken
    places: dict[Any, str] = {}
    for _, _, match in found:
        element = match if isinstance(match, etree._Element) else match.getparent()  # noqa: SLF001
        if element not in places:
            places[element] = where(element)
    for number, each, match in found:
        if isinstance(match, etree._Element):  # noqa: SLF001
            parent = match.getparent()
            if parent is not None:
                taken.append(Taken(places[match], "", each.what, number))
                parent.remove(match)
            continue
        element = match.getparent()
        name = match.attrname
        if name in element.attrib:
            place = places[element]
            taken.append(Taken(f"{place}/@{name}" if place else f"@{name}", str(match), each.what, number))
            if each.becomes is None:
                del element.attrib[name]
            else:
                element.set(name, each.becomes)
        parent = element.getparent()
        if each.prune and parent is not None and not len(element) and not element.keys():
            parent.remove(element)
    return taken
