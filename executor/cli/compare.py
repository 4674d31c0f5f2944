"""`virtctl compare`: whether two documents say the same to libvirt."""

from __future__ import annotations

from typing import Annotated

import typer

from executor.cli.options import Report


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A file of XML or YAML, or - for standard input.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The same, to compare with.")],
    output: Annotated[Report, typer.Option("-o", "--output", help="text for people, json for programs.")] = Report.text,
    xml: Annotated[
        bool, typer.Option("--xml", help="Show xmldiff's edit script, in the terms of libvirt's XML.")
    ] = False,
    ignore_runtime: Annotated[
        bool, typer.Option("--ignore-runtime", help="Leave out what libvirt fills in while a guest runs.")
    ] = False,
) -> None:
    """Compare what two documents say to libvirt.

    The documents are XML or YAML, in any mix; where they do not say the same, the places are listed.
    The order of differently named elements, spellings of one size or number (4Gi, 4194304 KiB), white space around text
    and comments do not count; the order of elements of one name does. Of YAML, what is for libvirt counts, not
    metadata nor runStrategy and the like. Several documents are compared pair by pair, by kind and name. Passwords are
    compared, never shown.
    Each difference is one line: PATH: A -> B, or with + or - in front what only B or only A has. The exit code is 0 if
    they say the same, 1 if not, 2 if they cannot be compared.

    \b
    Examples:
      virtctl compare web-1.xml web-1.yaml
      virsh dumpxml web-1 | virtctl compare web-1.yaml - --ignore-runtime
      virtctl compare before.xml after.xml --xml
    """
    from executor.cli.differences import compare_files

    raise typer.Exit(compare_files(a, b, as_json=output is Report.json, as_xml=xml, ignore_runtime=ignore_runtime))
