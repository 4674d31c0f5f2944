"""``python -m schemas.generate RNG_FOLDER``: writes the binding tables from libvirt's grammar."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from schemas.errors import KubevmmError
from schemas.grammar import bindings, overrides

TABLES = Path(__file__).parent / "tables.json"


def write(path: Path, text: str) -> None:
    """Write *text* to *path* by rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def main(arguments: list[str] | None = None) -> int:
    """Run the generator; returns the exit code."""
    parser = argparse.ArgumentParser(description="Write the binding tables from libvirt's RelaxNG grammar.")
    parser.add_argument("folder", type=Path, help="where libvirt's *.rng are, such as /usr/share/libvirt/schemas")
    parser.add_argument("-o", "--output", type=Path, default=TABLES)
    options = parser.parse_args(arguments)
    try:
        write(options.output, bindings.render(bindings.generate(options.folder, overrides.load())))
    except KubevmmError as error:
        sys.stderr.write(f"error: {error}\n" + (f"hint: {error.hint}\n" if error.hint else ""))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
