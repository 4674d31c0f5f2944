"""How far long work is shows on a terminal, and nowhere else."""

from __future__ import annotations

import os
import pty
import re
import sys
import threading
from typing import TYPE_CHECKING, Self

import pytest
import typer

from executor.cli import apply, diff, progress
from tests.engine.objects import vm

if TYPE_CHECKING:
    from pathlib import Path

END = "(the end)"
COLOUR = re.compile(r"\x1b\[(?:\d+;)*3\d[;\d]*m")
"""What makes a terminal write in a colour."""


class Terminal:
    """A context manager that puts a terminal in place of standard error; ``text`` is what was written to it then."""

    def __init__(self) -> None:
        self._ours, theirs = pty.openpty()
        self.stream = os.fdopen(theirs, "w")
        self._said = b""
        # It holds little that nobody reads.
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        # In the test itself: pytest puts its own there before each.
        self._before, sys.stderr = sys.stderr, self.stream
        return self

    def __exit__(self, *_: object) -> None:
        sys.stderr = self._before
        self.stream.write(END)
        self.stream.close()
        self._reader.join()
        os.close(self._ours)

    @property
    def text(self) -> str:
        return self._said.decode().removesuffix(END)

    def _read(self) -> None:
        while not self._said.endswith(END.encode()):
            self._said += os.read(self._ours, 65536)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(progress, "QUICK", 0.0)
    monkeypatch.setattr(progress, "AGAIN", 0.0)
    monkeypatch.setenv("KUBEVMM_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    path = tmp_path / "guests.yaml"
    path.write_text("---\n".join(map(vm, ("web-1", "web-2", "web-3"))), encoding="utf-8")
    return [str(path)]


def _run(verb: str, files: list[str]) -> int:
    try:
        if verb == "apply":
            apply.apply(filename=files, connect="test:///default")
        else:
            diff.diff(filename=files, connect="test:///default")
    except typer.Exit as end:
        return end.exit_code
    raise AssertionError


@pytest.mark.parametrize(("verb", "code"), [("apply", 0), ("diff", 1)])
def test_many_objects_are_counted_on_a_terminal(
    files: list[str], capsys: pytest.CaptureFixture[str], verb: str, code: int
) -> None:
    with Terminal() as terminal:
        assert _run(verb, files) == code
    said = terminal.text
    for number, name in enumerate(("web-1", "web-2", "web-3")):
        assert re.search(rf"(applying|comparing) virtualmachine/{name}.*{number}/3", said)
    # The last thing is that it is taken away again.
    assert said.endswith("\x1b[2K")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert [line.split()[0 if verb == "apply" else 1].rstrip(":") for line in out.splitlines()] == [
        f"virtualmachine/web-{number}" for number in (1, 2, 3)
    ]


@pytest.mark.parametrize("verb", ["apply", "diff"])
def test_nothing_is_counted_anywhere_else(files: list[str], capsys: pytest.CaptureFixture[str], verb: str) -> None:
    _run(verb, files)
    assert capsys.readouterr().err == ""


def test_one_object_is_not_counted(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(vm(), encoding="utf-8")
    with Terminal() as terminal:
        assert _run("apply", [str(tmp_path / "one.yaml")]) == 0
    assert terminal.text == ""


def test_bytes_of_one_object_show_in_place_of_the_count() -> None:
    with Terminal() as terminal, progress.Count("applying", 2) as count:
        count.begin("vmimage/debian")
        count("downloading", 1 << 20, 2 << 20)
        count("verifying", 2 << 20, None)
        count.begin("vm/web-1")
    said = terminal.text
    assert re.search(r"applying vmimage/debian.*vmimage/debian: downloading.*1\.0/2\.1 MB.*verifying", said, re.DOTALL)
    assert re.search(r"applying vm/web-1.*1/2", said)


@pytest.mark.parametrize("coloured", [True, False])
def test_no_color_takes_the_colours_away(monkeypatch: pytest.MonkeyPatch, coloured: bool) -> None:
    if not coloured:
        monkeypatch.setenv("NO_COLOR", "1")
    with Terminal() as terminal, progress.Bar("web-2") as bar:
        bar("copying vda", 1, 2)
    said = terminal.text
    assert "web-2: copying vda" in said
    assert bool(COLOUR.search(said)) is coloured
