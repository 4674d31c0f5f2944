"""What `virtctl import` does: sources told apart, progress on a terminal, the result at the end."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING

from analyser.importer.run import Request, run, spare_collections
from analyser.names import object_name
from analyser.report.table import show
from executor.cli import messages
from executor.cli.progress import shown
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from analyser.importer.items import Item
    from analyser.report.report import Report

_NAMED = 20


def import_all(
    sources: list[str], output: Path, *, namespace: str | None, infrastructure: str, node: str | None, jobs: int,
    as_json: bool, force: bool,
) -> int:  # fmt: skip
    """Import *sources* into the folder *output*; return the exit code, 1 if anything of it failed."""
    report = imported(sources, output, namespace, infrastructure, node, jobs, force=force)
    for failure in report.failures[:_NAMED]:
        messages.error(failure["text"], hint=failure.get("hint"))
    if report.failed > _NAMED:
        messages.note(f"{report.failed - _NAMED} more failures are in {output}/report.json")
    if as_json:
        json.dump({**report.summary(), "failures": report.failures}, sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        show(report, sys.stdout)
        sys.stdout.write(f"report: {output}/report.html, {output}/report.json\n")
    sys.stdout.flush()
    if report.secrets:
        messages.note(
            f"{report.secrets} guests' passwords are in {output}/*/*-secrets.yaml: seal these before they go to git"
        )
    return 1 if report.failed else 0


def imported(
    sources: list[str], output: Path, namespace: str | None, infrastructure: str, node: str | None, jobs: int, *,
    force: bool = False,
) -> Report:  # fmt: skip
    """Import *sources* into the folder *output* with progress on a terminal. Raises KubevmmError."""
    if node is not None and object_name(node) != node:
        raise KubevmmError(f"{node!r} is no node's name")
    uris = [source for source in sources if "://" in source]
    folders = tuple(source for source in sources if "://" not in source)
    request = Request(folders, output, namespace, infrastructure, node, jobs, force)
    spare_collections()
    with _progress() as progress:
        return run(request, chain(*(_live(uri, node) for uri in uris)), progress)


def _live(uri: str, node: str | None) -> Iterator[Item]:
    try:
        from executor.hypervisor.estate import estate
    except ImportError:
        raise KubevmmError(
            f"{uri}: libvirt's Python library is not installed", hint="pip install kubevmm[libvirt]"
        ) from None
    yield from estate(uri, node)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.completed} files"),
        BarColumn(),
        TextColumn("{task.fields[failed]} failed"),
        TimeElapsedColumn(),
    )
    with shown(*columns) as bar:
        task = bar.add_task("import", total=None, failed=0)
        yield lambda done, failed: bar.update(task, completed=done, failed=failed)
