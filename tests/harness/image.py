"""The container image of this checkout, for the nodes of tests: built when something in it has changed, else kept."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.harness.build import cache_folder
from tests.harness.errors import HarnessError, last_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "image"
# What decides what is in the image, beside the packages of ours that .dockerignore names.
FILES = ("packaging/Containerfile", "packaging/requirements.lock", "pyproject.toml", ".dockerignore", "scripts/image")


def archive() -> Path:
    """Return an archive of the image, in the form of `docker save`; raises `HarnessError` where it cannot be built.

    Its base is made of the distribution's packages, by debootstrap, since there may be no registry to fetch one from.
    Runs that ask at the same time wait for each other.
    """
    folder = cache_folder().parent / "image"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"kubevmm-{_key()}.tar"
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            for old in folder.glob("kubevmm-*.tar*"):
                old.unlink()
            _build(file, folder)
    return file


def _build(file: Path, folder: Path) -> None:
    environment = os.environ | {"BUILDER": "buildah", "BASE": "debootstrap", "STORAGE": str(folder / "storage")}
    result = subprocess.run(
        ["nice", "-n", "10", str(SCRIPT), "--archive", str(file)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if result.returncode != 0:
        raise HarnessError(
            f"the image could not be built:{last_lines(result.stdout)}",
            hint="it needs root, buildah and debootstrap, and the distribution's and Python's packages",
        )


def _key() -> str:
    digest = hashlib.sha256()
    for path in _files():
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _files() -> Iterator[Path]:
    yield from (ROOT / name for name in FILES)
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for line in allowed:
        folder = ROOT / line.removeprefix("!")
        if line.startswith("!") and folder.is_dir() and folder.name != "packaging":
            yield from sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
