"""One of our daemons as the campaign runs it: ``struck.py ORDERS executor --node ...``.

What stands in the file ORDERS, such as ``before 3 17``, ends it as by kill -9 before or after the third call to libvirt
that changes something, counted from when that was written; the last number only tells one order from the next. The
Lease of controllers is short, so that the other one takes over within a run.
"""

from __future__ import annotations

import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import kube.lease
from executor.hypervisor.calls import hooked
from tests.hypervisor.faults import kill

if TYPE_CHECKING:
    from collections.abc import Callable

    from executor.hypervisor.calls import Call
    from executor.hypervisor.errors import LibvirtError


class Orders:
    """A hook that does what the file says."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        # An order that was there before this process was for another one: it has been carried out.
        self._old = self._read()
        self._order = ""
        self._seen = 0

    def _read(self) -> str:
        try:
            return self._path.read_text(encoding="ascii")
        except OSError:
            return ""

    def before(self, call: Call) -> None:
        """See `Hook.before`."""
        if not call.mutating:
            return
        with self._lock:
            order = self._read()
            if order not in (self._order, self._old):
                self._order, self._seen = order, 0
            self._seen += 1
        self._look("before")

    def after(self, call: Call, error: LibvirtError | None) -> None:
        """See `Hook.after`."""
        del error
        if call.mutating:
            self._look("after")

    def _look(self, when: str) -> None:
        words = self._order.split()
        if words and words[0] == when and int(words[1]) == self._seen:
            kill()


def main() -> None:
    orders, program = Path(sys.argv[1]), sys.argv[2]
    run: Callable[[], None]
    if program == "executor":
        from executor.cli.main import main as run  # noqa: PLC0415  (each process loads what it is)

        sys.argv = ["virtctl", *sys.argv[2:]]
    elif program == "controller":
        # Nothing but a campaign has use for another Lease than client-go's.
        short = partial(kube.lease.Election, lease_duration=3.0, renew_deadline=2.0, retry_period=0.5)
        kube.lease.Election = short  # type: ignore[misc,assignment]
        from controller.__main__ import main as run  # noqa: PLC0415

        sys.argv = sys.argv[2:]
    else:
        from scheduler.__main__ import main as run  # noqa: PLC0415

        sys.argv = sys.argv[2:]
    with hooked(Orders(orders)):
        run()


if __name__ == "__main__":
    main()
