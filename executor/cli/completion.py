"""`virtctl completion`: the script that teaches a shell virtctl's verbs, options and guests."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Shell(StrEnum):
    """The shells that can be taught."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


def completion(shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help="Which shell.")]) -> None:
    """Write the script by which a shell completes virtctl's verbs, options and guests.

    `virtctl --install-completion` puts it where your shell finds it.

    \b
    Examples:
      source <(virtctl completion bash)
      virtctl completion zsh > "${fpath[1]}/_virtctl"
      virtctl completion fish > ~/.config/fish/completions/virtctl.fish
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]  # its module is typer's own

    typer.echo(get_completion_script(prog_name="virtctl", complete_var="_VIRTCTL_COMPLETE", shell=str(shell)))
