"""What a folder of manifests has brought about, so that a removal is noticed also after the agent was down.

One small file for each object in the state folder, written by rename before anything is made. What is not claimed here
is never deleted for the folder's sake.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from typing import TYPE_CHECKING, Final

from analyser import files
from executor.engine.objects import Ref
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from pathlib import Path

    from executor.engine.source import Declared

logger = logging.getLogger(__name__)

_DEVICE: Final = "device"


class Memory:
    """The claims of the folder *manifests*, kept below *state*. Another folder has claims of its own."""

    def __init__(self, state: Path, manifests: Path) -> None:
        name = hashlib.sha256(os.fsencode(manifests.resolve())).hexdigest()[:16]
        self.folder = state / "folders" / name
        self._manifests = manifests
        self._known: dict[Ref, Path] = {}

    def load(self) -> None:
        """Read them. Raises KubevmmError where the folder cannot be read: nobody could say what is ours."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o755)
            found = sorted(self.folder.glob("*.json"))
        except OSError as error:
            raise KubevmmError(f"{self.folder}: cannot be read: {error.strerror or error}") from None
        self._known = {}
        for path in found:
            try:
                said = json.loads(path.read_bytes())
                ref = Ref(str(said["kind"]), str(said["namespace"]), str(said["name"]))
            except (OSError, ValueError, KeyError, TypeError):
                logger.warning("%s cannot be read: what it is about is never deleted by itself", path)
                continue
            self._known[ref] = path

    def refs(self) -> set[Ref]:
        """Return what is claimed."""
        return set(self._known)

    def add(self, declared: Declared) -> None:
        """Claim *declared*. Raises KubevmmError where that cannot be written."""
        ref = declared.ref
        if ref in self._known:
            return
        digest = hashlib.sha256(f"{ref.namespace}/{ref.name}".encode()).hexdigest()[:32]
        path = self.folder / f"{ref.kind.lower()}-{digest}.json"
        said = {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name, "file": declared.file}
        files.write(path, json.dumps(said, ensure_ascii=False).encode(), mode=0o600)
        self._known[ref] = path

    def remove(self, ref: Ref) -> None:
        """Claim *ref* no longer."""
        path = self._known.pop(ref, None)
        if path is not None:
            path.unlink(missing_ok=True)

    def is_another_file_system(self, device: int) -> bool:
        """Say whether the folder was on another file system, as one has whose mount is missing."""
        try:
            return int((self.folder / _DEVICE).read_text(encoding="ascii")) != device
        except (OSError, ValueError):
            return False

    def note_file_system(self, device: int) -> None:
        """Remember which file system the folder is on."""
        path = self.folder / _DEVICE
        if not path.exists() or self.is_another_file_system(device):
            files.write(path, str(device).encode(), mode=0o644)
