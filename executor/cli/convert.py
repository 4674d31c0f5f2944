"""`virtctl convert`: libvirt XML to typed YAML, and back."""

from __future__ import annotations

from typing import Annotated

import typer

from executor.cli.options import Form, Jobs, Output


def convert(
    src: Annotated[list[str], typer.Argument(metavar="SRC...", help="Files, folders, or - for standard input.")],
    output: Output = None,
    to: Annotated[Form | None, typer.Option(help="The form to write, instead of the other one.")] = None,
    jobs: Jobs = 0,
) -> None:
    """Convert libvirt XML to typed YAML, and YAML back to XML, losing nothing.

    A folder stands for every *.xml, *.yaml and *.yml (also gzipped) below it. Without -o the result goes to standard
    output; to a folder, each input goes to the same relative path with its ending changed. Inputs that fail are named
    on standard error, the others are converted all the same, and the exit code is 1.

    \b
    Examples:
      virsh dumpxml web-1 | virtctl convert -
      virtctl convert web-1.yaml -o web-1.xml
      virtctl convert /etc/libvirt/qemu -o guests/
    """
    from executor.cli.batch import convert_all

    raise typer.Exit(convert_all(src, output, to.value if to else None, jobs))
