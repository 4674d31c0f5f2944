"""Reads a folder of RelaxNG grammars (XML syntax) into a small pattern tree.

Only what libvirt's grammars use is understood; anything else is an error that names file and line, never a guess.
Source: RELAX NG Specification, OASIS, 3 December 2001.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from lxml import etree

from schemas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RNG = "{http://relaxng.org/ns/structure/1.0}"


@dataclass(frozen=True)
class Data:
    """A value: ``kind`` is an XML Schema datatype's name, ``text``, or ``value`` (then ``literal`` is the value)."""

    kind: str
    literal: str = ""
    define: str = ""
    """The name of the innermost definition that the value stands in, such as ``virYesNo``."""
    pattern: str = ""
    """The regular expression that a ``string`` must match; empty for none."""


@dataclass(eq=False)
class Attribute:
    """An attribute pattern; ``name`` is None for any name."""

    name: str | None
    content: Pattern


@dataclass(eq=False)
class Element:
    """An element pattern; ``name`` is ``{namespace}local`` or ``local``, None for any name."""

    name: str | None
    line: int
    file: str
    read: Callable[[], Pattern]

    @cached_property
    def content(self) -> Pattern:
        """What stands inside; read when first asked for, since elements may contain themselves."""
        return self.read()


@dataclass(frozen=True)
class Choice:
    """One of the members."""

    members: tuple[Pattern, ...]


@dataclass(frozen=True)
class Group:
    """All of the members, in order or interleaved: libvirt does not tell the two apart either."""

    members: tuple[Pattern, ...]


@dataclass(frozen=True)
class Repeat:
    """The content ``minimum`` (0 or 1) times or more."""

    minimum: int
    content: Pattern


@dataclass(frozen=True)
class Nothing:
    """Neither content nor attributes; ``allowed`` is False for ``notAllowed``."""

    allowed: bool = True


Pattern: TypeAlias = Data | Attribute | Element | Choice | Group | Repeat | Nothing


class Grammar:
    """One grammar with all that it includes; ``start`` is its start pattern."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._defines: dict[str, list[tuple[str, etree._Element]]] = {}
        self._start: etree._Element | None = None
        self._start_file = ""
        self._included: set[str] = set()
        self._resolved: dict[str, Pattern] = {}
        self._resolving: set[str] = set()
        self._include(path, keep_start=True)
        if self._start is None:
            raise InputError("the grammar has no start", file=str(path))
        self.start: Pattern = self._pattern_of(self._start, self._start_file, "")

    def _include(self, path: Path, *, keep_start: bool) -> None:
        if path.name in self._included:
            return
        self._included.add(path.name)
        try:
            root = etree.parse(str(path), etree.XMLParser(resolve_entities=False, no_network=True)).getroot()
        except (OSError, etree.XMLSyntaxError) as error:
            raise InputError(f"cannot read the grammar: {error}", file=str(path)) from error
        self._read(root, path, keep_start=keep_start)

    def _read(self, grammar: etree._Element, path: Path, *, keep_start: bool) -> None:
        for node in grammar:
            if not isinstance(node.tag, str) or not node.tag.startswith(RNG):
                continue
            match node.tag.removeprefix(RNG):
                case "include":
                    # Overrides inside an include replace definitions; libvirt uses combine="choice" instead.
                    self._include(path.parent / str(node.get("href")), keep_start=keep_start)
                    self._read(node, path, keep_start=keep_start)
                case "define":
                    self._defines.setdefault(str(node.get("name")), []).append((path.name, node))
                case "start":
                    if keep_start:
                        self._start, self._start_file = node, path.name
                case other:
                    raise InputError(f"unknown grammar element <{other}>", file=str(path), line=node.sourceline)

    def _reference(self, name: str, file: str, line: int | None) -> Pattern:
        if name in self._resolved:
            return self._resolved[name]
        if name not in self._defines:
            raise InputError(f"reference to {name}, which is not defined", file=file, line=line)
        if name in self._resolving:
            raise InputError(f"{name} contains itself with no element between", file=file, line=line)
        self._resolving.add(name)
        bodies = [self._pattern_of(node, where, name) for where, node in self._defines[name]]
        self._resolving.discard(name)
        pattern = bodies[0] if len(bodies) == 1 else Choice(tuple(bodies))
        self._resolved[name] = pattern
        return pattern

    def _pattern_of(self, node: etree._Element, file: str, define: str) -> Pattern:
        """Return the pattern of *node*'s children, in sequence."""
        children = [
            self._pattern(child, file, define)
            for child in node
            if isinstance(child.tag, str) and child.tag.startswith(RNG) and child.tag != RNG + "anyName"
        ]
        return children[0] if len(children) == 1 else Group(tuple(children))

    def _pattern(self, node: etree._Element, file: str, define: str) -> Pattern:
        match str(node.tag).removeprefix(RNG):
            case "ref":
                return self._reference(str(node.get("name")), file, node.sourceline)
            case "element":
                return self._element(node, file, define)
            case "attribute":
                content = self._pattern_of(node, file, define)
                if isinstance(content, Group) and not content.members:
                    content = Data("text", define=define)
                return Attribute(_name(node), content)
            case "choice":
                return Choice(tuple(self._pattern(c, file, define) for c in node if isinstance(c.tag, str)))
            case "group" | "interleave":
                return self._pattern_of(node, file, define)
            case "optional":
                return Choice((self._pattern_of(node, file, define), Nothing()))
            case "zeroOrMore":
                return Repeat(0, self._pattern_of(node, file, define))
            case "oneOrMore":
                return Repeat(1, self._pattern_of(node, file, define))
            case "data":
                pattern = node.findtext(f"{RNG}param[@name='pattern']") or ""
                return Data(str(node.get("type")), define=define, pattern=pattern)
            case "value":
                return Data("value", literal=(node.text or "").strip(), define=define)
            case "text":
                return Data("text", define=define)
            case "empty":
                return Nothing()
            case "notAllowed":
                return Nothing(allowed=False)
            case "grammar":
                return self._nested(node, file)
            case other:
                raise InputError(f"unknown grammar element <{other}>", file=file, line=node.sourceline)

    def _element(self, node: etree._Element, file: str, define: str) -> Element:
        return Element(
            name=_name(node),
            line=node.sourceline or 0,
            file=file,
            read=lambda: self._pattern_of(node, file, define),
        )

    def _nested(self, node: etree._Element, file: str) -> Pattern:
        """Return the start of a grammar inside a grammar: one include, and a scope of its own."""
        includes = [child for child in node if child.tag == RNG + "include"]
        if len(includes) != 1 or len(includes[0]):
            raise InputError("a nested grammar is more than one include", file=file, line=node.sourceline)
        return Grammar(self._path.parent / str(includes[0].get("href"))).start


def _name(node: etree._Element) -> str | None:
    name = node.get("name")
    if name is None:
        return None
    namespace = node.get("ns")
    if namespace is None and node.tag == RNG + "element":
        # Elements inherit it from what they stand in (section 4.8); attributes given by name do not.
        namespace = next((outer.get("ns") for outer in node.iterancestors() if outer.get("ns") is not None), None)
    return f"{{{namespace}}}{name.strip()}" if namespace else name.strip()
