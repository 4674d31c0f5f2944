"""`virtctl start`: let guests run."""

from __future__ import annotations

from typing import Annotated

import typer

from executor.cli.targets import Connect, Names, Namespace, on_each


def start(
    names: Names,
    *,
    paused: Annotated[bool, typer.Option("--paused", help="Start it paused.")] = False,
    discard_saved: Annotated[
        bool, typer.Option("--discard-saved", help="Boot it, though its memory was saved to go on from.")
    ] = False,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Start guests, or go on from where they were saved.

    One that runs already is left as it is.

    \b
    Examples:
      virtctl start web-1
      virtctl start vm web-1 web-2
      virtctl start web-1 --paused
    """
    from executor.node import life

    raise on_each(
        names, namespace, connect, lambda _, domain: life.start(domain, paused=paused, forget_saved=discard_saved)
    )
