"""Options of the verbs that take objects from files, and how they are read and their problems printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from executor.cli import messages

if TYPE_CHECKING:
    from executor.engine.readings import Readings
    from executor.engine.source import Declarations

Files: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("-f", "--filename", metavar="FILE|DIR|-", help="Files, folders, or - for standard input; repeatable."),
]
Recursive: TypeAlias = Annotated[bool, typer.Option("-R", "--recursive", help="Search folders to the bottom.")]


def load(
    names: list[str] | None, namespace: str | None, recursive: bool, readings: Readings | None = None
) -> Declarations:
    """Return what the files say; see `read` for *readings*.

    Raises KubevmmError, after all problems but the last line were printed.
    """
    from executor.engine.source import InvalidInput, read

    try:
        found = read(names or [], namespace=namespace, recursive=recursive, readings=readings)
    except InvalidInput as error:
        for problem in error.problems[:-1]:
            messages.error(problem)
        error.args = (error.problems[-1],)
        raise
    if found.skipped:
        messages.note(f"{found.skipped} objects of other groups were left out")
    return found


def declared(
    names: list[str] | None, namespace: str | None, recursive: bool
) -> list[tuple[str, str | None, tuple[str, ...]]]:
    """Return of what the files have: each kind in each namespace once, and the names there.

    Raises KubevmmError, after all problems but the last line were printed.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for each in load(names, namespace, recursive).objects:
        found.setdefault((each.ref.kind, each.ref.namespace), []).append(each.ref.name)
    return [(kind, place, tuple(found[kind, place])) for kind, place in sorted(found)]
