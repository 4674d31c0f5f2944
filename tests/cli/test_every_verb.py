"""What holds for every verb that talks to libvirt: how guests are named, and what is said where there is no libvirt."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from executor.cli import main, verbs
from executor.cli.reference import Page, pages
from tests.cli.command import ROOT, environment, virtctl
from tests.engine.objects import vm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.libvirt

PAGES = [each for top in pages().verbs for each in (top.verbs or (top,))]
OF_LIBVIRT = [each for each in PAGES if any("--connect" in name for name, _ in each.options)]

BEHIND_THE_NAME = {
    "virtctl clone": ["copy"],
    "virtctl disk attach": ["/images/a"],
    "virtctl disk detach": ["vdb"],
    "virtctl disk resize": ["vda", "1Gi"],
    "virtctl media insert": ["/images/a.iso"],
    "virtctl nic detach": ["52:54:00:00:00:01"],
    "virtctl snapshot revert": ["first"],
    "virtctl snapshot delete": ["first"],
}
OPTIONS = {"virtctl nic attach": ["--network", "inner"], "virtctl wait": ["--for=condition=Ready"]}


def _guest_verbs() -> Iterator[Page]:
    for page in OF_LIBVIRT:
        if page.arguments and page.arguments[0][0].startswith(("[vm] NAME", "[KIND] NAME")):
            yield page


def _run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]) -> tuple[Any, str, str]:
    monkeypatch.setattr(sys, "argv", ["virtctl", *words])
    with pytest.raises(SystemExit) as left:
        main.main()
    said = capsys.readouterr()
    return left.value.code, said.out, said.err


@pytest.mark.parametrize("page", list(_guest_verbs()), ids=lambda page: page.name)
def test_a_guest_is_named_in_three_ways_that_are_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], page: Page
) -> None:
    verb = page.name.split()[1:]
    more = [*BEHIND_THE_NAME.get(page.name, []), *OPTIONS.get(page.name, []), "--connect", "test:///default"]
    said = [
        _run(monkeypatch, capsys, [*verb, *words, *more]) for words in (["nosuch"], ["vm", "nosuch"], ["vm/nosuch"])
    ]
    assert said[0][0] == 1, said
    assert "nosuch" in said[0][2]
    assert said == [said[0]] * 3


DAEMONS = ("virtctl agent", "virtctl executor")
"""They wait for their libvirt."""

KIND_FIRST = {"virtctl get": ["vm"], "virtctl wait": ["vm/x"], "virtctl export": ["x"]}


@pytest.mark.parametrize("page", [page for page in OF_LIBVIRT if page.name not in DAEMONS], ids=lambda page: page.name)
def test_without_libvirt_one_line_says_so_and_one_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, page: Page
) -> None:
    path = tmp_path / "object.yaml"
    path.write_text(vm("web-1"))
    words = [*KIND_FIRST.get(page.name, ["x"] if page.arguments else []), *BEHIND_THE_NAME.get(page.name, [])]
    if page.name in {"virtctl apply", "virtctl diff"}:
        words = ["-f", str(path)]
    elif page.name.startswith("virtctl image "):
        words = ["x", str(path), "--pool", "images"]
    words += [*OPTIONS.get(page.name, [])]
    uri = f"qemu+unix:///system?socket={tmp_path / 'nosuch'}"
    code, out, err = _run(monkeypatch, capsys, [*page.name.split()[1:], *words, "--connect", uri])
    assert (code, out) == (2 if page.name == "virtctl diff" else 1, "")
    error, hint = err.splitlines()
    assert error.startswith("error: connection qemu+unix:///system")
    assert "systemctl status libvirtd" in hint
    assert "--connect or LIBVIRT_DEFAULT_URI names another" in hint


COMPLETED = {
    "virtctl start te": ["test"],
    "virtctl stop vm te": ["test"],
    "virtctl describe vm/te": ["vm/test"],
    "virtctl disk list te": ["test"],
    "virtctl get vmn": ["vmnet", "vmnode"],
    "virtctl get vmnet de": ["default"],
    "virtctl wait vmpool/": ["vmpool/default-pool"],
    "virtctl get -o j": ["json", "jsonpath="],
    "virtctl delete nosuchkind/": [],
}


def _complete(line: str, uri: str) -> list[str]:
    env = {"_VIRTCTL_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    command = [sys.executable, "-c", "import sys; sys.argv[0] = 'virtctl'; from executor.cli.main import main; main()"]
    done = subprocess.run(
        command,
        capture_output=True,
        env=environment(env | {"LIBVIRT_DEFAULT_URI": uri}),
        check=False,
        timeout=60,
        cwd=ROOT,
    )
    assert done.stderr == b""
    return done.stdout.decode().split()


@pytest.mark.parametrize(("line", "expected"), COMPLETED.items())
def test_shells_complete_what_is_on_the_node(line: str, expected: list[str]) -> None:
    assert _complete(line, "test:///default") == expected


def test_where_no_libvirt_answers_nothing_is_completed_and_nothing_said() -> None:
    assert _complete("virtctl start te", "qemu+unix:///system?socket=/nosuch") == []


def test_only_the_verb_that_is_asked_for_is_loaded() -> None:
    script = (
        "import sys; from executor.cli.main import main; sys.argv = ['virtctl', 'version']\n"
        "try: main()\n"
        "except SystemExit: print(*[name for name in sys.modules if name.startswith('executor.cli.')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, env=environment(), check=True, timeout=60
    )
    loaded = {name.removeprefix("executor.cli.") for name in done.stdout.decode().split()}
    assert loaded & {name for section in verbs.SECTIONS.values() for name in section} == {"version"}


READ = {
    "get": ["get", "all", "--unmanaged"],
    "watch": ["get", "vm", "--unmanaged", "-w"],
    "describe": ["describe", "test"],
    "export": ["export", "test"],
}


@pytest.mark.parametrize("words", READ.values(), ids=READ.keys())
def test_a_reader_that_goes_away_ends_it_without_a_word(words: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = virtctl(*words, "--connect", "test:///default", stdout=write)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")
