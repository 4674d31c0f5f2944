"""virtctl with a blow at one of its calls: ``python -m tests.agent.struck before:3:self agent --manifests DIR``.

*before* or *after* its third call that changes something, the process itself (``self``) or the one with that process id
ends as by kill -9. Ends by itself otherwise.
"""

from __future__ import annotations

import os
import signal
import sys

from executor.cli.main import main as virtctl
from executor.hypervisor.calls import hooked
from tests.hypervisor.faults import Fault, kill


def main() -> None:
    when, number, victim = sys.argv[1].split(":")
    sys.argv = ["virtctl", *sys.argv[2:]]
    action = kill if victim == "self" else lambda: os.kill(int(victim), signal.SIGKILL)
    with hooked(Fault(when, int(number), action)):
        virtctl()


if __name__ == "__main__":
    main()
