"""Runs a command and writes the most memory that it had, in bytes, on standard output; ends with its exit code.

A program of its own: Linux counts as a new program's memory also what the process had that started it, so whoever
measures must be small, and pytest is not after some thousand tests.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys


def main() -> int:
    """Run the command that the arguments are, without its standard output."""
    code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=False).returncode
    os.write(1, b"%d\n" % (resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024))
    return code


if __name__ == "__main__":
    sys.exit(main())
