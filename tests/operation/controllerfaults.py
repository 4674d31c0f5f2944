"""A controller that ends, as by kill -9, before or after its n-th request that writes what a clone is made of.

``python -m tests.operation.controllerfaults after:2 --no-elect --port 0``: the rest is the controller's own.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from controller.__main__ import main
from kube.session import Session

CONCERNS = ("virtualmachineoperations", "virtualmachinedisks", "virtualmachines")


def ending(when: str, number: int) -> None:
    """Have this process end there."""
    request, seen = Session.request, 0

    async def counted(self: Session, method: str, path: str, **options: Any) -> bytes:
        nonlocal seen
        counts = method != "GET" and any(each in path for each in CONCERNS) and options.get("params") != DRY
        seen += counts
        if counts and seen == number and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = await request(self, method, path, **options)
        if counts and seen == number and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    Session.request = counted  # type: ignore[method-assign]


DRY = {"dryRun": "All"}

if __name__ == "__main__":
    point, _, count = sys.argv.pop(1).partition(":")
    ending(point, int(count))
    main()
