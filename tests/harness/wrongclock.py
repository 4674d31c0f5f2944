"""A wall clock that goes wrong, for one process and what it starts; clocks that nobody can set stay as they are."""

from __future__ import annotations

from pathlib import Path

from tests.harness.errors import HarnessError

_FOLDER = Path("/usr/lib")


def environment(file: Path) -> dict[str, str]:
    """Return what a process needs in its environment to have the clock that *file* says; see `wrong`.

    Raises HarnessError where libfaketime is not there.
    """
    library = next(_FOLDER.glob("*/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        raise HarnessError("libfaketime is not installed", hint="install the package libfaketime")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        # Seconds for which what the file says is believed.
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def wrong(file: Path, seconds: int) -> None:
    """Let the clock of *file* be wrong by so many seconds."""
    new = file.with_suffix(".new")
    new.write_text(f"{seconds:+d}\n", encoding="ascii")
    new.rename(file)
