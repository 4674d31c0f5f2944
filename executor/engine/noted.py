"""What only the agent knows of an object, for `virtctl get`: how its last pass went, and what has no domain yet.

Nothing that libvirt says is kept, and what is kept counts only as long as an agent runs.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from executor.engine import lock, state
from executor.engine.objects import Ref

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from executor.hypervisor.hypervisor import Hypervisor

CONDITION: Final = "Synchronized"
"""The condition that says whether an object is as it was last applied."""


def save(hypervisor: Hypervisor, ref: Ref, status: Mapping[str, Any]) -> None:
    """Keep of *status* what libvirt cannot know. Raises KubevmmError where it cannot be written."""
    from analyser import files  # noqa: PLC0415  (what lists guests writes nothing)

    said = {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name, "status": own(status)}
    path = state.folder(hypervisor) / _FOLDER / _name(ref)
    files.write(path, json.dumps(said, ensure_ascii=False).encode(), mode=0o644)


def own(status: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of *status* libvirt cannot know."""
    out: dict[str, Any] = {
        "conditions": [each for each in status.get("conditions") or () if each.get("type") == CONDITION]
    }
    if status.get("created") is False:
        out |= {key: status[key] for key in ("printableStatus", "created", "ready") if key in status}
    return out


def load(hypervisor: Hypervisor, ref: Ref) -> dict[str, Any] | None:
    """Return what an agent that runs keeps of the status of *ref*; None where that is nothing."""
    for folder in _folders(hypervisor):
        found = _read(folder / _FOLDER / _name(ref))
        if found is not None:
            return found[1]
    return None


def last(hypervisor: Hypervisor, ref: Ref) -> dict[str, Any] | None:
    """Return what was kept, whether an agent runs or not."""
    found = _read(state.folder(hypervisor) / _FOLDER / _name(ref))
    return found[1] if found is not None else None


def every(hypervisor: Hypervisor) -> dict[Ref, dict[str, Any]]:
    """Return what agents that run keep, by object."""
    out: dict[Ref, dict[str, Any]] = {}
    for folder in _folders(hypervisor):
        for path in sorted((folder / _FOLDER).glob("*.json")):
            found = _read(path)
            if found is not None:
                out.setdefault(*found)
    return out


def forget(hypervisor: Hypervisor, ref: Ref) -> None:
    """Keep nothing of *ref*."""
    (state.folder(hypervisor) / _FOLDER / _name(ref)).unlink(missing_ok=True)


_FOLDER: Final = "status"


def _folders(hypervisor: Hypervisor) -> list[Path]:
    """Return the state folders of agents that run: one's own, and the system's."""
    own_folder = state.folder(hypervisor)
    return [each for each in dict.fromkeys((own_folder, state.SYSTEM / own_folder.name)) if lock.is_held(each)]


def _name(ref: Ref) -> str:
    return f"{ref.kind.lower()}-{hashlib.sha256(f'{ref.namespace}/{ref.name}'.encode()).hexdigest()[:32]}.json"


def _read(path: Path) -> tuple[Ref, dict[str, Any]] | None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        said = json.loads(path.read_bytes())
        if isinstance(said["status"], dict):
            return Ref(str(said["kind"]), str(said["namespace"]), str(said["name"])), said["status"]
    return None
