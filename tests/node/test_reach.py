"""A guest is reached: its screen through a port of this machine, and its shell by the system's ssh."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from executor.hypervisor.hypervisor import Hypervisor
from executor.node import ssh
from executor.node.screens import Host, forwarding, host_of
from schemas.errors import KubevmmError
from tests.cli.command import VIRTCTL, environment, virtctl

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node.conftest import Machine

pytestmark = [pytest.mark.libvirt]

NODE = """
<node>
  <domain type='test'><name>web-1</name><uuid>11111111-1111-4111-8111-111111111111</uuid><memory>65536</memory>
    <os><type>hvm</type></os>
    <devices><interface type='network'><mac address='52:54:00:00:00:11'/><source network='inner'/></interface></devices>
  </domain>
  <domain type='test'><name>alone</name><uuid>22222222-2222-4222-8222-222222222222</uuid><memory>65536</memory>
    <os><type>hvm</type></os></domain>
  <network><name>inner</name><bridge name='virbr7'/>
    <ip address='192.0.2.1' netmask='255.255.255.0'><dhcp><range start='192.0.2.2' end='192.0.2.9'/></dhcp></ip>
  </network>
</node>
"""

# Writes how it was called, in place of ssh: nothing here has a shell to log in to.
SSH = f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\nsys.exit(7)\n"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "node.xml").write_text(NODE, encoding="utf-8")
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(SSH, encoding="utf-8")
    program.chmod(0o755)
    return {"LIBVIRT_DEFAULT_URI": f"test://{tmp_path / 'node.xml'}", "PATH": str(program.parent)}


HERE = ["-o", "HostKeyAlias=vm.11111111-1111-4111-8111-111111111111", "-o", "CheckHostIP=no"]
CALLS = {
    "as the user that is said": (["root@web-1"], [*HERE, "-l", "root", "--", "ADDRESS"]),
    "with a kind": (["vm", "web-1"], [*HERE, "--", "ADDRESS"]),
    "with a command, word by word": (
        ["-l", "me", "vm/web-1", "--", "echo", "a b", "$(id)", "-n"],
        [*HERE, "-l", "me", "--", "ADDRESS", "echo", "a b", "$(id)", "-n"],
    ),
    "with what is for ssh": (
        ["web-1", "-p", "2222", "-i", "key", "-o", "BatchMode=yes"],
        [*HERE, "-o", "BatchMode=yes", "-p", "2222", "-i", "key", "--", "ADDRESS"],
    ),
    "at an address that is said": (["web-1", "--address", "192.0.2.77"], [*HERE, "--", "192.0.2.77"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CALLS)
def test_ssh_becomes_the_systems_ssh(env: dict[str, str], case: str) -> None:
    words, expected = CALLS[case]
    done = virtctl("ssh", *words, env=env)
    said = json.loads(done.stdout)
    # The pretended network gives its guests any of its addresses.
    found = [word if not word.startswith("192.0.2.") or word == "192.0.2.77" else "ADDRESS" for word in said]
    assert (found, done.returncode) == (expected, 7)


REFUSED = {
    "a guest that nobody knows": (["root@nobody"], "no virtual machine nobody"),
    "a guest without an address": (["alone"], "nobody knows an address of it"),
    "an address that is an option": (["web-1", "--address", "-oProxyCommand=touch x"], "is no address"),
    "a user that is an option": (["web-1", "-l", "-oProxyCommand=x"], "is no user"),
    "two users": (["root@web-1", "-l", "me"], "either root or me"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_ssh_cannot_be_given_is_said(env: dict[str, str], case: str) -> None:
    words, said = REFUSED[case]
    done = virtctl("ssh", *words, env=env)
    assert done.returncode in (1, 2)
    assert said in done.stderr.decode()
    assert done.stdout == b""


def test_a_machine_without_ssh_is_told_so(env: dict[str, str], tmp_path: Path) -> None:
    done = virtctl("ssh", "web-1", env={**env, "PATH": str(tmp_path)})
    assert done.stderr.decode().splitlines()[0] == "error: ssh is not installed"


def test_a_guest_of_another_machine_is_reached_through_it(env: dict[str, str]) -> None:
    with Hypervisor(env["LIBVIRT_DEFAULT_URI"]) as hypervisor:
        domain = hypervisor.domains.by_name("web-1")
        command = ssh.command(domain, "192.0.2.7", jump=host_of("qemu+ssh://me@node-2:2222/system"))
        assert command[-4:] == ["-J", "me@node-2:2222", "--", "192.0.2.7"]
        with pytest.raises(KubevmmError, match="is no node"):
            ssh.command(domain, "192.0.2.7", jump=Host("-oProxyCommand=x", ssh=True))


@pytest.mark.parametrize(
    ("uri", "host"),
    [
        ("qemu:///system", Host()),
        ("qemu+unix:///system?socket=/run/x", Host()),
        ("qemu+ssh://node-2/system", Host("node-2", ssh=True)),
        ("qemu+ssh://me@node-2:22/system?keyfile=/k", Host("node-2", True, "me", 22, "/k")),
        ("qemu+tcp://[2001:db8::1]/system", Host("2001:db8::1")),
    ],
)
def test_where_a_libvirt_is_stands_in_its_uri(uri: str, host: Host) -> None:
    assert host_of(uri) == host


def test_a_screen_of_another_machine_is_reached_through_ssh() -> None:
    command = forwarding(Host("node-2", True, "me", 2222, "/k"), "127.0.0.1", 5901)
    assert command == ["ssh", "-W", "127.0.0.1:5901", "-p", "2222", "-l", "me", "-i", "/k", "--", "node-2"]
    assert forwarding(Host("n"), "::1", 5900)[2] == "[::1]:5900"


@pytest.mark.slow
def test_a_viewer_reaches_the_screen_through_a_port_of_this_machine(machine: Machine) -> None:
    process = subprocess.Popen(
        [*VIRTCTL, "vnc", "vm", machine.name],
        stdout=subprocess.PIPE,
        env=environment({"LIBVIRT_DEFAULT_URI": machine.uri}),
    )
    try:
        assert process.stdout is not None
        host, _, port = process.stdout.readline().decode().strip().rpartition(":")
        assert host == "127.0.0.1"
        # Two at once, each with a screen of its own.
        with greeted(int(port)) as one, greeted(int(port)):
            one.sendall(b"RFB 003.008\n")
            count = one.recv(1)[0]
            assert one.recv(count) == b"\x01"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_it_ends_with_its_viewer_where_that_is_asked_for(machine: Machine) -> None:
    process = subprocess.Popen(
        [*VIRTCTL, "vnc", machine.name, "--once"],
        stdout=subprocess.PIPE,
        env=environment({"LIBVIRT_DEFAULT_URI": machine.uri}),
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline().decode().rpartition(":")[2])
        greeted(port).close()
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_port_that_is_taken_is_one_line(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = machine.virtctl("vnc", machine.name, "--port", str(port), code=1)
    assert done.stderr.decode().splitlines()[0] == f"error: 127.0.0.1:{port}: Address already in use"


def greeted(port: int) -> socket.socket:
    """Return a connection on which a VNC server has said who it is."""
    viewer = socket.create_connection(("127.0.0.1", port), timeout=60)
    said = b""
    while len(said) < len("RFB 003.008\n"):
        piece = viewer.recv(12)
        assert piece, said
        said += piece
    assert said.startswith(b"RFB ")
    return viewer
