"""`kubectl virt clone`: a guest made from another that is off."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from executor.cli.cluster.options import Context, Kubeconfig, Namespace
from executor.cli.durations import Timeout, Wait


def clone(
    words: Annotated[list[str], typer.Argument(metavar="[vm] NAME NEWNAME", help="A guest that is off; a new name.")],
    *,
    linked: Annotated[
        bool, typer.Option("--linked", help="Disks that stand on the guest's, which does not start then, not copies.")
    ] = False,
    wait: Wait = True,
    timeout: Timeout = 600.0,
    namespace: Namespace = None,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Make a guest from another one, which must be off.

    Each VirtualMachineDisk that it writes to is copied in its pool, to one that is named after the clone. The clone's
    name, UUID and MAC addresses are its own; it does not start by itself. It is a VirtualMachineOperation, done once.

    \b
    Examples:
      kubectl virt clone web-1 web-2
      kubectl virt clone vm golden test-1 --linked
    """
    from executor.cli.cluster.operating import operate
    from executor.cli.targets import name_and

    name, new = name_and(words, "NEWNAME")
    asked: dict[str, Any] = {"target": new, **({"mode": "Linked"} if linked else {})}
    patience = timeout if wait else None
    code = operate([name], "Clone", spec={"clone": asked}, patience=patience, where=(context, kubeconfig, namespace))
    raise typer.Exit(code)
