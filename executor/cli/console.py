"""`virtctl console`: a guest's serial console."""

from __future__ import annotations

from typing import Annotated

import typer

from executor.cli import messages
from executor.cli.durations import seconds
from executor.cli.targets import Connect, Name, Namespace, only_name, target


def console(
    name: Name,
    *,
    device: Annotated[
        str | None, typer.Option("--device", metavar="ALIAS", help="A console other than the first, such as serial1.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Take it from whoever has it open.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", parser=seconds, metavar="TIME", help="Leave after that long, such as 10s."),
    ] = None,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Join a guest's serial console; Ctrl-] leaves it.

    Where standard input is no terminal, what it holds is typed, and what the guest writes is shown until --timeout, or
    until the guest stops.

    \b
    Examples:
      virtctl console web-1
      virtctl console vm web-1 --force
      echo uptime | virtctl console web-1 --timeout 5s
    """
    import os
    import sys

    from executor.hypervisor.console import Console
    from executor.hypervisor.errors import Conflict, LibvirtError, WrongState
    from executor.node import terminal

    with target(name, namespace, connect) as (_, domain):
        if not domain.state().active:
            raise WrongState(
                f"domain {domain.name}: it does not run", hint=f"`virtctl start {only_name(name)}` starts it"
            )
        try:
            opened = Console(domain, device, force=force)
        except LibvirtError as error:
            if "console session" in str(error):
                raise Conflict(str(error), hint="--force takes it from whoever has it open") from None
            raise
        # Python has none where it was started without.
        stdin = sys.stdin.fileno() if sys.stdin is not None else os.open(os.devnull, os.O_RDONLY)
        interactive = os.isatty(stdin)
        if interactive:
            messages.note(f"connected to {domain.name}; press Ctrl-] to leave")
        sys.stdout.flush()
        with opened:
            how = terminal.join(opened.socket, stdin, sys.stdout.fileno(), timeout=timeout)
        if interactive or how == "ended":
            messages.note({"left": "", "ended": "the console has ended", "timeout": "the time is over"}[how])
