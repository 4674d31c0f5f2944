"""Objects from files: read, checked, told apart. One of the engine's sources; a cluster's API server is another."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from analyser import convert, documents, files, yamlreader
from analyser.validate import validate
from executor.engine.objects import Ref, is_ours, ref_of, walked
from schemas.errors import InputError, KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from executor.engine.readings import Readings


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

    @cached_property
    def digest(self) -> bytes:
        """A digest of the object, which nobody changes once it is read."""
        return hashlib.sha256(self._text.encode()).digest()

    @cached_property
    def seeded(self) -> bool:
        """Whether its guest gets a disk for cloud-init."""
        return "cloudInit" in (self.object.get("spec") or {})

    @cached_property
    def refers(self) -> bool:
        """Whether it may refer to anything. To walk an object costs more than to print it."""
        return 'Ref"' in self._text or 'Refs"' in self._text

    @cached_property
    def reach(self) -> tuple[tuple[str, str, str], ...]:
        """What the object refers to: the reference's key (``networkRef``), and the namespace and name of its target."""
        if not self.refers:
            return ()
        found = []
        for _, node in walked(self.object.get("spec") or {}):
            for key, value in node.items():
                if str(key).endswith(("Ref", "Refs")):
                    for each in value if isinstance(value, list) else (value,):
                        if isinstance(each, dict):
                            namespace = str(each.get("namespace") or self.ref.namespace)
                            found.append((str(key), namespace, str(each.get("name"))))
        return tuple(found)

    @cached_property
    def _text(self) -> str:
        return json.dumps(self.object, default=str)


@dataclass
class Declarations:
    """All objects of one input; ``secrets`` are the Secrets' values by namespace, name and key, and never shown."""

    objects: list[Declared] = field(default_factory=list)
    secrets: dict[tuple[str, str, str], str] = field(default_factory=dict, repr=False)
    skipped: int = 0
    """How many objects were none of ours, nor Secrets."""
    settled: set[Ref] = field(default_factory=set)
    """The guests whose disk for cloud-init stays as it is, since what it is made of is not known here."""
    _known: Known | None = field(default=None, init=False, repr=False, compare=False)

    def known(self) -> Known:
        """Return the objects by their names, made anew where they are others."""
        if self._known is None or not self._known.fits(self):
            self._known = Known(self)
        return self._known

    def find(self, ref: Ref) -> Declared | None:
        """Return the object called *ref*, None if it is not among these."""
        return next((each for each in self.named(ref.namespace, ref.name)[0] if each.ref == ref), None)

    def named(self, namespace: str, name: str) -> tuple[Sequence[Declared], Sequence[tuple[str, str]]]:
        """Return the objects of any kind, and the keys and values of the Secret, that are called so."""
        known = self.known()
        return known.objects.get((namespace, name), ()), known.secrets.get((namespace, name), ())


class Known:
    """The objects of one input by namespace and name."""

    def __init__(self, declared: Declarations) -> None:
        self._list, self._values = declared.objects, declared.secrets
        self._sizes = len(self._list), len(self._values)
        self.free_of_conflicts = False
        """Whether it was looked for objects that claim the same, and there are none."""
        self.objects: dict[tuple[str, str], list[Declared]] = {}
        self.secrets: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for each in self._list:
            self.objects.setdefault((each.ref.namespace, each.ref.name), []).append(each)
        for (namespace, name, key), value in self._values.items():
            self.secrets.setdefault((namespace, name), []).append((key, value))

    def fits(self, declared: Declarations) -> bool:
        """Say whether this is about *declared* as it is now."""
        same = declared.objects is self._list and declared.secrets is self._values
        return same and self._sizes == (len(self._list), len(self._values))


def read(
    names: Iterable[str],
    *,
    namespace: str | None = None,
    recursive: bool = False,
    readings: Readings | None = None,
) -> Declarations:
    """Return the objects in the files, folders or ``-`` that are named; XML of libvirt's counts as an object too.

    *namespace* is given to what has none; what is in another one is an error then. Folders are searched to the bottom
    with *recursive* alone. What *readings* know is read when somebody asks for it. Raises InvalidInput with every
    problem, KubevmmError where there is nothing.
    """
    out = Declarations()
    problems: list[str] = []
    found = 0
    for source in files.sources(names):
        if not recursive and len(source.relative.parts) > 1:
            continue
        found += 1
        data, file = files.read(source), str(source)
        known = readings.known(data, file, namespace) if readings is not None else None
        if known is None:
            before = len(problems)
            known = _content(data, file, namespace, problems)
            if readings is not None and len(problems) == before:
                readings.note(data, namespace, known)
        out.objects += known.objects
        out.secrets |= known.secrets
        out.skipped += known.skipped
    _distinct(out, problems)
    if problems:
        raise InvalidInput(problems)
    if not found:
        raise KubevmmError("no file to read", hint="-f names files or folders; -R searches folders to the bottom")
    return out


def read_text(data: bytes, file: str, *, namespace: str | None = None) -> Declarations:
    """Return the objects in *data*, as `read` does of a file; *file* is what problems call it. Raises InvalidInput."""
    problems: list[str] = []
    out = _content(data, file, namespace, problems)
    _distinct(out, problems)
    if problems:
        raise InvalidInput(problems)
    return out


def _content(data: bytes, file: str, namespace: str | None, problems: list[str]) -> Declarations:
    report = validate(data, file=file)
    errors = [str(problem) for problem in report.problems if problem.severity == "error"]
    problems += errors
    return unchecked(data, file, namespace, problems) if not errors else Declarations()


def unchecked(data: bytes, file: str, namespace: str | None = None, problems: list[str] | None = None) -> Declarations:
    """Return the objects in *data*, in which nothing was found amiss; what else is goes into *problems*."""
    out = Declarations()
    for obj in _objects(data, file):
        _add(out, obj, file, namespace, problems if problems is not None else [])
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
