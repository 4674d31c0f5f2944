"""Checks documents, XML or YAML, against the binding tables and our own types, and names every problem."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from analyser import documents, xmlreader, yamlreader
from analyser.convert import form_of
from analyser.model import Comment
from analyser.validate import content, objects, places
from analyser.validate.problems import Finding, Findings, Problem, kind_of
from schemas.errors import InputError
from schemas.table import table

if TYPE_CHECKING:
    from lxml import etree

    from analyser.model import Node
    from analyser.validate.problems import Path

__all__ = ["Problem", "Report", "validate"]


@dataclass
class Report:
    """What was found in one input."""

    problems: list[Problem] = field(default_factory=list)
    documents: int = 0
    """How many documents were checked."""
    skipped: int = 0
    """How many objects were none of ours (a Secret, a Namespace, a Kustomization) and not looked into."""

    @property
    def valid(self) -> bool:
        """Whether nothing was found but warnings."""
        return all(problem.severity != "error" for problem in self.problems)


def validate(data: bytes, *, file: str) -> Report:
    """Return all problems of the documents in *data*, XML or YAML, as they stand; never raises for bad input."""
    report = Report()
    try:
        if form_of(data) == "xml":
            _xml(data, file, report)
        else:
            _yaml(data, file, report)
    except InputError as error:
        report.problems.append(unreadable(error, file))
    return report


def unreadable(error: InputError, file: str) -> Problem:
    """Return the problem that *error*, raised while *file* was read, stands for."""
    return Problem(file, error.line or 1, error.column or 1, error.path or "", error.message, error.hint)


def _xml(data: bytes, file: str, report: Report) -> None:
    roots = xmlreader.parse(data, file=file)
    elements: places.Elements | None = None
    for element in (document for root in roots for document in documents.documents(root)):
        report.documents += 1
        root = table().roots.get(str(element.tag))
        path: Path = ("spec", root.field) if root is not None and root.field else ("spec",)
        findings = Findings(xml=True)
        if root is not None:
            made = documents.to_object(element)
            spec = made["spec"][root.field] if root.field else made["spec"]
            content.check(spec, root.type, root.element, path, findings)
        else:
            _no_root(element, findings)
        if findings.found:
            elements = elements or places.Elements(data, roots)
            kind = root.type if root is not None else table().roots["domain"].type
            report.problems.extend(elements.problems(findings.found, element, kind, path, file))


def _no_root(element: etree._Element, findings: Findings) -> None:
    try:
        documents.to_object(element)
    except InputError as error:
        findings.add((), error.message, error.hint)


def _yaml(data: bytes, file: str, report: Report) -> None:
    text = yamlreader.decode(data, file)
    found: dict[int, list[Finding]] = {}
    count = 0
    for count, document in enumerate(yamlreader.iter_documents(text, file=file), 1):
        findings = Findings(xml=False)
        _document(document, findings, report)
        if findings.found:
            found[count - 1] = findings.found
    if not count:
        raise InputError("holds no document", file=file)
    if found:  # positions take a slower reader, so only now
        for index, (_, marks) in enumerate(yamlreader.load_with_marks(text, file=file)):
            report.problems.extend(places.in_yaml(found.get(index, ()), marks, file))


def _document(document: Node, findings: Findings, report: Report) -> None:
    """Check one document: an object, or a List of them."""
    items = document.get("items")
    if document.get("kind") != "List" or not isinstance(items, list):
        _object(document, (), findings, report)
        return
    for index, item in enumerate(items):
        if isinstance(item, dict):
            _object(item, ("items", index), findings, report)
        elif item.__class__ is not Comment:
            findings.add(("items", index), f"expected an object, found {kind_of(item)}")


def _object(document: Node, path: Path, findings: Findings, report: Report) -> None:
    if objects.is_ours(document):
        report.documents += 1
        objects.check(document, path, findings)
    else:
        report.skipped += 1
