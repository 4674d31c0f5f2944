"""Many inputs at once: which output belongs to which input, worker processes, failures named one by one."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from analyser import files
from analyser.convert import Converted, Form, convert, target_of
from executor.cli import messages
from executor.cli.parallel import each
from schemas.errors import InputError, KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NO_MEMORY = "does not fit into memory"


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
    todo = []
    for job, problem in _without_clashes([Job(source, folder, form) for source in inputs]):
        if problem is None:
            todo.append(job)
        else:
            failed += 1
            messages.failure(problem)
    for result in each(_run, todo, jobs):
        if result is not None:
            failed += 1
            messages.error(result.message, hint=result.hint)
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
        except MemoryError:
            failed += 1
            messages.error(f"{source}: {_NO_MEMORY}")
    sys.stdout.flush()
    return 1 if failed else 0


def _without_clashes(jobs: list[Job]) -> Iterator[tuple[Job, KubevmmError | None]]:
    """Yield each job, with the error that keeps it from being done where it would overwrite an input or another output.

    This is known before anything is written. Only inputs that share a name, but for its ending, need a look inside.
    """
    shared = Counter(_stem(job) for job in jobs)
    inputs = {job.source.path.resolve(): job.source for job in jobs if job.source.path and shared[_stem(job)] > 1}
    outputs: dict[Path, files.Source] = {}
    for job in jobs:
        problem: KubevmmError | None = None
        if shared[_stem(job)] > 1:
            try:
                path = _target(job, target_of(files.read(job.source), job.to))
            except KubevmmError as error:
                yield job, error
                continue
            there = inputs.get(path.resolve())
            if path in outputs:
                problem = InputError(f"would overwrite what {outputs[path]} becomes: {path}", file=str(job.source))
            elif there is not None and there.path != job.source.path:
                problem = InputError(f"would overwrite another input, {there}", file=str(job.source))
            else:
                outputs[path] = job.source
        yield job, problem


def _run(job: Job) -> Failure | None:
    """Convert one input to its place below the output folder; runs in a worker."""
    try:
        result = convert(files.read(job.source), file=str(job.source), to=job.to)
        files.write(_target(job, result.form), result.text.encode())
    except KubevmmError as error:
        return Failure(str(error), error.hint)
    except RecursionError:
        return Failure(f"{job.source}: nested too deeply", None)
    except MemoryError:
        return Failure(f"{job.source}: {_NO_MEMORY}", None)
    return None


def _stem(job: Job) -> Path:
    name = job.source.relative.name.removesuffix(".gz")
    return job.source.relative.with_name(name.rpartition(".")[0] if name.endswith((".xml", ".yaml", ".yml")) else name)


def _target(job: Job, form: Form) -> Path:
    if job.folder is None:
        raise InputError("no folder to write to", file=str(job.source))
    stem = _stem(job)
    return job.folder / stem.with_name(f"{stem.name}.{form}")
