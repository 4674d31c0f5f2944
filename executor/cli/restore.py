"""`virtctl restore`: go on from saved memory."""

from __future__ import annotations

from typing import Annotated

import typer

from executor.cli.targets import AllNamespaces, Connect, Every, Labels, Names, Namespace, on_each


def restore(
    names: Names = None,
    *,
    paused: Annotated[bool, typer.Option("--paused", help="Leave it paused.")] = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="Forget the saved memory instead, and start nothing.")
    ] = False,
    selector: Labels = "",
    every: Every = False,
    all_namespaces: AllNamespaces = False,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Let guests go on from where `virtctl save` stopped them.

    \b
    Examples:
      virtctl restore web-1
      virtctl restore web-1 --discard
    """
    from executor.node import life

    raise on_each(
        names,
        namespace,
        connect,
        lambda _, domain: life.discard(domain) if discard else life.restore(domain, paused=paused),
        selector=selector,
        every=every,
        all_namespaces=all_namespaces,
    )
