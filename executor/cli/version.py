"""`virtctl version`: which one it is."""

from __future__ import annotations

import typer


def version() -> None:
    """Show the version."""
    from importlib.metadata import version as installed

    typer.echo(f"virtctl {installed('kubevmm')}")
