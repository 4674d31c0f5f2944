"""``python -m schemas.generate RNG_FOLDER``: writes the binding tables from libvirt's grammar, and the CRDs from them.

``python -m schemas.generate --crds`` writes the CRDs alone, from the tables as they are. Both write ``docs/api.md``.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from schemas.errors import InputError, KubevmmError
from schemas.grammar import bindings, overrides
from schemas.manifests import manifests
from schemas.reference import reference
from schemas.table import PATH as TABLES
from schemas.table import load

REFERENCE = Path(__file__).parent.parent / "docs" / "api.md"
MANIFESTS = Path(__file__).parent.parent / "yamls"


def write(path: Path, text: str) -> None:
    """Write *text* to *path* by rename; makes its folder. Raises InputError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"cannot write: {error.strerror}", file=str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the generator; returns the exit code."""
    parser = argparse.ArgumentParser(
        description="Write the binding tables from libvirt's RelaxNG grammar, and the CRDs."
    )
    parser.add_argument(
        "folder", type=Path, nargs="?", help="where libvirt's *.rng are, such as /usr/share/libvirt/schemas"
    )
    parser.add_argument("--crds", action="store_true", help="write the CRDs alone, from the tables as they are")
    parser.add_argument("-o", "--output", type=Path, default=TABLES, help="the tables (default: %(default)s)")
    parser.add_argument("--yamls", type=Path, default=MANIFESTS, help="folder of the CRDs (default: %(default)s)")
    options = parser.parse_args(arguments)
    if (options.folder is None) != options.crds:
        parser.error("name the grammar's folder, or give --crds")
    try:
        given = overrides.load()
        if options.folder is not None:
            write(options.output, bindings.render(bindings.generate(options.folder, given)))
        for name, text in manifests(load(options.output), given["cuts"]).items():
            write(options.yamls / name, text)
        if options.yamls == MANIFESTS:
            write(REFERENCE, reference())
    except KubevmmError as error:
        sys.stderr.write(f"error: {error}\n" + (f"hint: {error.hint}\n" if error.hint else ""))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
