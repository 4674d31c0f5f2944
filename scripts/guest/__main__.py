"""Write the guest's kernel and initial RAM disk: ``python -m scripts.guest FOLDER``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from schemas.errors import KubevmmError
from scripts.guest import guest_files


def main() -> int:
    """Print the paths of the two files, one a line."""
    parser = argparse.ArgumentParser(prog="python -m scripts.guest", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    try:
        files = guest_files(parser.parse_args().folder.absolute())
    except (KubevmmError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        if hint := getattr(error, "hint", ""):
            print(f"hint: {hint}", file=sys.stderr)
        return 1
    print(*files, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
