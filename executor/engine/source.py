"""Objects from files: read, checked, told apart. One of the engine's sources; a cluster's API server is another."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from analyser import convert, documents, files, yamlreader
from analyser.validate import validate
from executor.engine.objects import Ref, is_ours, ref_of
from schemas.errors import InputError, KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterable


class InvalidInput(KubevmmError):  # noqa: N818  (named for what happened)
    """Files that say what cannot be; ``problems`` are one line each, with file, line and column."""

    def __init__(self, problems: list[str]) -> None:
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{more}", hint="nothing was changed")
        self.problems = problems


@dataclass(frozen=True)
class Declared:
    """One object as somebody wrote it in ``file``."""

    ref: Ref
    object: dict[str, Any] = field(repr=False)
    file: str


@dataclass
class Declarations:
    """All objects of one input; ``secrets`` are the Secrets' values by namespace, name and key, and never shown."""

    objects: list[Declared] = field(default_factory=list)
    secrets: dict[tuple[str, str, str], str] = field(default_factory=dict, repr=False)
    skipped: int = 0
    """How many objects were none of ours, nor Secrets."""


def read(names: Iterable[str], *, namespace: str | None = None, recursive: bool = False) -> Declarations:
    """Return the objects in the files, folders or ``-`` that are named; XML of libvirt's counts as an object too.

    *namespace* is given to what has none; what is in another one is an error then. Folders are searched to the bottom
    with *recursive* alone. Raises InvalidInput with every problem, KubevmmError where there is nothing.
    """
    out = Declarations()
    problems: list[str] = []
    found = 0
    for source in files.sources(names):
        if not recursive and len(source.relative.parts) > 1:
            continue
        found += 1
        data = files.read(source)
        report = validate(data, file=str(source))
        errors = [str(problem) for problem in report.problems if problem.severity == "error"]
        problems += errors
        if not errors:
            for obj in _objects(data, str(source)):
                _add(out, obj, str(source), namespace, problems)
    _distinct(out, problems)
    if problems:
        raise InvalidInput(problems)
    if not found:
        raise KubevmmError("no file to read", hint="-f names files or folders; -R searches folders to the bottom")
    return out


def _objects(data: bytes, file: str) -> list[dict[str, Any]]:
    if convert.form_of(data) == "xml":
        text = convert.convert(data, file=file, to="yaml").text
    else:
        text = yamlreader.decode(data, file)
    return [obj for document in yamlreader.iter_documents(text, file=file) for obj in documents.objects(document)]


def _add(out: Declarations, obj: dict[str, Any], file: str, namespace: str | None, problems: list[str]) -> None:
    metadata = dict(obj.get("metadata") or {})
    if namespace is not None and metadata.setdefault("namespace", namespace) != namespace:
        problems.append(f"{file}: {metadata.get('name')}: is in the namespace {metadata['namespace']}, not {namespace}")
        return
    obj = {**obj, "metadata": metadata}
    if obj.get("kind") == "Secret" and obj.get("apiVersion") == "v1":
        _add_secret(out, obj, file, problems)
    elif not is_ours(obj):
        out.skipped += 1
    elif not metadata.get("name"):
        problems.append(f"{file}: a {obj['kind']} without a name")
    else:
        out.objects.append(Declared(ref_of(obj), obj, file))


def _add_secret(out: Declarations, obj: dict[str, Any], file: str, problems: list[str]) -> None:
    ref = ref_of(obj)
    values = {str(key): str(value) for key, value in (obj.get("stringData") or {}).items()}
    for key, value in (obj.get("data") or {}).items():
        try:
            values.setdefault(str(key), base64.b64decode(str(value), validate=True).decode())
        except (binascii.Error, ValueError):
            problems.append(f"{file}: Secret {ref.name}: data.{key} is not base64 of text")
    for key, value in values.items():
        out.secrets[ref.namespace, ref.name, key] = value


def _distinct(out: Declarations, problems: list[str]) -> None:
    seen: dict[Ref, str] = {}
    for each in out.objects:
        if each.ref in seen:
            text = (
                f"{each.file}: {each.ref} in {each.ref.namespace} is declared more than once, first in {seen[each.ref]}"
            )
            problems.append(text)
        seen.setdefault(each.ref, each.file)


def missing_secret(ref: Ref, name: str, key: str, path: str) -> InputError:
    """Return the error for a reference to a Secret that the input does not have."""
    return InputError(
        f"{ref}: there is no Secret {name} with the key {key} in {ref.namespace}",
        path=path,
        hint="give the Secret's file with -f, too",
    )
