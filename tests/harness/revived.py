"""Run a daemon, and run it anew whenever it ends, as a service manager does: ``revived.py PROGRAM ...``.

It ends with its daemon when it is told to (SIGTERM). What the daemon started lives on.
"""

from __future__ import annotations

import os
import signal
import sys

SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}


def main() -> int:
    """Run the program until a signal comes; return 0, or its exit code where it does not come up at all."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    while True:
        daemon = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, setsigmask=())
        while True:
            if signal.sigwait(SIGNALS) != signal.SIGCHLD:
                os.kill(daemon, signal.SIGTERM)
                os.waitpid(daemon, 0)
                return 0
            ended, status = os.waitpid(daemon, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                if code > 0:
                    return code
                break


if __name__ == "__main__":
    sys.exit(main())
