"""What `kubectl virt import` does: an import into a folder, its objects into the cluster, and what came of it."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from executor.cli import messages
from executor.cli.cluster.estate import ORDER, Estate, Outcome, Piece, read
from executor.cli.cluster.server import GUESTS, NODES, Server, ask
from executor.cli.importing import imported
from executor.cli.progress import shown
from executor.cli.tables import table
from kube.errors import Forbidden
from kube.pages import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress

WORDS: Final = ("created", "configured", "unchanged", "failed")
_NAMED: Final = 50


@dataclass(frozen=True)
class Wanted:
    """What is asked for; see the verb."""

    sources: list[str]
    output: Path | None
    namespace: str | None
    infrastructure: str
    node: str | None
    jobs: int
    dry_run: bool
    force: bool
    parallel: int


def import_all(wanted: Wanted, context: str, kubeconfig: str, *, as_json: bool) -> int:
    """Import into the cluster; return the exit code, 1 if anything failed. Raises KubevmmError."""
    # Nobody waits for an hour's conversion to learn that there is no cluster.
    nodes = ask(context, kubeconfig, None, _nodes)
    with contextlib.ExitStack() as stack:
        folder = wanted.output or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kubevmm-import-")))
        report = imported(wanted.sources, folder, wanted.namespace, wanted.infrastructure, wanted.node, wanted.jobs)
        pieces = read(folder)
        tally = Tally(report.failures, len(pieces), dry_run=wanted.dry_run)
        ask(context, kubeconfig, None, lambda server: _applied(server, wanted, pieces, tally))
    if as_json:
        json.dump({"import": report.summary(), **tally.summary()}, sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        tally.show()
    _strangers(pieces, nodes)
    sys.stdout.flush()
    return 1 if tally.failures else 0


async def _nodes(server: Server) -> set[str] | None:
    """Return the nodes that executors tell of, None where one may not see them. Raises ApiError without our kinds."""
    await server.client.session.request("GET", GUESTS.path(server.namespace), params={"limit": "1"})
    try:
        return {found.key.name for found in await server.client.list(NODES, Selection())}
    except Forbidden:
        return None


async def _applied(server: Server, wanted: Wanted, pieces: list[Piece], tally: Tally) -> None:
    with tally:
        estate = Estate(server.client, tally.told, dry_run=wanted.dry_run, force=wanted.force, parallel=wanted.parallel)
        await estate.apply(pieces)
    unchecked = +estate.unchecked
    if unchecked:
        messages.note(
            f"{unchecked.total()} objects could not be checked by the server: their namespaces are not there yet"
            f" ({', '.join(sorted(unchecked))})"
        )


def _strangers(pieces: list[Piece], nodes: set[str] | None) -> None:
    """Say which guests wait for a node that nobody tells of."""
    if nodes is None:
        return
    waiting: Counter[str] = Counter()
    for piece in pieces:
        if piece.resource is GUESTS:
            waiting[json.loads(piece.body)["spec"].get("nodeName") or ""] += 1
    for node in sorted(waiting.keys() - nodes):
        if node:
            messages.note(f"{waiting[node]} guests wait for the node {node}, of which no executor has told yet")
        else:
            messages.note(f"{waiting[node]} guests name no node: --node says it for all, spec.nodeName for each")


class Tally:
    """A context manager that counts outcomes, and shows on a terminal how far all is.

    ``failures`` are in the words of an import's report: first those of the import, then those of the cluster.
    """

    def __init__(self, failures: list[dict[str, Any]], whole: int, *, dry_run: bool) -> None:
        self.failures = list(failures)
        self._whole = whole
        self._dry_run = dry_run
        self._counts: Counter[tuple[str, str]] = Counter()
        self._left_out: Counter[str] = Counter()
        self._shown: Progress | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

            self._shown = shown(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                TextColumn("{task.fields[failed]} failed"), TimeRemainingColumn(),
            )  # fmt: skip
            self._shown.add_task("apply", total=self._whole, failed=0)
            self._shown.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown is not None:
            self._shown.stop()
            self._shown = None

    def told(self, outcome: Outcome) -> None:
        """Count *outcome*."""
        self._counts[outcome.piece.resource.kind, outcome.what] += 1
        if outcome.what == "failed":
            self.failures.append({"text": f"{outcome.piece}: {outcome.why}"})
        if self._shown is not None:
            self._shown.update(self._shown.task_ids[0], advance=1, failed=len(self.failures))

    def summary(self) -> dict[str, Any]:
        """Return the counts by kind, and the failures."""
        return {"dryRun": self._dry_run, "objects": dict(self._rows()), "failures": self.failures}

    def _rows(self) -> Iterator[tuple[str, dict[str, int]]]:
        for step in ORDER:
            for resource in step:
                counts = {word: self._counts[resource.kind, word] for word in WORDS}
                if any(counts.values()):
                    yield resource.kind, counts

    def show(self) -> None:
        """Write the counts to standard output, and the failures to standard error, a line each."""
        rows = [[kind, *(str(counts[word]) for word in WORDS)] for kind, counts in self._rows()]
        if rows:
            head = ["KIND", *(word.upper() for word in WORDS)]
            sys.stdout.write(table(head, rows) + ("\n(server dry run)\n" if self._dry_run else "\n"))
        sys.stdout.flush()
        for failure in self.failures[:_NAMED]:
            messages.error(failure["text"], hint=failure.get("hint"))
        if len(self.failures) > _NAMED:
            messages.note(f"{len(self.failures) - _NAMED} more failures: --format json names all of them")
