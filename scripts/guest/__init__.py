"""A Linux guest that really boots in seconds: the distribution's kernel, busybox, and an init of our own.

The demonstration and the tests boot it. `python -m scripts.guest FOLDER` writes its two files.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from scripts.guest.initramfs import archive
from scripts.guest.kernel import find


def guest_files(folder: Path) -> tuple[Path, Path]:
    """Write the kernel and the initial RAM disk into *folder*, readable by all, and return their paths.

    What is there already stays. Raises KubevmmError where there is no busybox, or no kernel that can be had.
    """
    kernel, initrd = folder / "vmlinuz", folder / "initrd"
    if not (kernel.exists() and initrd.exists()):
        found = find()
        folder.mkdir(parents=True, exist_ok=True)
        _write(initrd, archive(found))
        _write(kernel, found.image.read_bytes())
    return kernel, initrd


def _write(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
        try:
            file.write(content)
            os.fchmod(file.fileno(), 0o644)
        except BaseException:
            Path(file.name).unlink()
            raise
    shutil.move(file.name, path)
