"""Files of the node as sources of images: only plain ones, below the folders that the node's administrator allows."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

from schemas.errors import KubevmmError

VARIABLE: Final = "KUBEVMM_IMAGE_FOLDERS"
"""The environment variable that names other folders, with a colon between them."""

FOLDERS: Final = ("/var/lib/libvirt/images", "/var/lib/kubevmm/images")


def allowed() -> tuple[str, ...]:
    """Return the folders that images may come from."""
    given = os.environ.get(VARIABLE)
    return tuple(filter(None, given.split(":"))) if given is not None else FOLDERS


def open_below(path: str, folders: tuple[str, ...] | None = None) -> BinaryIO:
    """Return the file at *path*, opened. Raises KubevmmError for what is no plain file below *folders*.

    It is judged by where it really is once it is open: neither links nor a change meanwhile lead out.
    """
    folders = allowed() if folders is None else folders
    outside = KubevmmError(
        f"{path}: not below a folder that images may come from",
        hint=f"{VARIABLE} names them, now {':'.join(folders) or 'none'}; `virtctl image upload` takes any file",
    )
    if not path.startswith("/") or "\0" in path:
        raise outside
    # Before it is opened, too: to open a device or a pipe may do something by itself.
    if not _below(os.path.realpath(path), folders):
        raise outside
    file = open_plain(path)
    if not _below(str(Path(f"/proc/self/fd/{file.fileno()}").readlink()), folders):
        file.close()
        raise outside
    return file


def open_plain(path: str) -> BinaryIO:
    """Return the file at *path*, opened. Raises KubevmmError for what is no plain file, or cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise KubevmmError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise KubevmmError(f"{path}: is not a plain file")
    return os.fdopen(descriptor, "rb")


def _below(path: str, folders: tuple[str, ...]) -> bool:
    return any(Path(path).is_relative_to(os.path.realpath(folder)) for folder in folders if folder.startswith("/"))
