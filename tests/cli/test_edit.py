"""`virtctl edit`: a person's editor, what they wrote applied or kept, and asked for again with what is wrong on top."""

from __future__ import annotations

import re
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from executor.plan import mark
from tests.cli.command import lines, virtctl
from tests.engine.objects import vm

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.libvirt

APPLIED = {
    "apiVersion": "kubevmm.io/v1alpha1",
    "kind": "VirtualMachine",
    "metadata": {"name": "web-1", "namespace": "default", "creationTimestamp": "2026-11-01T00:00:00Z"},
    "spec": {
        "runStrategy": "Manual",
        "domain": {
            "type": "test",
            "name": "web-1",
            "uuid": "11111111-1111-4111-8111-111111111111",
            "title": "Shop",
            "memory": "64Mi",
            "os": {"type": {"value": "hvm"}},
        },
    },
}


@pytest.fixture
def uri(tmp_path: Path) -> str:
    metadata = f"<metadata>{mark.make('default', 'web-1', 'u', APPLIED).element()}</metadata>"
    path = tmp_path / "node.xml"
    path.write_text(
        "<node><domain type='test'><name>web-1</name><uuid>11111111-1111-4111-8111-111111111111</uuid>"
        f"<title>Shop</title>{metadata}<memory>65536</memory><os><type>hvm</type></os></domain></node>",
        encoding="utf-8",
    )
    return f"test://{path}"


@pytest.fixture
def run(tmp_path: Path, uri: str) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run `virtctl edit` with an editor that does *steps*, Python statements about ``text``, one each time it opens."""

    def edit(*arguments: str | Path, steps: tuple[str, ...] = (), **env: str) -> subprocess.CompletedProcess[bytes]:
        (tmp_path / "steps").mkdir(exist_ok=True)
        for number, step in enumerate(steps):
            (tmp_path / "steps" / f"{number}.py").write_text(step)
        editor = tmp_path / "an editor.py"
        editor.write_text(
            "import pathlib, stat, sys\n"
            f"folder = pathlib.Path({str(tmp_path / 'steps')!r})\n"
            "path = pathlib.Path(sys.argv[-1])\n"
            "count = len(list(folder.glob('*.seen')))\n"
            "step = folder / f'{count}.py'\n"
            "text = path.read_text()\n"
            "(folder / f'{count}.seen').write_text(text)\n"
            "(folder / 'mode').write_text(oct(stat.S_IMODE(path.stat().st_mode)))\n"
            "scope = {'text': text}\n"
            "exec(step.read_text() if step.exists() else '', scope)\n"
            "path.write_text(scope['text'])\n"
        )
        temporary = tmp_path / "temporary"
        temporary.mkdir(exist_ok=True)
        known = {"EDITOR": f"{sys.executable} '{editor}' -n", "VISUAL": None, "KUBE_EDITOR": None}
        known |= {"TMPDIR": str(temporary), "KUBEVMM_STATE": str(tmp_path / "state"), **env}
        return virtctl("edit", *arguments, "--connect", uri, env=known)

    return edit


def _seen(tmp_path: Path, number: int) -> str:
    return (tmp_path / "steps" / f"{number}.seen").read_text()


def _left_behind(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "temporary").rglob("*") if path.is_file()]


STORE = "text = text.replace('title: Shop', 'title: Store')"


@pytest.mark.parametrize("words", [["web-1"], ["vm", "web-1"], ["vm/web-1"]])
def test_what_is_changed_is_applied(
    tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[bytes]], words: list[str]
) -> None:
    done = run(*words, steps=(STORE,))
    assert (done.returncode, lines(done.stdout)) == (0, ["virtualmachine/web-1 edited"]), done.stderr
    assert "status" not in _seen(tmp_path, 0)
    assert (tmp_path / "steps" / "mode").read_text() == "0o600"
    assert _left_behind(tmp_path) == []


NOTHING = {
    "no change": ("", "no changes made"),
    "a comment of ours": ("text = '#: more\\n' + text", "no changes made"),
    "all deleted": ("text = ''", "empty"),
    "comments alone": ("text = '# nothing\\n'", "empty"),
}


@pytest.mark.parametrize(("step", "said"), NOTHING.values(), ids=NOTHING.keys())
def test_nothing_changed_is_no_error(
    tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[bytes]], step: str, said: str
) -> None:
    done = run("vm", "web-1", steps=(step,))
    assert (done.returncode, done.stdout) == (0, b"")
    assert f"Edit cancelled, {'it is ' if said == 'empty' else ''}{said}." in done.stderr.decode()
    assert _left_behind(tmp_path) == []


WRONG = {
    "an unknown key": ("text = text.replace('title: Shop', 'titel: Store  # mine')", r"line \d+: .*titel"),
    "no YAML": ("text = text.replace('title: Shop', 'title: [Store  # mine')", r"line \d+: "),
    "another name": ("text = text.replace('name: web-1', 'name: web-2  # mine', 1)", "must stay: virtualmachine/web-1"),
    "no UUID": ("text = text.replace('-8111-111111111111', '  # mine')", "uuid: .* is no UUID"),
    "what cannot be brought about": (
        "text = text.replace('uuid: 1', 'uuid: 2').replace('Shop', 'Shop  # mine')",
        "UUID",
    ),
}


@pytest.mark.parametrize(("step", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_used_is_opened_again_with_the_reasons_and_kept_when_given_up(
    tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[bytes]], step: str, said: str
) -> None:
    done = run("vm", "web-1", steps=(step,))
    assert (done.returncode, done.stdout) == (1, b"")
    again = _seen(tmp_path, 1)
    head = [line for line in again.splitlines() if line.startswith("#:")]
    assert re.search(said, "\n".join(head)), again
    assert "# mine" in again
    (kept,) = _left_behind(tmp_path)
    assert f"what you wrote is in {kept}" in done.stderr.decode()
    assert "# mine" in kept.read_text()


def test_the_lines_in_reasons_are_those_of_the_file_that_is_open(
    tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    run("vm", "web-1", steps=("text = text.replace('title: Shop', 'titel: Store')",))
    again = _seen(tmp_path, 1)
    found = re.search(r"line (\d+): ", again)
    assert found is not None
    assert "titel" in again.splitlines()[int(found[1]) - 1]


def test_a_second_try_may_mend_it(tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[bytes]]) -> None:
    wrong = "text = text.replace('title: Shop', 'titel: Store')"
    done = run("vm", "web-1", steps=(wrong, "text = text.replace('titel:', 'title:')"))
    assert (done.returncode, lines(done.stdout)) == (0, ["virtualmachine/web-1 edited"])
    assert _left_behind(tmp_path) == []


def test_an_editor_that_fails_loses_nothing(
    tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    done = run("vm", "web-1", steps=(("text += '# mine'; import os, pathlib, sys\n"
                                     "pathlib.Path(sys.argv[-1]).write_text(text); os._exit(3)"),))  # fmt: skip
    assert done.returncode == 1
    assert b"failed with 3" in done.stderr
    (kept,) = _left_behind(tmp_path)
    assert kept.read_text().endswith("# mine")


EDITORS = {
    "that is not there": ("/nosuch/editor", "cannot be run"),
    "whose quotes are open": ("vim 'x", "No closing quotation"),
}


@pytest.mark.parametrize(("editor", "said"), EDITORS.values(), ids=EDITORS.keys())
def test_an_editor_is_one_line_when(
    tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[bytes]], editor: str, said: str
) -> None:
    done = run("vm", "web-1", EDITOR=editor)
    assert done.returncode == 1
    assert said in done.stderr.decode()
    assert _left_behind(tmp_path) == []


def test_no_shell_reads_the_editors_words(
    tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    run("vm", "web-1", EDITOR=f"true; touch {tmp_path / 'touched'}")
    assert not (tmp_path / "touched").exists()


def test_kubectls_editor_comes_first(run: Callable[..., subprocess.CompletedProcess[bytes]]) -> None:
    assert run("vm", "web-1", KUBE_EDITOR="false", VISUAL="true").returncode == 1
    assert run("vm", "web-1", VISUAL="false", EDITOR="true").returncode == 1


def test_a_file_keeps_its_comments_and_mode_and_is_applied(
    tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    path = tmp_path / "new-1.yaml"
    path.write_text("# whose it is\n" + vm("new-1", domain="title: Shop  # for now"))
    path.chmod(0o640)
    done = run("-f", path, steps=(STORE,))
    assert (done.returncode, lines(done.stdout)) == (0, ["virtualmachine/new-1 created"]), done.stderr
    assert path.read_text() == "# whose it is\n" + vm("new-1", domain="title: Store  # for now")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_file_stays_as_it_was_when_it_cannot_be_applied(
    tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    path = tmp_path / "new-1.yaml"
    path.write_text(vm("new-1", domain="title: Shop"))
    done = run("-f", path, steps=("text = text.replace('title: Shop', 'titel: Store')",))
    assert done.returncode == 1
    assert path.read_text() == vm("new-1", domain="title: Shop")


def test_a_file_that_changes_under_the_editor_is_not_overwritten(
    tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    path = tmp_path / "new-1.yaml"
    path.write_text(vm("new-1", domain="title: Shop"))
    done = run("-f", path, steps=(f"{STORE}; open({str(path)!r}, 'a').write('# theirs\\n')",))
    assert done.returncode == 1
    assert path.read_text().endswith("# theirs\n")
    assert len(_left_behind(tmp_path)) == 1


REFUSED: dict[str, tuple[list[str], int, str]] = {
    "nothing": ([], 2, ""),
    "two objects": (["vm", "web-1", "web-2"], 2, "one object is expected, not 2"),
    "a name and a file": (["web-1", "-f", "x"], 2, "either one object or a file"),
    "what is not there": (["vm", "nosuch"], 1, "not found in the namespace default"),
    "a file that is not there": (["-f", "/nosuch.yaml"], 1, "is no file"),
    "another kind's": (["vmnet", "web-1"], 1, "not found in the namespace default"),
}


@pytest.mark.parametrize(("arguments", "code", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_edited_opens_no_editor(
    tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[bytes]], arguments: list[str], code: int, said: str
) -> None:
    done = run(*arguments)
    assert done.returncode == code
    assert said in done.stderr.decode()
    assert not list((tmp_path / "steps").glob("*.seen"))
