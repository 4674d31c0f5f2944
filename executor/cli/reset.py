"""`virtctl reset`: the reset button."""

from __future__ import annotations

from executor.cli.targets import AllNamespaces, Connect, Every, Labels, Names, Namespace, on_each


def reset(
    names: Names = None,
    *,
    selector: Labels = "",
    every: Every = False,
    all_namespaces: AllNamespaces = False,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Reset guests as by the button: their systems are not asked, and boot anew.

    What they had not written is lost. Devices and definition stay as they are.

    \b
    Examples:
      virtctl reset web-1
    """
    from executor.node import life

    raise on_each(
        names,
        namespace,
        connect,
        lambda _, domain: life.reset(domain),
        selector=selector,
        every=every,
        all_namespaces=all_namespaces,
    )
