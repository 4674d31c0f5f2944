"""An image's file, brought to this machine: from a web server, a folder of the node, or whoever uploads it."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from executor.engine import state
from executor.storage import checksum, localfile
from executor.storage.headers import Refused
from schemas.errors import InputError, KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from executor.engine.landing import Progress
    from executor.engine.objects import Ref
    from executor.engine.source import Declarations, Declared
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.storage.fetch import Credentials
    from executor.storage.partial import Partial

_PIECE: Final = 1 << 20


@dataclass(frozen=True)
class Obtained:
    """A file. What came from the web is kept for another try, unless it is `done` or refused."""

    file: BinaryIO
    partial: Partial | None = None

    def done(self) -> None:
        """Keep it no longer: it is where it should be."""
        if self.partial is not None:
            self.partial.discard()

    def refuse(self) -> bool:
        """Keep it no longer: it is not what it should be; say whether that may be an earlier process' part of it."""
        self.done()
        return self.partial is not None and self.partial.resumed


@contextlib.contextmanager
def obtained(
    hypervisor: Hypervisor,
    declared: Declared,
    every: Declarations,
    content: BinaryIO | None,
    limit: int,
    progress: Progress | None,
) -> Iterator[Obtained]:
    """Give the file of the image *declared*, of at most *limit* bytes; *content* is what was uploaded, if it was.

    Raises KubevmmError where it cannot be got.
    """
    spec = declared.object.get("spec") or {}
    source = spec.get("source") or {}
    if spec.get("checksum"):
        checksum.parse(str(spec["checksum"]))
    if content is not None and content.seekable():
        yield Obtained(content)
    elif content is not None:
        with _scratch(hypervisor) as file:
            _take(content, file, limit, progress)
            yield Obtained(file)
    elif "http" in source:
        with _downloaded(hypervisor, declared, every, limit, progress) as partial:
            yield Obtained(partial.file, partial)
    elif "file" in source:
        with localfile.open_below(str(source["file"].get("path"))) as file:
            yield Obtained(file)
    else:
        other = next(iter(source), "nowhere")
        raise KubevmmError(f"{declared.ref}: a node by itself gets no image from {other}")


def check(http: dict[str, Any]) -> None:
    """Raise KubevmmError where `spec.source.http` names what is no web server's."""
    from executor.storage import fetch  # noqa: PLC0415  (few passes get anything)

    fetch.check(str(http.get("url")))


def discard(hypervisor: Hypervisor, ref: Ref) -> None:
    """Keep nothing of what came of the image *ref*."""
    from executor.storage import partial  # noqa: PLC0415  (few passes get anything)

    partial.discard(_folder(hypervisor), _name(ref))


@contextlib.contextmanager
def _downloaded(
    hypervisor: Hypervisor, declared: Declared, every: Declarations, limit: int, progress: Progress | None
) -> Iterator[Partial]:
    from executor.storage import fetch  # noqa: PLC0415  (few passes get anything)

    http = declared.object["spec"]["source"]["http"]
    url = str(http.get("url"))
    if http.get("caRef"):
        raise InputError(
            f"{declared.ref}: a node by itself has no ConfigMaps",
            path="spec.source.http.caRef",
            hint="put the certificate among the system's",
        )
    told = None if progress is None else (lambda done, whole: progress("downloading", done, whole))
    fetch.check(url)
    credentials = _credentials(declared, every, http)
    with part_of(hypervisor, declared) as partial:
        fetch.fetch(url, partial, fetch.Limits(limit), credentials=credentials, progress=told)
        yield partial


def part_of(hypervisor: Hypervisor, declared: Declared) -> Partial:
    """Return what has come from the web of the image *declared*, to be entered."""
    from executor.storage.partial import Partial  # noqa: PLC0415  (few passes get anything)

    spec = declared.object["spec"]
    # Another checksum is asked of another file.
    source = f"{spec['source']['http'].get('url')}\n{spec.get('checksum') or ''}"
    return Partial(_folder(hypervisor), _name(declared.ref), source)


def _credentials(declared: Declared, every: Declarations, http: dict[str, Any]) -> Credentials | None:
    from executor.storage.fetch import Credentials  # noqa: PLC0415  (few passes get anything)

    if not http.get("secretRef"):
        return None
    name = str(http["secretRef"].get("name"))
    found = {
        key: every.secrets.get((declared.ref.namespace, name, key), "") for key in ("username", "password", "token")
    }
    if not any(found.values()):
        raise InputError(
            f"{declared.ref}: there is no Secret {name} with username and password, or token",
            path="spec.source.http.secretRef",
            hint="give the Secret's file with -f, too",
        )
    return Credentials(**found)


def _take(content: BinaryIO, file: BinaryIO, limit: int, progress: Progress | None) -> None:
    done = 0
    while piece := content.read(_PIECE):
        done += len(piece)
        if done > limit:
            raise Refused(f"more than {limit} bytes came, and no more are taken")
        file.write(piece)
        if progress is not None:
            progress("reading", done, None)
    file.flush()


def _scratch(hypervisor: Hypervisor) -> Any:
    """Return a file without a name: gone with the process, however that ends."""
    folder = _folder(hypervisor)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return tempfile.TemporaryFile(dir=folder)
    except OSError as error:
        raise KubevmmError(f"{folder}: cannot be written: {error.strerror or error}") from None


def _folder(hypervisor: Hypervisor) -> Path:
    return state.folder(hypervisor) / "scratch"


def _name(ref: Ref) -> str:
    # Only one process at a time makes an image (`kept.alone`).
    return hashlib.sha256(f"{ref.namespace}/{ref.name}".encode()).hexdigest()[:32]
