"""`virtctl validate`: every problem of documents, before they are used."""

from __future__ import annotations

from typing import Annotated

import typer

from executor.cli.options import Jobs, Report


def validate(
    src: Annotated[list[str], typer.Argument(metavar="SRC...", help="Files, folders, or - for standard input.")],
    output: Annotated[Report, typer.Option("-o", "--output", help="text for people, json for programs.")] = Report.text,
    jobs: Jobs = 0,
) -> None:
    """Check XML or YAML, and name every problem.

    What libvirt's own grammar and our types do not allow is a problem. Each is one line on standard output,
    FILE:LINE:COLUMN: PATH: MESSAGE, and what was checked is summed up on standard error. Unknown keys, wrong types,
    values that are none of those allowed and what is missing are errors. A key extraXML, which keeps what the tables do
    not know, is allowed in YAML as long as it does not repeat a key beside it; unknown elements of XML are errors.
    Objects of other groups (a Secret, a Kustomization) are counted, not checked. The exit code is 0 if there are no
    errors, else 1.

    \b
    Examples:
      virtctl validate web-1.yaml
      virtctl validate guests/ -o json
      virsh dumpxml web-1 | virtctl validate -
    """
    from executor.cli.checks import validate_all

    raise typer.Exit(validate_all(src, jobs, as_json=output is Report.json))
