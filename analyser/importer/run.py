"""Runs an import: reads the sources, converts on all cores, resolves, writes, reports."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain
from multiprocessing import parent_process
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from analyser.importer import names, resolve
from analyser.importer.batch import Result, clean, convert
from analyser.importer.items import Item, items
from analyser.importer.output import Output
from analyser.importer.row import Options
from analyser.importer.spool import Spool, opened
from analyser.report.report import Report, write
from schemas.errors import KubevmmError
from schemas.grammar.overrides import PATH as OVERRIDES
from schemas.table import PATH as TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

FORMAT = 3
"""Of the journal; one of another format is begun anew."""

_THRESHOLD = 20_000
_CHUNK = 96
_CHUNK_BYTES = 1 << 20
_AHEAD = 3


class Request(NamedTuple):
    """What is wanted: folders, archives and files *sources* into the folder *output*.

    ``live`` is what live hypervisors hand out. ``namespace`` is for all guests in place of their projects';
    ``infrastructure`` is for networks and pools. ``jobs`` is a number of processes, 0 for one for each core.
    """

    sources: tuple[str, ...]
    output: Path
    namespace: str | None = None
    infrastructure: str = "kubevmm-system"
    node: str | None = None
    jobs: int = 0
    force: bool = False


def run(request: Request, live: Iterable[Item] = (), progress: Callable[[int, int], None] | None = None) -> Report:
    """Do what *request* asks for and return the report; *progress* is called with how many files are done and failed.

    Raises KubevmmError where nothing can be done at all; single files that fail are in the report.
    """
    for namespace in filter(None, (request.namespace, request.infrastructure)):
        if not names.is_namespace(namespace):
            raise KubevmmError(f"{namespace!r} is no namespace", hint="lower-case letters, digits and -, 63 at most")
        if names.SYSTEM.fullmatch(namespace):
            raise KubevmmError(f"{namespace} belongs to Kubernetes itself", hint="choose another namespace")
    for source in request.sources:
        if not Path(source).exists():
            raise KubevmmError(f"{source}: no such file, folder or archive")
    options = {
        "format": FORMAT, "namespace": request.namespace, "infrastructure": request.infrastructure,
        "node": request.node,
        "tables": names.digest(*(path.read_text(encoding="utf-8") for path in (TABLES, OVERRIDES))),
    }  # fmt: skip
    with opened(request.output, options) as spool:
        output = Output(request.output, spool, request.infrastructure, force=request.force)
        found = chain(*(items(source, request.node) for source in request.sources), live)
        _read(found, spool, request, progress)
        if not next(spool.query("SELECT 1 FROM item LIMIT 1"), None):
            spool.done()
            raise KubevmmError("nothing to import", hint="looked for libvirt's *.xml files")
        resolve.resolve(spool)
        output.plan()
        output.check()
        output.place()
        report = write(spool, output.stale())
        output.finish(report.files)
        spool.done()
        return report


def _read(found: Iterable[Item], spool: Spool, request: Request, progress: Callable[[int, int], None] | None) -> None:
    run_number = spool.next_run()
    options = Options(str(spool.work), request.namespace, request.infrastructure)
    done = failed = 0
    for results in _results(_chunks(found, spool), options, request.jobs or os.cpu_count() or 1):
        spool.add(results, run_number)
        done += len(results)
        failed += sum(any(row.kind == "failed" for row in new or ()) for _, new in results)
        spool.db.commit()
        if progress is not None:
            progress(done, failed)
    spool.forget_others(run_number)


def _chunks(found: Iterable[Item], spool: Spool) -> Iterator[list[tuple[Item, str | None]]]:
    """Yield what a worker takes at a time: so many files, or so many bytes of them."""
    chunk: list[tuple[Item, str | None]] = []
    size = 0
    for item in found:
        chunk.append((item, spool.known(clean(item.name)) if spool.resumed else None))
        size += len(item.data or b"")
        if len(chunk) >= _CHUNK or size >= _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _results(chunks: Iterator[list[tuple[Item, str | None]]], options: Options, jobs: int) -> Iterator[list[Result]]:
    first = next(chunks, None)
    if first is None:
        return
    second = next(chunks, None) if jobs > 1 else None
    if second is None:
        yield from (convert(chunk, options) for chunk in chain([first], chunks))
        return
    running: deque[Future[list[Result]]] = deque()
    pool = ProcessPoolExecutor(jobs, initializer=_worker)
    try:
        for chunk in chain([first, second], chunks):
            if len(running) >= jobs * _AHEAD:
                yield running.popleft().result()
            running.append(pool.submit(convert, chunk, options))
        while running:
            yield running.popleft().result()
    except BrokenProcessPool:
        raise KubevmmError(
            "a worker process ended unexpectedly", hint="is memory short? Run it again: it goes on"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def spare_collections() -> None:
    """Let Python look for cycles seldom: an import makes none, and much that is looked through in vain."""
    gc.freeze()
    gc.set_threshold(_THRESHOLD, 50, 1000)


def _worker() -> None:
    """Leave interrupts to the parent, and end with it however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    spare_collections()
    parent = parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
