"""Make a chosen call to libvirt fail, or end the process there as kill -9 would, before or after it is made.

``python -m tests.hypervisor.faults before:3 apply -f web-1.yaml`` runs virtctl and ends it before its third call that
changes something; ``count:FILE`` in its place only writes how many there were, and which, to FILE.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from executor.hypervisor.calls import Call, Recorder, hooked

if TYPE_CHECKING:
    from collections.abc import Callable

    from executor.hypervisor.errors import LibvirtError


def kill() -> None:
    """End this process at once, without a word to anybody."""
    os.kill(os.getpid(), signal.SIGKILL)


class Fault(Recorder):
    """A hook that does *action* (by default `kill`) before or after the call *number*, from 1, that changes something.

    An action may raise. With ``matching``, only calls whose text (``domain.destroy(web-1)``) has it are counted.
    """

    def __init__(self, when: str, number: int, action: Callable[[], object] = kill, *, matching: str = "") -> None:
        super().__init__()
        self._when = when
        self._number = number
        self._action = action
        self._matching = matching
        self._seen = 0

    def before(self, call: Call) -> None:
        super().before(call)
        if call.mutating and self._matching in str(call):
            self._seen += 1
            if self._when == "before" and self._seen == self._number:
                self._action()

    def after(self, call: Call, error: LibvirtError | None) -> None:
        super().after(call, error)
        if call.mutating and self._matching in str(call) and self._when == "after" and self._seen == self._number:
            self._action()


def main() -> None:
    from executor.cli.main import main as virtctl  # noqa: PLC0415  (only where this is a program)

    what, _, number = sys.argv[1].partition(":")
    sys.argv = ["virtctl", *sys.argv[2:]]
    if what == "count":
        recorder = Recorder()
        try:
            with hooked(recorder):
                virtctl()
        finally:
            Path(number).write_text("".join(f"{call}\n" for call in recorder.changes), encoding="utf-8")
    else:
        with hooked(Fault(what, int(number))):
            virtctl()


if __name__ == "__main__":
    main()
