"""`virtctl import`: a whole estate of libvirt or OpenStack guests as Kubernetes objects."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from executor.cli.options import Jobs


class Format(StrEnum):
    """What is printed at the end."""

    table = "table"
    json = "json"


def import_estate(
    src: Annotated[
        list[str], typer.Argument(metavar="SRC...", help="Folders, tar archives (gz, xz, zst), files, or libvirt URIs.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The folder to write to.")],
    namespace: Annotated[
        str | None, typer.Option("-n", "--namespace", help="The namespace of all guests, in place of their projects'.")
    ] = None,
    infrastructure_namespace: Annotated[
        str, typer.Option(help="The namespace of networks and storage pools.")
    ] = "kubevmm-system",
    node: Annotated[str | None, typer.Option(help="The node of everything in SRC, whatever its layout says.")] = None,
    jobs: Jobs = 0,
    form: Annotated[Format, typer.Option("--format", help="What to print at the end.")] = Format.table,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files in DIR that were edited or not imported.")
    ] = False,
) -> None:
    """Import guests, networks and storage pools as Kubernetes objects, each guest proven by converting it back.

    SRC is a copy of one or many nodes' folders (/etc/libvirt, Nova's instances, dumps in a folder for each node), a tar
    archive of such, or a live hypervisor. Guests go to DIR/NAMESPACE/NAME.yaml, the namespace being their OpenStack
    project's; passwords go to Secrets of their own. DIR/report.html says what was carried, what was left out, and what
    needs a person. Run again, it goes on where it was interrupted. The exit code is 1 if anything failed.

    \b
    Examples:
      virtctl import backup/nodes -o estate
      virtctl import nodes.tar.zst -o estate --jobs 8
      virtctl import qemu:///system -o estate -n lab
    """
    from executor.cli.importing import import_all

    raise typer.Exit(
        import_all(
            src, output, namespace=namespace, infrastructure=infrastructure_namespace, node=node, jobs=jobs,
            as_json=form is Format.json, force=force,
        )
    )  # fmt: skip
