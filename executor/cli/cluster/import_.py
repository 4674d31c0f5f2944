"""`kubectl virt import`: a whole estate of libvirt or OpenStack guests straight into a cluster."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from executor.cli.cluster.options import Context, Kubeconfig
from executor.cli.import_ import Format
from executor.cli.options import Jobs


class DryRun(StrEnum):
    """Whether anything is changed."""

    none = "none"
    server = "server"


def import_estate(
    src: Annotated[
        list[str], typer.Argument(metavar="SRC...", help="Folders, tar archives (gz, xz, zst), files, or libvirt URIs.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="DIR", help="Keep the YAML and the report of the import in this folder."
        ),
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            "-n", "--namespace", metavar="NAME", help="The namespace of all guests, in place of their projects'."
        ),
    ] = None,
    infrastructure_namespace: Annotated[
        str, typer.Option(metavar="NAME", help="The namespace of networks and storage pools.")
    ] = "kubevmm-system",
    node: Annotated[
        str | None, typer.Option(metavar="NAME", help="The node of everything in SRC, whatever its layout says.")
    ] = None,
    dry_run: Annotated[
        DryRun, typer.Option("--dry-run", metavar="none|server", help="server: let it check all, and change nothing.")
    ] = DryRun.none,
    force_conflicts: Annotated[
        bool, typer.Option("--force-conflicts", help="Take back fields that others have changed since.")
    ] = False,
    parallel: Annotated[
        int, typer.Option("--parallel", min=1, max=64, help="How many requests are under way at once.")
    ] = 8,
    jobs: Jobs = 0,
    form: Annotated[
        Format, typer.Option("--format", metavar="table|json", help="What to print at the end.")
    ] = Format.table,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Import guests, networks and storage pools into the cluster; guests that run are taken over as they run.

    SRC is what `virtctl import` takes, and becomes the same objects. They are applied server-side: namespaces first,
    then Secrets, pools and networks, guests last. Run again, it changes only what is not so yet; what somebody else
    changed since is left, and named. The exit code is 1 if anything failed.

    \b
    Examples:
      kubectl virt import nodes.tar.zst --dry-run=server
      kubectl virt import backup/nodes
      kubectl virt import qemu+ssh://worker-1/system --node worker-1 -n lab
    """
    from executor.cli.cluster.importing import Wanted, import_all

    wanted = Wanted(
        src, output, namespace, infrastructure_namespace, node, jobs,
        dry_run=dry_run is DryRun.server, force=force_conflicts, parallel=parallel,
    )  # fmt: skip
    raise typer.Exit(import_all(wanted, context, kubeconfig, as_json=form is Format.json))
