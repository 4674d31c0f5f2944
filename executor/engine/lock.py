"""One agent for each libvirt: a lock on a file in the state folder, which goes with the process however it ends."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Self

from executor.engine import state
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from executor.hypervisor.hypervisor import Hypervisor


def _path(hypervisor: Hypervisor) -> Path:
    return state.folder(hypervisor) / "agent.lock"


class Lock:
    """A context manager that holds the lock. Entering raises KubevmmError, with the process id of who holds it."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        self._path = _path(hypervisor)
        self._uri = hypervisor.connection.uri
        self._descriptor = -1

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(self._path, flags, 0o644)
        except OSError as error:
            raise KubevmmError(
                f"{self._path}: cannot be opened: {error.strerror}", hint="KUBEVMM_STATE names another state folder"
            ) from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            raise KubevmmError(
                f"another agent looks after {self._uri} already: process {pid or 'unknown'}",
                hint="one host needs one agent: stop that one first",
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # The file stays: whoever removed it could remove one that the next agent has locked already.
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)


def is_held(path: Path) -> bool:
    """Say whether an agent runs whose state folder is *path*."""
    try:
        descriptor = os.open(path / "agent.lock", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
