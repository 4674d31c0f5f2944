"""The harness's error, and the last lines of a log that say why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from pathlib import Path


class HarnessError(KubevmmError):
    """A server or command that the tests need cannot be built, started or run."""


def last_lines(log: Path | str, count: int = 30) -> str:
    """Return the last ``count`` lines of a text or of a log file, indented; of a file that is missing, nothing."""
    if not isinstance(log, str):
        try:
            log = log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            log = ""
    return "".join(f"\n    {line}" for line in log.splitlines()[-count:])
