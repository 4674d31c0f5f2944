"""`virtctl pause`: stop guests' clocks."""

from __future__ import annotations

from executor.cli.targets import AllNamespaces, Connect, Every, Labels, Names, Namespace, on_each


def pause(
    names: Names = None,
    *,
    selector: Labels = "",
    every: Every = False,
    all_namespaces: AllNamespaces = False,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Pause guests: they stand still, with their memory, until `virtctl resume`.

    \b
    Examples:
      virtctl pause web-1
      virtctl pause vm web-1 web-2
    """
    from executor.node import life

    raise on_each(
        names,
        namespace,
        connect,
        lambda _, domain: life.pause(domain),
        selector=selector,
        every=every,
        all_namespaces=all_namespaces,
    )
