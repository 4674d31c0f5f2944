"""Container images of one static program, made here: there may be no registry to fetch the usual ones from."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from controller.pods import PAUSE
from tests.harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Sequence

# As Go, and so images, name them.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
BUSYBOX = "busybox"
# Nobody, as the usual images have it.
USER = "65535:65535"

__all__ = ["PAUSE", "pause", "single"]


def pause(path: Path) -> Path:
    """Write the image of the container that does nothing, under its usual name, and return ``path``.

    It holds a Pod's namespaces, and a guest's room on a node. Raises `HarnessError`.
    """
    program = shutil.which(BUSYBOX, path="/usr/local/bin:/usr/bin:/bin")
    if program is None:
        raise HarnessError(f"{BUSYBOX} is not installed", hint="install the package busybox-static")
    return single(path, PAUSE, Path(program), ["sleep", "2147483647"])


def single(path: Path, name: str, program: Path, arguments: Sequence[str] = ()) -> Path:
    """Write an image that is ``program``, run with ``arguments``, in the form of `docker save`; return ``path``."""
    inside = f"usr/local/bin/{program.name}"
    layer = _tar({inside: program.read_bytes()})
    config = json.dumps(
        {
            "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {"Entrypoint": [f"/{inside}", *arguments], "User": USER},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    path.write_bytes(_tar({"manifest.json": manifest, "config.json": config, "layer.tar": layer}))
    return path


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
