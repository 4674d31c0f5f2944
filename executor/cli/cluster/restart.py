"""`kubectl virt restart`: guests off and on again, which is in two steps."""

from __future__ import annotations

from executor.cli.cluster.options import Context, Guests, Kubeconfig, Namespace
from schemas.errors import KubevmmError


def restart(names: Guests, namespace: Namespace = None, context: Context = "", kubeconfig: Kubeconfig = "") -> None:
    """Say how guests are restarted: it is no act of one step yet.

    That would be a VirtualMachineOperation, and nobody executes these yet. Done in two steps from here, a guest would
    stay off if this command were interrupted between them.

    \b
    Examples:
      kubectl virt stop web-1 --wait && kubectl virt start web-1 --wait
    """
    from executor.cli.cluster.server import GUESTS, Server, ask, get
    from executor.cli.targets import names as named

    found = named(names)

    async def look(server: Server) -> str:
        for name in found:
            await get(server, GUESTS.kind, name)
        return server.namespace

    where = f"{' '.join(found)} -n {ask(context, kubeconfig, namespace, look)}"
    raise KubevmmError(
        "restart needs VirtualMachineOperations, which nobody executes yet",
        hint=f"kubectl virt stop {where} --wait && kubectl virt start {where} --wait",
    )
