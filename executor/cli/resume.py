"""`virtctl resume`: let paused guests run on."""

from __future__ import annotations

from executor.cli.targets import AllNamespaces, Connect, Every, Labels, Names, Namespace, on_each


def resume(
    names: Names = None,
    *,
    selector: Labels = "",
    every: Every = False,
    all_namespaces: AllNamespaces = False,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Let paused guests run on.

    \b
    Examples:
      virtctl resume web-1
    """
    from executor.node import life

    raise on_each(
        names,
        namespace,
        connect,
        lambda _, domain: life.resume(domain),
        selector=selector,
        every=every,
        all_namespaces=all_namespaces,
    )
