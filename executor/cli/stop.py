"""`virtctl stop`: shut guests down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from executor.cli import messages
from executor.cli.durations import Timeout, Wait, seconds
from executor.cli.targets import AllNamespaces, Connect, Every, Labels, Names, Namespace, on_each

if TYPE_CHECKING:
    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor


def stop(
    names: Names = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Pull the plug: the guest is not asked.")] = False,
    grace_period: Annotated[
        float | None,
        typer.Option(
            "--grace-period", parser=seconds, metavar="TIME", help="Pull the plug if it runs still after that long."
        ),
    ] = None,
    wait: Wait = True,
    timeout: Timeout = 120.0,
    selector: Labels = "",
    every: Every = False,
    all_namespaces: AllNamespaces = False,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Ask guests to shut down, and wait until they have.

    A guest that does not within --timeout goes on running, and the exit code is 1: its system may ignore the power
    button. --grace-period and --force stop it all the same, and what it had not written is lost.

    A guest whose runStrategy is Always stays stopped, also where an agent keeps it, until `virtctl start`, `virtctl
    apply`, or another runStrategy.

    \b
    Examples:
      virtctl stop web-1
      virtctl stop web-1 --grace-period 30s
      virtctl stop vm web-1 web-2 --force
      virtctl stop vm -l app=web
    """
    from executor.engine.power import by_hand
    from executor.node import life

    def act(hypervisor: Hypervisor, domain: Domain) -> str:
        if against := by_hand(domain, "off"):
            messages.note(f"{domain.name}: {against}; it stays stopped until `virtctl start`, or until that changes")
        return life.stop(hypervisor, domain, force=force, grace=grace_period, wait=wait, timeout=timeout)

    raise on_each(names, namespace, connect, act, selector=selector, every=every, all_namespaces=all_namespaces)
