"""`virtctl softreboot`: have guests reboot themselves."""

from __future__ import annotations

from executor.cli.targets import AllNamespaces, Connect, Every, Labels, Names, Namespace, on_each


def softreboot(
    names: Names = None,
    *,
    selector: Labels = "",
    every: Every = False,
    all_namespaces: AllNamespaces = False,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Ask guests' systems to reboot; their devices and definition stay as they are.

    It does not wait: a guest may take its time, or ignore it.

    \b
    Examples:
      virtctl softreboot web-1
    """
    from executor.node import life

    raise on_each(
        names,
        namespace,
        connect,
        lambda _, domain: life.soft_reboot(domain),
        selector=selector,
        every=every,
        all_namespaces=all_namespaces,
    )
