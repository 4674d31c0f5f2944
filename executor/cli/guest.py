"""`virtctl guest`: what the system inside a guest says of itself, through its agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from executor.cli import messages
from executor.cli.options import Report
from executor.cli.tables import Output, as_json
from executor.cli.targets import Connect, Name, Namespace, only_name, target

if TYPE_CHECKING:
    from executor.hypervisor.errors import LibvirtError

app = typer.Typer(name="guest", help="Ask the system inside a guest.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Ask the system inside a guest, through its agent."""


@app.command("info", no_args_is_help=True)
def info(name: Name, *, output: Output = Report.text, namespace: Namespace = None, connect: Connect = "") -> None:
    """Show a guest's operating system, host name, users, file systems and addresses, as its agent tells them.

    Needs qemu-guest-agent in the guest, and its channel (org.qemu.guest_agent.0) among the guest's devices.

    \b
    Examples:
      virtctl guest info web-1
      virtctl guest info vm web-1 -o json
    """
    from executor.hypervisor.errors import LibvirtError, WrongState
    from executor.hypervisor.guest import Guest

    with target(name, namespace, connect) as (_, domain):
        if not domain.state().active:
            raise WrongState(
                f"domain {domain.name}: it does not run", hint=f"`virtctl start {only_name(name)}` starts it"
            )
        try:
            found = Guest(domain).info()
        except LibvirtError as error:
            raise _without_agent(domain.name, domain.xml(), error) from None
    if output is Report.json:
        typer.echo(as_json(nested(found)))
        return
    width = max((len(key) for key in found), default=0)
    for key, value in found.items():
        typer.echo(f"{key + ':':<{width + 2}}{messages.one_line(str(value))}")


def _without_agent(name: str, xml: str, error: LibvirtError) -> LibvirtError:
    """Return *error* with what to do, where the guest has no agent."""
    from executor.hypervisor.errors import Unavailable, Unsupported

    if isinstance(error, Unavailable):
        return error
    if "org.qemu.guest_agent.0" not in xml:
        return Unsupported(
            f"domain {name}: it has no guest agent",
            hint="give it a channel of target name org.qemu.guest_agent.0, and install qemu-guest-agent in it",
        )
    if "not connected" in str(error) or "not responding" in str(error):
        return Unsupported(
            f"domain {name}: its guest agent does not answer",
            hint="is the guest up, and qemu-guest-agent running in it?",
        )
    return error


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Return libvirt's flat answers (``fs.count``, ``fs.0.mountpoint``) as maps and lists."""
    root: dict[str, Any] = {}
    for key, value in flat.items():
        *path, last = key.split(".")
        node = root
        for step in path:
            node = node.setdefault(step, {})
            if not isinstance(node, dict):
                break
        else:
            node[last] = value
    listed = _listed(root)
    return listed if isinstance(listed, dict) else {}


def _listed(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    inner = {key: _listed(value) for key, value in node.items() if key != "count"}
    if "count" in node and all(key.isdigit() for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner
