"""Options that the daemons have in common."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, TypeAlias

import typer

from executor.cli.durations import seconds


class Level(StrEnum):
    """What is logged."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


LogLevel: TypeAlias = Annotated[Level, typer.Option("--log-level", help="What is logged, to standard error.")]
Resync: TypeAlias = Annotated[
    float,
    typer.Option("--resync", parser=seconds, metavar="TIME", help="How often all is looked at without a reason."),
]
Workers: TypeAlias = Annotated[
    int, typer.Option("--workers", min=1, max=64, help="How many objects are worked on at once.")
]
