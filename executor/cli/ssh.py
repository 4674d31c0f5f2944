"""`virtctl ssh`: a shell in a guest, or one command, by the system's own ssh."""

from __future__ import annotations

from typing import Annotated

import typer

from executor.cli.targets import Connect, Namespace, names, target, without_kind


def ssh(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[vm] [USER@]NAME [-- COMMAND...]", help="A guest; a command to run there."),
    ],
    *,
    user: Annotated[str, typer.Option("-l", "--user", help="The user in the guest; else as ssh has it.")] = "",
    port: Annotated[
        int | None, typer.Option("-p", "--port", min=1, max=65535, help="The port in the guest; else as ssh has it.")
    ] = None,
    identity: Annotated[str, typer.Option("-i", "--identity", metavar="FILE", help="The private key to use.")] = "",
    option: Annotated[
        list[str] | None, typer.Option("-o", "--option", metavar="NAME=VALUE", help="For ssh, repeatable.")
    ] = None,
    address: Annotated[str, typer.Option("--address", help="Where the guest is, if nobody knows it.")] = "",
    jump: Annotated[
        bool, typer.Option("--jump/--no-jump", help="Go through the guest's node, where the URI says ssh.")
    ] = True,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Log in to a guest by ssh, or run a command there.

    The address is what the agent in the guest says, else that of its DHCP lease, else what the node saw on its network.
    The system's ssh does the rest, with its own configuration, keys and questions; its exit code is virtctl's. The
    guest's host key is remembered by the guest's UUID, not by its address.

    \b
    Examples:
      virtctl ssh root@web-1
      virtctl ssh vm web-1 -l debian -- uptime
      virtctl ssh debian@web-1 --connect qemu+ssh://node-2/system
    """
    import os
    import sys

    from executor.hypervisor.errors import WrongState
    from executor.node import ssh as joining
    from executor.node.screens import host_of
    from schemas.errors import KubevmmError

    first, *rest = without_kind(words)
    before, at, name = first.rpartition("@")
    (name,) = names([name])
    if at and user and before != user:
        raise typer.BadParameter(f"the user is either {before} or {user}")
    with target([name], namespace, connect) as (_, domain):
        if not domain.state().active:
            raise WrongState(f"domain {domain.name}: it does not run", hint=f"`virtctl start {name}` starts it")
        host = host_of(domain.connection.uri)
        command = joining.command(
            domain,
            address or joining.address_of(domain),
            user=before or user,
            port=port,
            identity=identity,
            options=option or (),
            jump=host if jump and host.ssh else None,
            words=rest,
        )
    sys.stdout.flush()
    try:
        os.execvp(command[0], command)  # noqa: S606  (no shell: its words are its arguments)
    except FileNotFoundError:
        raise KubevmmError("ssh is not installed", hint="install OpenSSH's client (package openssh-client)") from None
