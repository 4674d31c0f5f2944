"""Verbs for many guests: chosen by labels, worked on at once, and flags as kubectl's users write them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from executor.engine.together import together
from tests.cli.command import lines, virtctl
from tests.harness.libvirtd import Libvirtd

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[bytes]]


def guest(name: str, labels: str, namespace: str = "shop") -> str:
    # It has nothing to boot from, and no system that would mind the power button.
    return (
        "---\napiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachine\n"
        f"metadata: {{name: {name}, namespace: {namespace}, labels: {{{labels}}}}}\nspec:\n  runStrategy: Manual\n"
        "  domain:\n    type: qemu\n    memory: 32Mi\n    os: {type: {arch: x86_64, machine: q35, value: hvm}}\n"
    )


@pytest.fixture(scope="module")
def libvirtd() -> Iterator[Libvirtd]:
    with Libvirtd() as daemon:
        yield daemon


@pytest.fixture
def run(libvirtd: Libvirtd, tmp_path: Path) -> Iterator[Run]:
    env = {"LIBVIRT_DEFAULT_URI": libvirtd.uri, "KUBEVMM_STATE": str(tmp_path / "state")}
    path = tmp_path / "guests.yaml"
    path.write_text(
        guest("a", "app: web") + guest("b", "app: web") + guest("c", "app: db") + guest("a", "app: web", "other")
    )

    def ran(*words: str, code: int = 0) -> subprocess.CompletedProcess[bytes]:
        done = virtctl(*words, env=env)
        assert done.returncode == code, (words, done.stdout, done.stderr)
        return done

    ran("apply", "-f", str(path))
    yield ran
    ran("delete", "vm", "--all", "-A", "--force")


def said(*words: str) -> list[str]:
    return [f"virtualmachine/{word}" for word in words]


@pytest.mark.libvirt
def test_power_verbs_choose_by_labels_in_the_namespace(run: Run) -> None:
    web = ["-l", "app=web", "-n", "shop"]
    assert lines(run("start", *web).stdout) == said("a started", "b started")
    assert lines(run("pause", "vm", *web).stdout) == said("a paused", "b paused")
    assert lines(run("resume", "--all", "-n", "shop", code=1).stdout) == said("a resumed", "b resumed")
    assert lines(run("stop", "vm", *web, "--force").stdout) == said("a stopped by force", "b stopped by force")
    assert lines(run("release", "-l", "app!=web", "-n", "shop").stdout) == said("c released")
    both = run("start", "-l", "app=web", "-A")
    assert sorted(lines(both.stdout)) == said("a started", "a started", "b started")
    assert sorted(lines(run("stop", "--all", "-A", "--force").stdout)) == said(
        "a stopped by force", "a stopped by force", "b stopped by force"
    )
    nothing = run("start", "-l", "app=nosuch", "-n", "shop")
    assert (nothing.stdout, nothing.stderr) == (b"", b"nothing found in the namespace shop\n")
    left = run("get", "vm", "-A", "-o", "name")
    assert lines(left.stdout) == said("a", "a", "b")


WRONG = {
    "names and labels": ["start", "a", "-l", "app=web"],
    "names and all": ["stop", "vm", "a", "--all"],
    "neither": ["pause", "-n", "shop"],
    "no selector": ["reset", "-l", "a b"],
    "a namespace of everything": ["delete", "vm", "a", "-A"],
    "all namespaces of a name": ["stop", "vm", "a", "-A"],
    "two graces": ["delete", "vm", "a", "--now", "--force"],
}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG.keys())
@pytest.mark.libvirt
def test_what_names_nothing_clearly_is_refused(words: list[str]) -> None:
    done = virtctl(*words, "--connect", "test:///default")
    assert done.returncode == 2
    assert done.stdout == b""


@pytest.mark.libvirt
def test_guests_that_do_not_shut_down_are_waited_for_together_and_stay(run: Run) -> None:
    run("start", "--all", "-n", "shop")
    assert lines(run("delete", "vm", "-l", "app=web", "-n", "shop", "--dry-run=client", "-o", "name").stdout) == said(
        "a", "b"
    )
    asked = run("delete", "vm", "-l", "app=web", "-n", "shop", "--wait=false")
    assert lines(asked.stdout) == said("a asked to shut down", "b asked to shut down")
    late = run("delete", "vm", "-l", "app=web", "-n", "shop", "--timeout=1s", code=1)
    assert late.stdout == b""
    assert late.stderr.decode().count("runs still, 1 s after") == 2
    assert len(lines(run("get", "vm", "-A", "-o", "name").stdout)) == 4
    gone = run("delete", "vm", "--all", "-A", "--now", "--ignore-not-found=true")
    assert lines(gone.stdout) == said("a deleted", "a deleted", "b deleted", "c deleted")


def test_what_is_done_together_is_done_at_once_in_order_and_fails_in_its_turn() -> None:
    barrier = threading.Barrier(4, timeout=30)

    def act(number: int) -> int:
        barrier.wait()
        if number == 6:
            raise KeyError(number)
        return number * 2

    done: list[int] = []
    with pytest.raises(KeyError):
        done.extend(together(range(4, 8), act, at_once=4))
    found = together([1, 2], lambda number: number, at_once=1)
    assert (done, list(found)) == ([8, 10], [1, 2])


def test_whoever_leaves_off_begins_no_more() -> None:
    begun: list[int] = []
    for _ in together(range(100), begun.append, at_once=2):
        break
    seen = len(begun)
    threading.Event().wait(0.05)
    assert len(begun) <= seen + 2
