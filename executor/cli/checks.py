"""Many inputs validated: problems to standard output as they are found, a summary to standard error."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from analyser import files
from analyser.validate import Problem, unreadable, validate
from analyser.validate import Report as Result
from executor.cli import messages
from executor.cli.parallel import each
from schemas.errors import InputError, KubevmmError


def validate_all(names: list[str], jobs: int, *, as_json: bool) -> int:
    """Validate every input that *names* mean; return the exit code, 1 if any has an error."""
    inputs = list(files.sources(names))
    if not inputs:
        raise KubevmmError("nothing to validate", hint=f"folders are searched for {', '.join(files.ENDINGS[:3])}")
    errors = warnings = checked = skipped = 0
    separator = "["
    for result in each(check, inputs, jobs):
        checked += result.documents
        skipped += result.skipped
        for problem in result.problems:
            if problem.severity == "error":
                errors += 1
            else:
                warnings += 1
            if as_json:
                sys.stdout.write(f"{separator}\n{json.dumps(asdict(problem))}")
                separator = ","
            else:
                sys.stdout.write(_line(problem) + "\n")
    if as_json:
        sys.stdout.write("[]\n" if separator == "[" else "\n]\n")
    sys.stdout.flush()
    found = [_count(errors, "error"), *([_count(warnings, "warning")] if warnings else [])]
    text = f"{_count(checked, 'document')} in {_count(len(inputs), 'file')}: {', '.join(found)}"
    messages.note(f"{text}; {_count(skipped, 'other object')} skipped" if skipped else text)
    return 1 if errors else 0


def check(source: files.Source) -> Result:
    """Validate one input; runs in a worker."""
    try:
        return validate(files.read(source), file=str(source))
    except InputError as error:
        return Result([unreadable(error, str(source))])
    except MemoryError:
        return Result([Problem(str(source), 1, 1, "", "does not fit into memory")])


def _line(problem: Problem) -> str:
    text = str(problem)
    if not sys.stdout.isatty():
        return text
    place = f"{problem.file}:{problem.line}:{problem.column}:"
    if problem.severity == "warning":
        return messages.paint(text, "yellow", sys.stdout)
    return messages.paint(place, "bold", sys.stdout) + text[len(place) :] if text.startswith(place) else text


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
