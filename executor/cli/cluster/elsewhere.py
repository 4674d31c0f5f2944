"""Verbs that are not done through an API server: one line says who does them, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from executor.cli import verbs
from executor.cli.cluster.options import Context, Kubeconfig, Namespace
from executor.cli.cluster.verbs import OTHERWISE
from executor.cli.targets import names
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from executor.cli.cluster.server import Server


def verb(name: str) -> Any:
    """Return the verb *name*, which takes whatever it is given, and says where it is done."""

    def say(
        words: Annotated[list[str] | None, typer.Argument(metavar="...")] = None,
        namespace: Namespace = None,
        context: Context = "",
        kubeconfig: Kubeconfig = "",
    ) -> None:
        if name in OTHERWISE:
            why, how = OTHERWISE[name]
            raise KubevmmError(f"{name} is not done so on a cluster: {why}", hint=how)
        raise _on_node(name, words or [], namespace, context, kubeconfig)

    say.__doc__ = f"Say where `{name}` is done on a cluster."
    made = verbs.made(name, say, verbs.EXITS, bare=True)
    made.ignore_unknown_options = True
    return made


def _on_node(name: str, words: list[str], namespace: str | None, context: str, kubeconfig: str) -> KubevmmError:
    """Return the error that names the guest's node, as far as it can be found out."""
    said = [word for word in words if not word.startswith("-")]
    # The first word of a group is a verb of its own.
    guest = _guest(said[1:] if name in verbs.GROUPS else said)
    if not guest:
        return KubevmmError(
            f"{name} needs the libvirt of a node",
            hint=f"virtctl --connect qemu+ssh://NODE/system {name} ... does it from here, or virtctl {name} there",
        )
    from executor.cli.cluster.server import ask, get

    async def look(server: Server) -> tuple[str, str]:
        found = (await get(server, "VirtualMachine", guest)).decode()
        return str((found.get("status") or {}).get("nodeName") or ""), server.namespace

    node, where = ask(context, kubeconfig, namespace, look)
    if not node:
        return KubevmmError(
            f"virtualmachine/{guest} has no node yet, and {name} needs the libvirt of one",
            hint=f"`kubectl virt describe vm {guest} -n {where}` says why",
        )
    command = f"{name} {' '.join(words)} -n {where}"
    return KubevmmError(
        f"virtualmachine/{guest} is on the node {node}, and {name} needs the libvirt there",
        hint=f"virtctl {command} --connect qemu+ssh://{node}/system, or on {node} itself: virtctl {command}",
    )


def _guest(words: list[str]) -> str:
    """Return the guest's name, with which *words* begin; empty where there is none."""
    try:
        found = names(words[:2])
    except typer.BadParameter:
        found = names(words[:1])
    return found[0] if found else ""
