"""Checks of an object around its libvirt document: apiVersion, kind, metadata, the keys of spec that are ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from analyser.documents import GROUP, LIBVIRT
from analyser.model import Comment
from analyser.validate import content, structs
from analyser.validate.problems import Findings, Path, kind_of, shown
from schemas.api.kinds import KINDS
from schemas.table import Root, table

if TYPE_CHECKING:
    from analyser.model import Node
    from schemas.api.common import Kind

_TOP = ("apiVersion", "kind", "metadata", "spec", "status")
_METADATA = (
    "annotations", "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "finalizers",
    "generateName", "generation", "labels", "managedFields", "name", "namespace", "ownerReferences",
    "resourceVersion", "selfLink", "uid",
)  # fmt: skip

_LONGEST_NAME = 253
_LONGEST_LABEL = 63
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")


def is_ours(document: Node) -> bool:
    """Say whether *document* is meant to be an object of ours, perhaps with a mistake in what says so."""
    version = document.get("apiVersion")
    if not isinstance(version, str):
        # Without any, it is somebody else's only if nothing says that it is ours.
        kind = document.get("kind")
        return (isinstance(kind, str) and kind in _kinds()) or version is not None or kind is None
    group = version.partition("/")[0]
    return group in (_group(GROUP), _group(LIBVIRT)) or _is_misspelt(group)


def _is_misspelt(group: str) -> bool:
    """Say whether *group* is ours with a letter or two wrong; KubeVirt's (kubevirt.io) is not."""
    plain = group.lower().removeprefix("libvirt.")
    return group != "kubevirt.io" and len(plain) <= len("kubevmm.io") + 1 and _distance(plain, "kubevmm.io") <= 2  # noqa: PLR2004


def _distance(a: str, b: str) -> int:
    """Return how many letters must be put in, taken out or changed to make *a* of *b*."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def check(document: Node, path: Path, findings: Findings) -> None:
    """Add to *findings* all that is wrong with the object *document*, which stands at *path* in its text."""
    for key in document:
        if key.__class__ is not Comment and key not in _TOP:
            findings.add((*path, key), "unknown key", findings.nearest(key, _TOP) or f"known here: {', '.join(_TOP)}")
    _metadata(document, path, findings)
    root, kind = _meant(document, path, findings)
    if kind is not None:
        if "spec" in document or kind.needs_spec or (root is not None and root.element == "domain"):
            _own_spec(document.get("spec"), kind, root, path, findings)
        if "status" in document:
            structs.check(document["status"], kind.status, (*path, "status"), findings)
    elif root is not None:
        if "spec" not in document:
            findings.add((*path, "spec"), "missing", place=path)
        else:
            content.check(document["spec"], root.type, root.element, (*path, "spec"), findings)


def _own_spec(spec: Any, kind: Kind, root: Root | None, path: Path, findings: Findings) -> None:
    where = (*path, "spec")
    if not isinstance(spec, dict):
        findings.add(
            where,
            "missing" if spec is None else f"expected a map, found {kind_of(spec)}",
            place=path if spec is None else None,
        )
        return
    field = root.field if root is not None and root.field is not None else ""
    structs.check(spec, kind.spec, where, findings, elsewhere=frozenset({field}))
    if root is None:
        return
    if field in spec:
        # Without a name of its own, the document takes the object's.
        content.check(spec[field], root.type, root.element, (*where, field), findings, given=frozenset({"name"}))
    elif root.element == "domain":
        findings.add((*where, field), "missing", place=where)


def _meant(document: Node, path: Path, findings: Findings) -> tuple[Root | None, Kind | None]:
    """Return what kind of object *document* is; where that is misspelt, say so and return what it was meant to be."""
    version, name = document.get("apiVersion"), document.get("kind")
    kinds = _kinds()
    for key, value in (("apiVersion", version), ("kind", name)):
        if value is None:
            findings.add((*path, key), "missing", "an object starts with apiVersion and kind", place=path)
        elif not isinstance(value, str):
            findings.add((*path, key), f"expected text, found {shown(value)}", at_value=True)
    if not isinstance(name, str):
        return None, None
    versions = kinds.get(name)
    if versions is None:
        nearest = findings.nearest(name, kinds) or f"known kinds: {', '.join(sorted(kinds))}"
        findings.add((*path, "kind"), f"{shown(name)} is no kind of {_group(GROUP)}", nearest, at_value=True)
        if isinstance(version, str) and version not in (GROUP, LIBVIRT):
            findings.add(
                (*path, "apiVersion"), f"{shown(version)} is not known", f"did you mean {GROUP}?", at_value=True
            )
        return None, None
    if isinstance(version, str) and version not in versions:
        right = LIBVIRT if version.startswith("libvirt.") and LIBVIRT in versions else next(iter(versions))
        findings.add((*path, "apiVersion"), f"{shown(version)} has no {name}", f"did you mean {right}?", at_value=True)
        version = right
    return versions.get(version if isinstance(version, str) else next(iter(versions)), (None, None))


def _kinds() -> dict[str, dict[str, tuple[Root | None, Kind | None]]]:
    """Return kind -> apiVersion -> its root element and its definition."""
    if not _KINDS:
        roots = {root.kind: root for root in table().roots.values() if root.field}
        for kind in KINDS:
            _KINDS.setdefault(kind.name, {})[GROUP] = (roots.get(kind.name), kind)
        for root in table().roots.values():
            if not root.field:
                _KINDS.setdefault(root.kind, {})[LIBVIRT] = (root, None)
    return _KINDS


_KINDS: dict[str, dict[str, tuple[Root | None, Kind | None]]] = {}


def _metadata(document: Node, path: Path, findings: Findings) -> None:
    where = (*path, "metadata")
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        found = "missing" if metadata is None else f"expected a map, found {kind_of(metadata)}"
        findings.add(where, found, "every object has a metadata.name", place=path if metadata is None else None)
        return
    for key, value in metadata.items():
        if key.__class__ is not Comment and key not in _METADATA:
            findings.add((*where, key), "unknown key", findings.nearest(key, _METADATA))
        elif key in ("labels", "annotations"):
            _texts(value, (*where, key), findings)
    if "name" not in metadata and "generateName" not in metadata:
        findings.add((*where, "name"), "missing", place=where)
    for key in ("name", "namespace", "generateName"):
        if key in metadata:
            name = metadata[key]
            reason = f"expected text, found {shown(name)}" if not isinstance(name, str) else why_no_name(name, key)
            if reason:
                findings.add((*where, key), reason, at_value=True)


def _texts(value: Any, path: Path, findings: Findings) -> None:
    if not isinstance(value, dict):
        findings.add(path, f"expected a map, found {kind_of(value)}")
        return
    for key, text in value.items():
        if key.__class__ is Comment:
            continue
        if not isinstance(text, str):
            hint = (
                f'write "{str(text).lower() if isinstance(text, bool) else text}", with quotes'
                if isinstance(text, int)
                else None
            )
            findings.add(
                (*path, key), f"expected text, found {shown(text)}", hint, at_value=not isinstance(text, dict | list)
            )
        elif path[-1] == "labels" and (len(text) > _LONGEST_LABEL or not _LABEL.fullmatch(text)):
            message = f"{shown(text)} is no value for a label: at most 63 letters, digits, '-', '_' and '.'"
            findings.add((*path, key), message, "an annotation takes any text", at_value=True)


def why_no_name(name: str, key: str = "name") -> str | None:
    """Return what keeps *name* from being an object's name, namespace or generateName (RFC 1123), or None."""
    longest = _LONGEST_LABEL if key == "namespace" else _LONGEST_NAME
    allowed, words = ("a-z0-9-", "and '-'") if key == "namespace" else ("a-z0-9.-", "'-' and '.'")
    checked = name.rstrip("-.") if key == "generateName" else name
    if not checked:
        return "is empty"
    if len(name) > longest:
        return f"longer than {longest} characters"
    if _NAME.fullmatch(checked) and (key != "namespace" or "." not in name):
        return None
    lower = checked.lower()
    if lower != checked and _NAME.fullmatch(lower):
        return f"{shown(name)} has upper-case letters; a {key} has none"
    wrong = sorted(set(re.findall(f"[^{allowed}]", lower)))
    if wrong:
        found = " ".join(map(repr, wrong[:5]))
        return f"{shown(name)} has {found}; a {key} has lower-case letters, digits {words} only"
    parts = ", and so must each part between dots" if "." in name else ""
    return f"{shown(name)} must begin and end with a letter or a digit{parts}"


def _group(version: str) -> str:
    return version.partition("/")[0]
