"""Many inputs at once: which output belongs to which input, worker processes, failures named one by one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from analyser import files
from analyser.convert import Converted, Form, convert
from executor.cli import messages
from executor.cli.parallel import each
from schemas.errors import InputError, KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Failure(NamedTuple):
    """A failed input, in a form that passes from one process to another."""

    message: str
    hint: str | None


class Job(NamedTuple):
    """One input and the folder (None: nowhere yet) that its output goes below."""

    source: files.Source
    folder: Path | None
    to: Form | None


def convert_all(names: list[str], output: str | None, to: str | None, jobs: int) -> int:
    """Convert every input that *names* mean; return the exit code, 1 if any of them failed."""
    form: Form | None = None if to is None else ("xml" if to == "xml" else "yaml")
    inputs = list(files.sources(names))
    if not inputs:
        raise KubevmmError("nothing to convert", hint=f"folders are searched for {', '.join(files.ENDINGS[:3])}")
    folder = _folder(names, inputs, output)
    if folder is None:
        return _to_one(inputs, output, form)
    failed = 0
    written: dict[Path, files.Source] = {}
    for source, result in _results([Job(source, folder, form) for source in inputs], jobs):
        if isinstance(result, Failure):
            failed += 1
            messages.error(result.message, hint=result.hint)
        elif result in written:
            failed += 1
            messages.error(f"{source}: would overwrite what {written[result]} became: {result}")
        else:
            written[result] = source
    if failed:
        messages.note(f"{failed} of {len(inputs)} failed")
    return 1 if failed else 0


def _folder(names: list[str], inputs: list[files.Source], output: str | None) -> Path | None:
    if output is None:
        return None
    several = len(inputs) > 1 or any(Path(name).is_dir() for name in names)
    if several or output.endswith("/") or Path(output).is_dir():
        if Path(output).exists() and not Path(output).is_dir():
            raise KubevmmError(f"{output}: is a file", hint="several inputs go to a folder")
        return Path(output)
    return None


def _to_one(inputs: list[files.Source], output: str | None, form: Form | None) -> int:
    """Convert to standard output, or one input to one file."""
    failed = 0
    previous: Converted | None = None
    for source in inputs:
        try:
            result = convert(files.read(source), file=str(source), to=form)
            if output is not None:
                files.write(Path(output), result.text.encode())
                continue
            if previous is not None and result.form == "yaml":
                sys.stdout.write("---\n")
            sys.stdout.write(result.text)
            previous = result
        except KubevmmError as error:
            failed += 1
            messages.failure(error)
    sys.stdout.flush()
    return 1 if failed else 0


def _results(jobs: list[Job], processes: int) -> Iterator[tuple[files.Source, Path | Failure]]:
    yield from zip((job.source for job in jobs), each(_run, jobs, processes), strict=True)


def _run(job: Job) -> Path | Failure:
    """Convert one input to its place below the output folder; runs in a worker."""
    try:
        result = convert(files.read(job.source), file=str(job.source), to=job.to)
        path = _target(job, result.form)
        files.write(path, result.text.encode())
    except KubevmmError as error:
        return Failure(str(error), error.hint)
    except RecursionError:
        return Failure(f"{job.source}: nested too deeply", None)
    return path


def _target(job: Job, form: Form) -> Path:
    if job.folder is None:
        raise InputError("no folder to write to", file=str(job.source))
    name = job.source.relative.name.removesuffix(".gz")
    stem = name.rpartition(".")[0] if name.endswith((".xml", ".yaml", ".yml")) else name
    return job.folder / job.source.relative.with_name(f"{stem}.{form}")
