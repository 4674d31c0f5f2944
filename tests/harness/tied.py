"""Become another program that ends when the process that started it does: ``tied.py PARENT PROGRAM [ARGUMENT ...]``.

A program of its own, since the alternative, a function run between fork and exec, is not safe in a process with
threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

# From <linux/prctl.h>; the setting outlives exec.
PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the kernel for a SIGKILL when the parent ends, then exec."""
    parent, program, arguments = int(sys.argv[1]), sys.argv[2], sys.argv[2:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # The parent may have ended before the kernel was asked.
    if os.getppid() != parent:
        sys.exit(1)
    os.execv(program, arguments)  # noqa: S606 -- no shell is wanted


if __name__ == "__main__":
    main()
