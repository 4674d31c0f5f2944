"""The image of the container that holds a Pod's namespaces, made here: there may be no registry to fetch one from."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import shutil
import tarfile
from pathlib import Path

from tests.harness.errors import HarnessError

NAME = "localhost/kubevmm-pause:1"
PROGRAM = "busybox"
# As Go, and so images, name them.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def archive(path: Path) -> Path:
    """Write the image to ``path``, in the form of `docker save`, and return it; raises `HarnessError`."""
    program = shutil.which(PROGRAM, path="/usr/local/bin:/usr/bin:/bin")
    if program is None:
        raise HarnessError(f"{PROGRAM} is not installed", hint="install the package busybox-static")
    layer = _tar({f"bin/{PROGRAM}": Path(program).read_bytes()})
    config = json.dumps(
        {
            "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {"Entrypoint": [f"/bin/{PROGRAM}", "sleep", "2147483647"], "User": "65535:65535"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [NAME], "Layers": ["layer.tar"]}]).encode()
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
