"""`virtctl release`: guests given back to plain libvirt."""

from __future__ import annotations

import typer

from executor.cli import messages
from executor.cli.targets import DEFAULT_NAMESPACE, Connect, Names, Namespace, hypervisor_at
from executor.cli.targets import names as named
from schemas.errors import KubevmmError


def release(name: Names, namespace: Namespace = None, connect: Connect = "") -> None:
    """Give guests back to plain libvirt, as they are.

    Our metadata element is taken out, and nothing else is touched: a guest that runs runs on.

    \b
    Examples:
      virtctl release web-1
      virtctl release vm/web-1 -n shop
    """
    from executor.engine import ownership, store
    from executor.engine.objects import Ref

    code = 0
    with hypervisor_at(connect) as hypervisor:
        for each in named(name):
            ref = Ref("VirtualMachine", namespace or DEFAULT_NAMESPACE, each)
            try:
                ownership.release(hypervisor, store.find(hypervisor, ref))
            except KubevmmError as error:
                messages.failure(error)
                code = 1
            else:
                typer.echo(f"{ref} released")
    raise typer.Exit(code)
