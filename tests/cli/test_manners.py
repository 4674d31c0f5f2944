"""What every verb of virtctl owes a person: help, one-line errors, quiet pipes, colour on terminals alone."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from executor.cli import verbs
from tests.cli.command import EXAMPLES, GUEST, ROOT, VIRTCTL, environment, lines, virtctl

if TYPE_CHECKING:
    from pathlib import Path

VERBS = [verb for section in verbs.SECTIONS.values() for verb in section]
WITH_EXAMPLES = [verb for verb in VERBS if verb not in ("version", *verbs.GROUPS)]
OF_NO_LIST = [
    "lxml", "pydantic", "rich", "kubernetes", "yaml", "analyser.files", "analyser.codec", "schemas.api",
    "executor.engine.guests", "executor.plan.merge", "executor.hypervisor.events",
]  # fmt: skip
HEAVY = ["lxml", "libvirt", "kubernetes", "yaml", "ruamel", "xmldiff", "msgspec", "zstandard", "multiprocessing"]


def test_every_module_that_is_a_verb_is_in_the_table() -> None:
    folder = ROOT / "executor" / "cli"
    said = [path.stem.rstrip("_") for path in folder.glob("*.py") if path.read_text().startswith('"""`virtctl ')]
    modules = {path for path in said if path in VERBS}
    assert sorted(VERBS) == sorted(set(VERBS)) == sorted(modules)
    assert set(said) - modules <= {"watching", "waiting"}


@pytest.mark.parametrize("verb", WITH_EXAMPLES)
def test_help_of_every_verb_shows_examples(verb: str) -> None:
    text = str(verbs.command(verb).help)
    assert f"virtctl {verb} " in text.partition("Examples:\n")[2]


def test_help_is_shown_by_both_of_its_names() -> None:
    done = virtctl("stop", "--help")
    assert done.returncode == 0
    assert "Examples:\n" in done.stdout.decode()
    assert virtctl("stop", "-h").stdout == done.stdout


def test_help_of_all_verbs_loads_nothing_heavy() -> None:
    script = (
        "import sys; from executor.cli.main import main\n"
        f"for verb in {VERBS}:\n"
        "    sys.argv = ['virtctl', verb, '--help']\n"
        "    try: main()\n"
        f"    except SystemExit: print('HEAVY', verb, [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, env=environment(), check=True, timeout=60
    )
    said = [line for line in lines(done.stdout) if line.startswith("HEAVY")]
    assert said == [f"HEAVY {verb} []" for verb in VERBS]


def test_a_list_of_guests_loads_what_it_needs_alone() -> None:
    script = (
        "import sys\nfrom executor.cli.main import main\n"
        "sys.argv = ['virtctl', 'get', 'vm', '--unmanaged', '-c', 'test:///default']\n"
        "try: main()\n"
        f"except SystemExit as done: print('HEAVY', done, [name for name in {OF_NO_LIST} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, env=environment(), check=True, timeout=60
    )
    assert lines(done.stdout)[-1] == "HEAVY 0 []"


def test_without_a_verb_the_help_is_shown() -> None:
    done = virtctl()
    assert done.returncode == 2
    assert b"convert" in done.stdout + done.stderr


USAGE = {
    "unknown verb": ["nosuch"],
    "unknown option": ["convert", "--nosuch"],
    "missing argument": ["compare", "one"],
    "no number": ["validate", "x", "--jobs", "many"],
    "negative number": ["convert", "x", "--jobs", "-1"],
    "unknown word": ["convert", "x", "--to", "toml"],
}


@pytest.mark.parametrize("arguments", USAGE.values(), ids=USAGE.keys())
def test_a_mistake_in_usage_is_exit_2_and_says_where_help_is(arguments: list[str]) -> None:
    done = virtctl(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"Error: " in done.stderr
    assert b"-h' for help" in done.stderr


def test_version_is_one_line() -> None:
    done = virtctl("version")
    assert done.returncode == 0
    assert lines(done.stdout)[0].startswith("virtctl ")
    assert len(lines(done.stdout)) == 1


def _on_a_terminal(arguments: list[str], env: dict[str, str | None]) -> str:
    """Return what virtctl writes where both of its outputs are a terminal."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen([*VIRTCTL, *arguments], stdout=theirs, stderr=theirs, env=environment(env))
        os.close(theirs)
        said = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
            if not part:
                break
            said += part
        process.wait(timeout=60)
    finally:
        os.close(ours)
    return said.decode()


def _coloured(tmp_path: Path) -> dict[str, list[str]]:
    other = tmp_path / "other.xml"
    other.write_bytes(GUEST.read_bytes().replace(b"vda", b"vdb"))
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachine\n")
    return {
        "convert": ["convert", str(tmp_path / "nosuch")],
        "validate": ["validate", str(wrong)],
        "compare": ["compare", str(GUEST), str(EXAMPLES / "openstack" / "nodes" / "nosuch")],
    }


@pytest.mark.parametrize("verb", ["convert", "validate", "compare"])
def test_colour_is_for_terminals_and_no_color_turns_it_off(tmp_path: Path, verb: str) -> None:
    arguments = _coloured(tmp_path)[verb]
    assert "\x1b[" in _on_a_terminal(arguments, {"TERM": "xterm"})
    assert "\x1b[" not in _on_a_terminal(arguments, {"TERM": "xterm", "NO_COLOR": "1"})
    done = virtctl(*arguments)
    assert b"\x1b[" not in done.stdout + done.stderr


def test_differences_are_green_and_red_on_a_terminal(tmp_path: Path) -> None:
    more = tmp_path / "more.xml"
    more.write_bytes(GUEST.read_bytes().replace(b"<devices>", b"<devices><emulator>/x</emulator>"))
    assert "\x1b[32m+ spec.domain.devices.emulator: /x" in _on_a_terminal(["compare", str(GUEST), str(more)], {})
    assert "\x1b[31m- spec.domain.devices.emulator: /x" in _on_a_terminal(["compare", str(more), str(GUEST)], {})


def test_nothing_that_a_terminal_would_obey_is_passed_on(tmp_path: Path) -> None:
    evil = "\x1b]0;pwned\x07"
    quoted = '"\\e]0;pwned\\a"'
    (tmp_path / f"{evil}.xml").write_text("<domain>")
    (tmp_path / "a.yaml").write_text(f"apiVersion: kubevmm.io/v1alpha1\nkind: {quoted}\n{quoted}: 1\n")
    for arguments in (["validate", tmp_path], ["convert", tmp_path, "-o", tmp_path / "out"]):
        done = virtctl(*arguments)
        assert done.returncode == 1
        assert b"\x1b" not in done.stdout + done.stderr
        assert b"\x07" not in done.stdout + done.stderr


BIG = {
    "convert": ["convert", str(EXAMPLES)],
    "validate": ["validate", str(EXAMPLES), "-o", "json"],
    "help": ["--help"],
}


@pytest.mark.parametrize("arguments", BIG.values(), ids=BIG.keys())
def test_a_reader_that_goes_away_is_no_error_to_talk_about(arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = virtctl(*arguments, stdout=write)
    finally:
        os.close(write)
    said = [line for line in lines(done.stderr) if "well-formed" not in line]
    assert said == [], said


@pytest.mark.parametrize("arguments", BIG.values(), ids=BIG.keys())
def test_output_that_finds_no_room_is_one_line(arguments: list[str]) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123  (a device, and the name says so)
        done = virtctl(*arguments, stdout=full)
    assert done.returncode == 1
    assert "error: standard output: No space left on device" in lines(done.stderr)


@pytest.mark.parametrize("verb", ["convert", "validate"])
def test_ctrl_c_is_one_word_and_leaves_nothing_half_done(tmp_path: Path, verb: str) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for number in range(200):
        (source / f"{number:03}.xml").write_bytes(GUEST.read_bytes())
    pipe = tmp_path / "pipe.yaml"  # by its own name: in a folder, a pipe is not read
    os.mkfifo(pipe)
    arguments = [verb, str(pipe), str(source), "-j", "2", *(["-o", str(tmp_path / "out")] if verb == "convert" else [])]
    process = subprocess.Popen(
        [*VIRTCTL, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        start_new_session=True,
    )
    # Opening waits until a worker reads from the pipe: then the work is surely under way.
    writer = os.open(pipe, os.O_WRONLY)
    os.killpg(process.pid, signal.SIGINT)
    os.close(writer)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, lines(err)) == (130, ["error: interrupted"])
    assert b"Traceback" not in out
    assert [path.name for path in tmp_path.rglob(".*")] == []


SHELLS = {
    "bash": {"_VIRTCTL_COMPLETE": "complete_bash", "COMP_WORDS": "virtctl {}", "COMP_CWORD": "1"},
    "zsh": {"_VIRTCTL_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "virtctl {}"},
    "fish": {
        "_VIRTCTL_COMPLETE": "complete_fish", "_TYPER_COMPLETE_ARGS": "virtctl {}",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    },
}  # fmt: skip

AS_INSTALLED = [sys.executable, "-c", "import sys; sys.argv[0] = 'virtctl'; from executor.cli.main import main; main()"]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("typed", "completed"), [("va", "validate"), ("conv", "convert"), ("compa", "compare")])
def test_shells_complete_verbs(shell: str, typed: str, completed: str) -> None:
    env = environment({name: value.format(typed) for name, value in SHELLS[shell].items()})
    done = subprocess.run(AS_INSTALLED, capture_output=True, env=env, check=False, timeout=60, cwd=ROOT)
    assert completed in done.stdout.decode()


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_can_be_shown_and_installed(tmp_path: Path, shell: str) -> None:
    env = environment({"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1", "HOME": str(tmp_path)})
    for option in ("--show-completion", "--install-completion"):
        done = subprocess.run(
            [*AS_INSTALLED, option, shell], capture_output=True, env=env, check=False, timeout=60, cwd=ROOT
        )
        assert done.returncode == 0, done.stderr
    shown = [path for path in tmp_path.rglob("*") if path.is_file() and b"_VIRTCTL_COMPLETE" in path.read_bytes()]
    assert shown


BEFORE = {
    "a verb": (["get", "vmnode", "-o", "name"], "virtualmachinenode/"),
    "a verb of a verb": (["disk", "list", "test"], "no virtual machine test in namespace shop"),
    "a verb that says it itself": (
        ["disk", "list", "test", "-n", "other"],
        "no virtual machine test in namespace other",
    ),
}


@pytest.mark.parametrize("case", BEFORE)
def test_namespace_and_libvirt_may_stand_before_the_verb(case: str) -> None:
    words, said = BEFORE[case]
    # What stands there goes before what the environment says.
    done = virtctl("-n", "shop", "-c", "test:///default", *words, env={"LIBVIRT_DEFAULT_URI": "test:///nosuch"})
    assert said in (done.stdout + done.stderr).decode()
