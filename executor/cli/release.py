"""`virtctl release`: guests given back to plain libvirt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from executor.cli.targets import AllNamespaces, Connect, Every, Labels, Names, Namespace, mark_of, on_each

if TYPE_CHECKING:
    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor


def release(
    name: Names = None,
    selector: Labels = "",
    every: Every = False,
    all_namespaces: AllNamespaces = False,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Give guests back to plain libvirt, as they are.

    Our metadata element is taken out, and nothing else is touched: a guest that runs runs on.

    \b
    Examples:
      virtctl release web-1
      virtctl release vm/web-1 -n shop
      virtctl release --all -n shop
    """
    from executor.engine import ownership, store
    from executor.hypervisor.errors import NotFound

    def act(hypervisor: Hypervisor, domain: Domain) -> str:
        guest = store.Guest(domain, mark_of(domain))
        if guest.mark is None:
            raise NotFound(f"virtualmachine/{domain.name}: it is not managed", hint="nothing was changed")
        ownership.release(hypervisor, guest)
        return "released"

    raise on_each(name, namespace, connect, act, selector=selector, every=every, all_namespaces=all_namespaces)
