"""A folder for what libvirt cannot keep itself: objects as they were applied last."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from executor.engine.objects import Ref, ref_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from executor.engine.source import Declared
    from executor.hypervisor.hypervisor import Hypervisor

VARIABLE: Final = "KUBEVMM_STATE"
"""The environment variable that names another folder."""

SYSTEM: Final = Path("/var/lib/kubevmm")


@dataclass(frozen=True)
class Kept:
    """An object as it was applied last."""

    ref: Ref
    object: dict[str, Any]
    active: bool = True
    """Whether it should be up where the object does not say."""
    autostart: bool | None = None
    """Whether libvirt should start it with the node where the object does not say; None for whatever it does."""
    new: bool = False
    """Whether it was still being made."""
    answers: tuple[tuple[str, str], ...] = ()
    """What libvirt made of values that it does not take as they are written (``merge.Answers``)."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What was found out as it was made, and libvirt does not keep: JSON's types alone."""


def base() -> Path:
    """Return the state folder."""
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given)
    if os.geteuid() == 0:
        return SYSTEM
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "kubevmm"


def folder(hypervisor: Hypervisor) -> Path:
    """Return where the objects behind this connection are kept."""
    # One machine may have several libvirts.
    return base() / hashlib.sha256(hypervisor.connection.uri.encode()).hexdigest()[:16]


def load(hypervisor: Hypervisor, kind: str, uuid: str) -> Kept | None:
    """Return what is kept of the one with that UUID; None where there is nothing, or nothing that can be read."""
    return _read(_path(hypervisor, kind, uuid))


def every(hypervisor: Hypervisor, kind: str) -> Iterator[tuple[str, Kept]]:
    """Yield all that is kept of *kind*, each with its UUID, in the order of these."""
    start = f"{kind.lower()}-"
    for path in sorted(folder(hypervisor).glob(f"{start}*.json")):
        kept = _read(path)
        if kept is not None:
            yield path.stem.removeprefix(start), kept


def save(
    hypervisor: Hypervisor,
    declared: Declared,
    uuid: str,
    *,
    active: bool,
    autostart: bool | None = None,
    new: bool = False,
    answers: tuple[tuple[str, str], ...] = (),
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Keep *declared*, and what `Kept` says beside it; nothing is written where that is kept already."""
    from analyser import files  # noqa: PLC0415  (what lists guests writes nothing)

    obj = {**declared.object, "metadata": {**declared.object["metadata"], "namespace": declared.ref.namespace}}
    wanted = Kept(declared.ref, obj, active, autostart, new, answers, dict(facts or {}))
    if load(hypervisor, declared.ref.kind, uuid) == wanted:
        return
    written: dict[str, Any] = {"object": obj, "active": active}
    if autostart is not None:
        written["autostart"] = autostart
    if new:
        written["new"] = True
    if answers:
        written["answers"] = answers
    if facts:
        written["facts"] = dict(facts)
    data = json.dumps(written, ensure_ascii=False).encode()
    files.write(_path(hypervisor, declared.ref.kind, uuid), data, mode=0o600)


def forget(hypervisor: Hypervisor, kind: str, uuid: str) -> None:
    """Keep it no longer."""
    _path(hypervisor, kind, uuid).unlink(missing_ok=True)


def _path(hypervisor: Hypervisor, kind: str, uuid: str) -> Path:
    return folder(hypervisor) / f"{kind.lower()}-{uuid}.json"


def _read(path: Path) -> Kept | None:
    try:
        found = json.loads(path.read_bytes())
        obj = found["object"]
        return Kept(
            ref_of(obj),
            obj,
            bool(found.get("active", True)),
            found.get("autostart"),
            bool(found.get("new")),
            tuple((str(place), str(digest)) for place, digest in found.get("answers", ())),
            dict(found.get("facts", {})),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
