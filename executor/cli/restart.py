"""`virtctl restart`: stop guests and start them anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from executor.cli.durations import Timeout, seconds
from executor.cli.targets import AllNamespaces, Connect, Every, Labels, Names, Namespace, on_each

if TYPE_CHECKING:
    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor


def restart(
    names: Names = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Pull the plug: the guest is not asked.")] = False,
    grace_period: Annotated[
        float | None,
        typer.Option(
            "--grace-period", parser=seconds, metavar="TIME", help="Pull the plug if it runs still after that long."
        ),
    ] = None,
    timeout: Timeout = 120.0,
    selector: Labels = "",
    every: Every = False,
    all_namespaces: AllNamespaces = False,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Shut guests down and start them anew, so that what waits for a restart takes effect.

    One that does not run is started. See `virtctl stop` for --timeout, --grace-period and --force; `virtctl softreboot`
    and `virtctl reset` restart the guest's system alone.

    \b
    Examples:
      virtctl restart web-1
      virtctl restart web-1 --force
    """
    from executor.engine.power import started_by_hand
    from executor.node import life

    def act(hypervisor: Hypervisor, domain: Domain) -> str:
        with started_by_hand(domain, stops_first=True):
            return life.restart(hypervisor, domain, force=force, grace=grace_period, timeout=timeout)

    raise on_each(names, namespace, connect, act, selector=selector, every=every, all_namespaces=all_namespaces)
