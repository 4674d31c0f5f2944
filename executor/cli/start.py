"""`virtctl start`: let guests run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from executor.cli import messages
from executor.cli.targets import AllNamespaces, Connect, Every, Labels, Names, Namespace, on_each

if TYPE_CHECKING:
    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor


def start(
    names: Names = None,
    *,
    paused: Annotated[bool, typer.Option("--paused", help="Start it paused.")] = False,
    discard_saved: Annotated[
        bool, typer.Option("--discard-saved", help="Boot it, though its memory was saved to go on from.")
    ] = False,
    selector: Labels = "",
    every: Every = False,
    all_namespaces: AllNamespaces = False,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Start guests, or go on from where they were saved.

    One that runs already is left as it is. One whose runStrategy is Halted runs on, also where an agent keeps it, until
    `virtctl stop`, `virtctl apply`, or another runStrategy. One on whose disks linked clones are based is not started:
    what it writes would spoil them.

    \b
    Examples:
      virtctl start web-1
      virtctl start vm web-1 web-2
      virtctl start vm -l app=web -n shop
      virtctl start web-1 --paused
    """
    from executor.engine import bases
    from executor.engine.power import started_by_hand
    from executor.node import life

    def act(hypervisor: Hypervisor, domain: Domain) -> str:
        bases.check(hypervisor, domain)
        with started_by_hand(domain) as against:
            if against:
                messages.note(f"{domain.name}: {against}; it runs until `virtctl stop`, or until that changes")
            return life.start(domain, paused=paused, forget_saved=discard_saved)

    raise on_each(names, namespace, connect, act, selector=selector, every=every, all_namespaces=all_namespaces)
