"""Options that several verbs share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, TypeAlias

import typer


class Form(StrEnum):
    """What a document is written in."""

    yaml = "yaml"
    xml = "xml"


class Report(StrEnum):
    """How a result is printed."""

    text = "text"
    json = "json"


Output: TypeAlias = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="FILE|DIR", help="Where to write; a folder if it is one or ends in /."),
]
Jobs: TypeAlias = Annotated[int, typer.Option("-j", "--jobs", min=0, help="Processes to use; 0 is one for each core.")]
