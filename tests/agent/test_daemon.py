"""`virtctl agent` as a process: what a person and a service manager see of it."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from tests.agent.running import Folder, Process, eventually
from tests.cli.command import virtctl
from tests.harness.hypervisors import node_uri

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return node_uri(tmp_path)


@pytest.fixture
def process(uri: str, folder: Folder, tmp_path: Path) -> Iterator[Process]:
    with Process(uri, folder.path, tmp_path) as running:
        running.ready()
        yield running


def _refused(*arguments: str | Path, env: dict[str, str | None] | None = None) -> str:
    done = virtctl("agent", *arguments, env=env)
    assert done.returncode == 1, done
    said = done.stderr.decode()
    assert said.startswith("error: "), said
    return said


def test_a_second_agent_refuses_with_the_firsts_process_id(process: Process, uri: str, folder: Folder) -> None:
    state = process.socket.parent / "state"
    said = _refused("--manifests", folder.path, "-c", uri, "--listen", "none", env={"KUBEVMM_STATE": str(state)})
    assert f"process {process.pid}" in said


def test_after_a_kill_another_agent_may_begin(process: Process) -> None:
    process.kill()
    process.start()
    process.ready()


def test_it_ends_at_a_signal_with_success_and_leaves_no_socket(process: Process) -> None:
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
    assert not process.socket.exists()
    assert "stopping; guests run on" in process.said()


@pytest.mark.parametrize(
    ("mode", "words"), [(None, "No such file or directory"), ("file", "Not a directory"), (0o777, "chmod o-w")]
)
def test_a_folder_that_cannot_be_is_one_line(uri: str, tmp_path: Path, mode: str | int | None, words: str) -> None:
    path = tmp_path / "bad"
    if mode == "file":
        path.write_text("", encoding="utf-8")
    elif isinstance(mode, int):
        path.mkdir()
        path.chmod(mode)
    assert words in _refused("--manifests", path, "-c", uri)


@pytest.mark.parametrize(
    ("listen", "words"),
    [
        ("0.0.0.0:9474", "other hosts could reach it"),
        ("[::]:9474", "other hosts could reach it"),
        ("localhost", "neither unix:PATH nor an address and a port"),
        ("unix:/proc/nowhere/agent.sock", "cannot listen there"),
    ],
)
def test_it_listens_for_this_host_alone(uri: str, folder: Folder, listen: str, words: str) -> None:
    assert words in _refused("--manifests", folder.path, "-c", uri, "--listen", listen)


def test_it_says_how_it_is(process: Process, folder: Folder) -> None:
    folder.vm()
    eventually(lambda: 'kubevmm_agent_guests{status="Running"} 1.0' in process.get("/metrics")[1])
    assert process.get("/healthz") == (200, "ok\n")
    assert process.get("/elsewhere")[0] == 404
    assert "kubevmm_agent_connected 1.0" in process.get("/metrics")[1]
    assert process.socket.stat().st_mode & 0o007 == 0


def test_an_invalid_file_is_one_line_of_its_log_with_its_place(process: Process, folder: Folder) -> None:
    folder.put("kind: [", "broken.yaml")
    eventually(lambda: "broken.yaml:" in process.said(), process.said)
    assert process.said().count("broken.yaml:") == 1
    assert "kubevmm_agent_source_problems 1.0" in process.get("/metrics")[1]


def test_secrets_do_not_come_into_the_log_nor_the_state(process: Process, folder: Folder, tmp_path: Path) -> None:
    folder.put(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: vnc}\nstringData: {password: hunter-seven}\n", "secret.yaml"
    )
    graphics = "{type: vnc, port: '-1', passwdSecretRef: {name: vnc, key: password}}"
    folder.vm(domain=f"devices: {{graphics: [{graphics}]}}")
    folder.vm("db-1", domain="title: [wrong, hunter-seven]")
    eventually(lambda: "web-1 created" in process.said() or "web-1" in process.said(), process.said)
    eventually(lambda: "db-1.yaml" in process.said(), process.said)
    written = b"".join(path.read_bytes() for path in tmp_path.joinpath("state").rglob("*") if path.is_file())
    assert b"hunter-seven" not in written
    assert "stringData" not in process.said()


def test_a_hangup_reads_everything_anew_and_it_tells_its_service_manager(
    uri: str, folder: Folder, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        with Process(uri, folder.path, tmp_path, **env) as running:

            def told(what: str) -> str:
                while what not in (said := manager.recv(4096).decode()):
                    pass
                return said

            assert "STATUS=" in told("READY=1")
            told("WATCHDOG=1")
            running.signal(signal.SIGHUP)
            assert "MONOTONIC_USEC=" in told("RELOADING=1")
            told("READY=1")
            running.signal(signal.SIGTERM)
            told("STOPPING=1")
            assert running.wait() == 0


def test_its_help_says_what_it_does() -> None:
    done = virtctl("agent", "--help")
    assert done.returncode == 0
    assert b"--manifests" in done.stdout
    assert virtctl("agent", "--connect", "test:///default").returncode == 2


def test_a_file_that_only_others_may_read_is_said_and_deletes_nothing(process: Process, folder: Folder) -> None:
    path = folder.vm()
    eventually(lambda: "web-1 created" in process.said(), process.said)
    path.unlink()
    path.symlink_to("/proc/self/nowhere")
    eventually(lambda: "cannot be read" in process.said(), process.said)
    assert "deleted" not in process.said()
    assert os.getpid() != process.pid
