"""Where in a text the things that a path leads to stand, in YAML and in XML."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.parsers import expat

from analyser.validate.content import child_step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lxml import etree

    from analyser.validate.problems import Finding, Path, Problem
    from analyser.yamlreader import Mark
    from schemas.table import Type

_JUNK_AFTER_DOCUMENT = 9
"""Expat's XML_ERROR_JUNK_AFTER_DOC_ELEMENT: another document follows."""


def in_yaml(findings: Sequence[Finding], marks: Mapping[Path, Mark], file: str) -> list[Problem]:
    """Return *findings* with their places, in the order of the text."""
    first = min(marks.values(), default=None)
    problems = []
    for finding in findings:
        path = finding.path if finding.place is None else finding.place
        mark = None
        exact = True
        while path and mark is None:
            mark = marks.get(path)
            if mark is None:
                path, exact = path[:-1], False
        mark = mark or first
        if mark is None:
            place = (1, 1)
        elif exact and finding.at_value:
            place = (mark.line, mark.column)
        else:
            place = (mark.key_line, mark.key_column)
        problems.append(finding.problem(file, *place))
    return sorted(problems, key=lambda problem: (problem.line, problem.column))


class Elements:
    """Where each element of the documents in one XML text begins."""

    def __init__(self, data: bytes, roots: Sequence[etree._Element]) -> None:
        elements = [element for root in roots for element in root.iter("*")]
        exact = _positions(data)
        if len(exact) == len(elements):
            self._places = dict(zip(elements, exact, strict=True))
        else:  # an encoding that only libxml2 reads; it knows lines
            self._places = {element: (element.sourceline or 1, 1) for element in elements}

    def problems(
        self, findings: Sequence[Finding], element: etree._Element, kind: Type, path: Path, file: str
    ) -> list[Problem]:
        """Return *findings* about the document *element*, of type *kind* with its content at *path*, with places."""
        found = _by_path(element, kind, path)
        problems = []
        for finding in findings:
            step = finding.path if finding.place is None else finding.place
            while step and step not in found:
                step = step[:-1]
            problems.append(finding.problem(file, *self._places[found.get(step, element)]))
        return sorted(problems, key=lambda problem: (problem.line, problem.column))


def _positions(data: bytes) -> list[tuple[int, int]]:
    """Return line and column of each element's start, in order; of fewer elements if Expat stops early.

    Only for what libxml2 has accepted: no DOCTYPE, so no entities.
    """
    found: list[tuple[int, int]] = []
    view = memoryview(data)
    line, column = 1, 1
    while True:
        parser = expat.ParserCreate()
        base_line, base_column = line, column

        def start(
            _: str,
            __: dict[str, str],
            parser: expat.XMLParserType = parser,
            base: tuple[int, int] = (base_line, base_column),
        ) -> None:
            here = parser.CurrentLineNumber
            found.append((base[0] + here - 1, parser.CurrentColumnNumber + (base[1] if here == 1 else 1)))

        parser.StartElementHandler = start
        try:
            parser.Parse(view, True)
        except expat.ExpatError as error:
            offset = parser.ErrorByteIndex
            if error.code != _JUNK_AFTER_DOCUMENT or offset <= 0:
                return found
            column = error.offset + (base_column if error.lineno == 1 else 1)
            line = base_line + error.lineno - 1
            view = view[offset:]
        except (ValueError, LookupError):
            return found
        else:
            return found


def _by_path(root: etree._Element, kind: Type, path: Path) -> dict[Path, etree._Element]:
    """Return the elements below *root* by the path of what they become, and by their parent's and ``child_step``."""
    found: dict[Path, etree._Element] = {path: root}
    work = [(root, kind, path)]
    while work:
        element, of, here = work.pop()
        counts: dict[str, int] = {}
        lengths: dict[str, int] = {}
        for child in element:
            tag = child.tag
            if not isinstance(tag, str):
                continue
            index = counts[tag] = counts.get(tag, -1) + 1
            found[*here, child_step(tag), index] = child
            field = of.elements.get(tag)
            if field is None:
                continue
            below: Path
            if field.sequence is not None:
                place = lengths[field.sequence] = lengths.get(field.sequence, -1) + 1
                below = (*here, field.sequence, place, field.key)
                found[below[:-1]] = child
            else:
                below = (*here, field.key, index) if field.many else (*here, field.key)
            found.setdefault(below, child)
            if field.many:
                found.setdefault((*here, field.key), child)
            for beside in field.beside.values():
                found.setdefault((*here, beside.key), child)
            if field.value == "map" and found[below] is child:
                work.append((child, field.type, below))
    return found
