"""The tutorial's commands, run in one shell in its order: each says what the page says that it says."""

from __future__ import annotations

import re
import subprocess
from typing import NamedTuple

import pytest

from tests.cli.command import ROOT, environment

pytestmark = [pytest.mark.libvirt, pytest.mark.slow]

MARK = "@ended with"


class Command(NamedTuple):
    """A command as it is typed, and what the page shows below it."""

    typed: str
    shown: str


def commands() -> list[Command]:
    page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        for piece in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            typed, _, shown = piece.partition("\n")
            found.append(Command(typed, shown))
    return found


def plain(text: str) -> list[str]:
    """Return the lines that say something, with one space where a table has many."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def pattern(shown: str) -> str:
    """Return what must match all that was said: ... is anything in a line, on its own any lines."""
    lines = [
        r"(?:.*\n)*" if line == "..." else re.escape(line).replace(re.escape("..."), ".*") + r"\n"
        for line in plain(shown)
    ]
    return "".join(lines)


def test_every_command_of_the_tutorial_says_what_the_page_says() -> None:
    shell, *typed = commands()
    assert shell.typed == ".venv/bin/python -m scripts.node bash"
    # What a command would read is not the rest of the page.
    script = "".join(f"{{ {each.typed}\n}} </dev/null; code=$?; echo; echo {MARK} $code\n" for each in typed[:-1])
    assert typed[-1].typed == "exit"
    done = subprocess.run(
        shell.typed.split(), cwd=ROOT, input=script + "exit\n", env=environment({"NO_COLOR": "1", "LC_ALL": "C.UTF-8"}),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=300,
    )  # fmt: skip
    *said, rest = re.split(rf"^{MARK} (\d+)$", done.stdout, flags=re.MULTILINE)
    assert (done.returncode, rest.strip()) == (0, ""), done.stdout
    for each, output, code in zip(typed[:-1], said[::2], said[1::2], strict=True):
        text = "".join(f"{line}\n" for line in plain(output))
        assert re.fullmatch(pattern(each.shown), text), f"$ {each.typed}\n{output}\nthe page says:\n{each.shown}"
        # As the command does that it is called after, `diff` says by its exit code that there are differences.
        assert int(code) == (each.typed.startswith("virtctl diff") and each.shown != ""), each.typed
