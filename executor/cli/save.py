"""`virtctl save`: write guests' memory to disk."""

from __future__ import annotations

from executor.cli.targets import AllNamespaces, Connect, Every, Labels, Names, Namespace, on_each


def save(
    names: Names = None,
    *,
    selector: Labels = "",
    every: Every = False,
    all_namespaces: AllNamespaces = False,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Write guests' memory to disk and stop them; their next start goes on from there.

    \b
    Examples:
      virtctl save web-1
    """
    from executor.node import life

    raise on_each(
        names,
        namespace,
        connect,
        lambda _, domain: life.save(domain),
        selector=selector,
        every=every,
        all_namespaces=all_namespaces,
    )
