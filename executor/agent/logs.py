"""Log lines as journald takes them: one a record, with its priority in front and the rest as key=value."""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import Final

_PRIORITIES: Final = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))
_WORDS: Final = ((logging.ERROR, "error"), (logging.WARNING, "warning"), (logging.INFO, "info"), (0, "debug"))
_FIELDS: Final = ("object", "reason", "event")


class Lines(logging.Formatter):
    """``level=info msg="..." object=virtualmachine/default/web-1``, one line whatever was said.

    For a *journal*, ``<6>`` stands in front and the time is left out: it knows both as fields of its own.
    """

    def __init__(self, *, journal: bool) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """Return *record* as one line, and the lines of its traceback, if it has one, in the field ``trace``."""
        pairs = [("level", next(word for level, word in _WORDS if record.levelno >= level))]
        pairs += [("msg", record.getMessage())]
        pairs += [(name, str(getattr(record, name))) for name in _FIELDS if getattr(record, name, "")]
        if record.exc_info:
            pairs.append(("trace", self.formatException(record.exc_info)))
        line = " ".join(f"{name}={_quoted(value)}" for name, value in pairs)
        if self._journal:
            return f"<{next(number for level, number in _PRIORITIES if record.levelno >= level)}>{line}"
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"time={when}.{int(record.msecs):03d}Z {line}"


def configure(level: str) -> None:
    """Write what happens to standard error, from *level* (debug, info, warning, error) on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(journal=_is_journal()))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())


def _is_journal() -> bool:
    """Say whether standard error goes to journald, which names it in JOURNAL_STREAM."""
    try:
        found = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def _quoted(value: str) -> str:
    if value and all(c.isalnum() or c in "-_./:@+" for c in value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return '"' + "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in escaped) + '"'
