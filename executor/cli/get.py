"""`virtctl get`: what is on the node, as tables or as objects."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from executor.cli.targets import DEFAULT_NAMESPACE, Connect, Namespace, hypervisor_at


class Form(StrEnum):
    """How objects are shown."""

    table = "table"
    wide = "wide"
    json = "json"
    yaml = "yaml"
    name = "name"


def get(
    what: Annotated[
        list[str], typer.Argument(metavar="KIND [NAME...]", help="vm, vmnet, vmpool, vmnode or all; or vm/web-1.")
    ],
    namespace: Namespace = None,
    all_namespaces: Annotated[bool, typer.Option("-A", "--all-namespaces", help="All namespaces.")] = False,
    selector: Annotated[str, typer.Option("-l", "--selector", metavar="LABELS", help="As app=web,tier!=db.")] = "",
    output: Annotated[Form, typer.Option("-o", "--output", help="How to show them.")] = Form.table,
    unmanaged: Annotated[bool, typer.Option("--unmanaged", help="Also what is not managed.")] = False,
    connect: Connect = "",
) -> None:
    """Show guests, networks and pools, and how they are.

    What was applied or adopted is shown; what is not managed is only counted, and shown with --unmanaged. The exit code
    is 1 if something was asked for by name and is not there.

    \b
    Examples:
      virtctl get vm
      virtctl get vm -A -o wide
      virtctl get vm web-1 -o yaml
      virtctl get vm --unmanaged
      virtctl get all -A
    """
    from executor.cli.getting import show
    from executor.cli.refs import parse

    asked = parse(what)
    wanted = None if all_namespaces else namespace or DEFAULT_NAMESPACE
    with hypervisor_at(connect) as hypervisor:
        raise typer.Exit(show(hypervisor, asked, wanted, selector, str(output), unmanaged=unmanaged))
