"""Names that an import gives: object names, namespaces, label values, and what makes each of them unique."""

from __future__ import annotations

import hashlib
import re

from analyser.names import LONGEST, object_name

RESERVED = re.compile(r"default|kube-.*|kubevmm-.*|openshift-.*|openshift")
"""Namespaces that no project of somebody else's may end up in: a project's name is its owner's to choose."""

SYSTEM = re.compile(r"kube-(system|public|node-lease)")
"""Namespaces of Kubernetes itself, which nothing is imported into, not even on demand."""

TAKEN_FILE = re.compile(r".*-secrets|kustomization")
"""Object names whose files would be another object's: those guests always get a suffix."""

SUFFIXES = (0, 8, 12, 32)
"""Digits of the identity behind a name that is not unique, by how often it was found not to be."""

_LABEL = re.compile(r"[^A-Za-z0-9_.-]+")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LONGEST_ANNOTATION = 4096


def digest(*parts: str) -> str:
    """Return 32 hexadecimal digits that stand for *parts*."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


SPOOLS = "0123456789abcdef"
"""The folders of converted files: processes that make files in one folder hold each other up."""


def spooled(*parts: str) -> str:
    """Return the name of the converted file that *parts* stand for, below the spool's folder."""
    name = digest(*parts)
    return f"{name[0]}/{name}"


def suffixed(name: str, identity: str, level: int) -> str:
    """Return *name* with as much of *identity* (hexadecimal) behind it as *level* asks for, 63 characters at most."""
    digits = SUFFIXES[min(level, len(SUFFIXES) - 1)]
    if not digits:
        return name
    suffix = identity.replace("-", "")[:digits]
    return f"{name[: LONGEST - len(suffix) - 1].rstrip('-.')}-{suffix}"


def is_taken(name: str) -> bool:
    """Say whether the file of an object *name* would be another's."""
    return TAKEN_FILE.fullmatch(name) is not None


def guest_name(candidates: tuple[str | None, ...], identity: str) -> str:
    """Return the first of *candidates* of which something can stay as an object name; else one made of *identity*."""
    for candidate in candidates:
        name = object_name(candidate or "")
        if name:
            return name
    return f"vm-{identity.replace('-', '')[:12]}"


def is_namespace(text: str) -> bool:
    """Say whether *text* is a valid name of a namespace."""
    return _NAMESPACE.fullmatch(text) is not None


def project_namespace(name: str | None, project: str | None, infrastructure: str = "") -> str:
    """Return the namespace that a project would like: from its *name*, or its id *project* where the name says nothing.

    Never one of Kubernetes' or of the cluster's own, nor *infrastructure*.
    """
    for candidate in (name, project):
        plain = object_name(candidate or "").replace(".", "-")
        if plain:
            break
    else:
        plain = digest(name or "", project or "")[:12]
    if RESERVED.fullmatch(plain) or plain == infrastructure:
        plain = f"project-{plain}"
    return plain[:LONGEST].rstrip("-")


def label_value(text: str) -> str:
    """Return *text* as a valid label value; empty if nothing of it can stay."""
    return _LABEL.sub("-", text).strip("-_.")[:LONGEST].rstrip("-_.")


def annotation_value(text: str) -> str:
    """Return *text* as an annotation, cut where it is so long that it would not fit beside others."""
    return text if len(text) <= _LONGEST_ANNOTATION else text[:_LONGEST_ANNOTATION] + "..."
