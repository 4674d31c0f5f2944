"""A person's editor on a text, again and again until what it says can be used; what was written is never lost."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from executor.cli import messages
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

VARIABLES: Final = ("KUBE_EDITOR", "VISUAL", "EDITOR")
"""What names the editor, the first of them that is set."""

OURS: Final = "#: "
"""What our own lines begin with; they stand at the top and are taken off again."""

_HELP: Final = (
    "Change what you like, save, and leave the editor: it is then checked and applied.",
    "Lines that begin as these are left out. An empty file cancels.",
)


@dataclass(frozen=True)
class Problem:
    """What is wrong with a text, and in which line of it (from 1; 0 where it is none's)."""

    text: str
    line: int = 0


def edit(text: str, use: Callable[[str], Sequence[Problem]], *, name: str) -> bool:
    """Have a person edit *text*, and *use* what it became; return whether something was changed.

    *use* returns what is wrong with it; then the editor is opened again with that on top. Leaving it once more with the
    same text, and an error of *use* or of the editor, end it: what was written is kept, and the KubevmmError that is
    raised says where. *name* is the file's, without its ending.
    """
    editor = _editor()
    path = Path(tempfile.mkdtemp(prefix="virtctl-edit-")) / f"{name}.yaml"
    body, problems = text, list[Problem]()
    try:
        while True:
            _write(path, _head(problems) + body)
            _open(editor, path)
            edited = _without_head(path.read_text(encoding="utf-8"))
            if edited == text or not _says_anything(edited):
                messages.note("Edit cancelled, no changes made." if edited == text else "Edit cancelled, it is empty.")
                _discard(path)
                return False
            if problems and edited == body:
                raise _left(problems)
            body = edited
            problems = list(use(body))
            if not problems:
                _discard(path)
                return True
    except UnicodeDecodeError as error:
        raise _kept(KubevmmError(f"it is not UTF-8: {error.reason}"), path) from None
    except OSError as error:
        raise _kept(KubevmmError(f"{error.filename or path}: {error.strerror or error}"), path) from None
    except KubevmmError as error:
        if body == text and _unchanged(path, text):
            _discard(path)
            raise
        raise _kept(error, path) from None


def _unchanged(path: Path, text: str) -> bool:
    try:
        return _without_head(path.read_text(encoding="utf-8")) == text
    except (OSError, UnicodeDecodeError):
        return False


def _left(problems: Sequence[Problem]) -> KubevmmError:
    return KubevmmError(f"it was left as it was, and cannot be used: {problems[0].text}")


def _kept(error: KubevmmError, path: Path) -> KubevmmError:
    error.hint = f"{error.hint}; " if error.hint else ""
    error.hint += f"what you wrote is in {path}"
    return error


def _editor() -> list[str]:
    for variable in VARIABLES:
        value = os.environ.get(variable, "").strip()
        if value:
            try:
                return shlex.split(value)
            except ValueError as error:
                raise KubevmmError(f"{variable}: {error}", hint="it is a command such as: vim -n") from None
    return ["vi"]


def _open(editor: Sequence[str], path: Path) -> None:
    try:
        with _leaving_interrupts():
            done = subprocess.run([*editor, str(path)], check=False)
    except OSError as error:
        raise KubevmmError(
            f"the editor {editor[0]} cannot be run: {error.strerror}", hint="EDITOR names the one to use, such as nano"
        ) from None
    if done.returncode:
        raise KubevmmError(f"the editor {editor[0]} failed with {done.returncode}", hint="nothing was changed")


@contextlib.contextmanager
def _leaving_interrupts() -> Iterator[None]:
    """Leave Ctrl-C to the editor; with a handler, rather than ignored, since programs inherit that."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _head(problems: Sequence[Problem]) -> str:
    said = [*_HELP]
    if problems:
        above = len(_HELP) + 2 + len(problems)
        said += ["", "It cannot be used yet:"]
        said += [(f"line {each.line + above}: " if each.line else "") + each.text for each in problems]
    return "".join(f"{OURS}{messages.one_line(line)}".rstrip() + "\n" for line in said)


def _without_head(text: str) -> str:
    lines = text.splitlines(keepends=True)
    while lines and lines[0].startswith(OURS.rstrip()):
        del lines[0]
    return "".join(lines)


def _says_anything(text: str) -> bool:
    lines = (line.strip() for line in text.splitlines())
    return any(line and not line.startswith("#") and line != "---" for line in lines)


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


def _discard(path: Path) -> None:
    path.unlink(missing_ok=True)
    # An editor may have left files of its own there; then they stay.
    with contextlib.suppress(OSError):
        path.parent.rmdir()
