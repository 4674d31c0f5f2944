"""`virtctl`: the command line. Parsers, libvirt and kubernetes are loaded by the verbs that need them."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from executor.cli import messages
from executor.cli.targets import Namespace
from executor.cli.verbs import Verbs
from executor.cli.version import version as show_version
from schemas.errors import KubevmmError

app = typer.Typer(
    name="virtctl",
    cls=Verbs,
    help="libvirt XML to typed Kubernetes YAML and back; libvirt guests, declared.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)


def show_version_if(wanted: bool) -> None:
    """Show the version, and nothing else, where that is *wanted*."""
    if wanted:
        show_version()
        raise typer.Exit


@app.callback()
def _root(
    ctx: typer.Context,
    version: Annotated[  # noqa: ARG001  (its callback has acted)
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=show_version_if)
    ] = False,
    namespace: Namespace = None,
    connect: Annotated[str, typer.Option("-c", "--connect", metavar="URI", help="The libvirt to talk to.")] = "",
    context: Annotated[
        str, typer.Option("--context", metavar="NAME", help="Talk to this cluster, as `kubectl virt` does.")
    ] = "",
    kubeconfig: Annotated[
        str, typer.Option("--kubeconfig", metavar="FILE", help="Talk to the cluster that this file names.")
    ] = "",
) -> None:
    """libvirt XML to typed Kubernetes YAML and back; libvirt guests, declared."""  # noqa: D403  (its name)
    if connect:
        # What the verbs look for, where it does not stand behind them.
        os.environ["LIBVIRT_DEFAULT_URI"] = connect
    given = {"namespace": namespace, "context": context, "kubeconfig": kubeconfig}
    handed_on(ctx, {name: value for name, value in given.items() if value})


def handed_on(ctx: typer.Context, given: Mapping[str, str]) -> None:
    """Give options that stand before the verb to whichever verb it is."""
    if given:
        ctx.default_map = dict.fromkeys(ctx.command.commands, given)  # type: ignore[attr-defined]  # a group's


_INTERRUPTED = 130

# Some releases of typer bring a click of their own: the base of all usage errors is the one that typer's derive from.
_UsageError: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")


def _close_output() -> None:
    """Let Python not try once more, when it ends, to write what could not be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> None:
    """Run virtctl, see `run`."""
    run(app, "virtctl")


def run(app: typer.Typer, name: str) -> None:
    """Run *app* as *name* and leave with its exit code: 0, 1 (error, or a difference found), 2 (usage)."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What YAML is, and XML without a declaration, whatever the locale says.
        sys.stdout.reconfigure(encoding="utf-8")
    try:
        code = app(standalone_mode=False, prog_name=name)
    except _UsageError as error:
        error.show()
        code = error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = _INTERRUPTED
    except BrokenPipeError:  # the reader has gone, and nothing is left to say
        _close_output()
        code = 1
    except KubevmmError as error:
        messages.failure(error)
        code = 1
    except OSError as error:
        _close_output()
        messages.error(f"{error.filename or 'standard output'}: {error.strerror or error}")
        code = 1
    except Exception as error:  # the last line of defence: one line instead of a traceback
        if os.environ.get("KUBEVMM_DEBUG"):
            raise
        messages.error(
            f"internal error: {type(error).__name__}: {error}".replace("\n", " "),
            hint="please report it; KUBEVMM_DEBUG=1 shows where it happened",
        )
        code = 1
    if code == _INTERRUPTED:
        messages.error("interrupted")
    sys.exit(code if isinstance(code, int) else 0)
