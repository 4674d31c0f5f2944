"""`virtctl get`: forms as kubectl users know them, and a row for each change."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from executor.cli.forms import form
from executor.cli.watching import Printer, columns_of
from executor.engine.listing import Query
from executor.engine.watching import changes
from executor.hypervisor.hypervisor import Hypervisor
from tests.cli.command import VIRTCTL, environment, lines, virtctl
from tests.harness.hypervisors import node_uri

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.libvirt

NODE = """
<node>
  <domain type='test'><name>web-1</name><memory>65536</memory><os><type>hvm</type></os></domain>
  <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>a</name><memory>65536</memory>
    <os><type>hvm</type></os><test:runstate>5</test:runstate></domain>
  <network><name>inner</name><bridge name='virbr7'/><ip address='192.0.2.1' netmask='255.255.255.0'/></network>
</node>
"""


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return node_uri(tmp_path, NODE)


@pytest.fixture
def node(uri: str) -> Iterator[Hypervisor]:
    with Hypervisor(uri) as hypervisor:
        yield hypervisor


TABLE = ["NAMESPACE     NAME    AGE         STATUS    READY", "<unmanaged>   web-1   <unknown>   Running   True"]

FORMS: dict[str, tuple[list[str], list[str]]] = {
    "a table": (["vm", "web-1"], TABLE),
    "no head": (["vm", "web-1", "--no-headers"], TABLE[1:]),
    "labels": (["vm", "web-1", "--show-labels"], [f"{TABLE[0]}   LABELS", f"{TABLE[1]}    <none>"]),
    "names alone": (["vm", "-o", "name"], ["virtualmachine/a", "virtualmachine/web-1"]),
    "kinds with commas": (
        ["vm,vmnet", "-o", "name"], ["virtualmachine/a", "virtualmachine/web-1", "virtualmachinenetwork/inner"]
    ),
    "all kinds that a namespace has": (
        ["all", "-o", "name"], ["virtualmachine/a", "virtualmachine/web-1", "virtualmachinenetwork/inner"]
    ),
    "jsonpath of one": (["vm", "web-1", "-o", "jsonpath={.status.printableStatus}"], ["Running"]),
    "jsonpath of all": (["vm", "-o", "jsonpath={.items[*].metadata.name}"], ["a web-1"]),
    "custom columns": (
        ["vm", "-o", "custom-columns=NAME:.metadata.name,HOW:{.status.printableStatus},IP:.status.nosuch"],
        ["NAME    HOW       IP", "a       Stopped   <none>", "web-1   Running   <none>"],
    ),
    "sorted": (["vm", "--sort-by=.status.printableStatus", "-o", "name"], ["virtualmachine/web-1", "virtualmachine/a"]),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "expected"), FORMS.values(), ids=FORMS.keys())
def test_a_form_gives_what_kubectl_users_expect(uri: str, arguments: list[str], expected: list[str]) -> None:
    done = virtctl("get", *arguments, "--unmanaged", "--connect", uri)
    assert (done.returncode, lines(done.stdout)) == (0, expected)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["-o", "toml"], 2),
        (["-o", "table=x"], 2),
        (["-o", "jsonpath="], 2),
        (["-o", "custom-columns=NAME"], 2),
        (["-o", "jsonpath={.a"], 1),
        (["--watch", "--sort-by=.a"], 2),
    ],
)  # fmt: skip
def test_what_is_no_form_is_refused_before_libvirt_is_asked(arguments: list[str], code: int) -> None:
    done = virtctl("get", "vm", *arguments, "--connect", "nosuch:///nowhere")
    assert (done.returncode, done.stdout) == (code, b"")
    assert b"nosuch" not in done.stderr


WATCHED: dict[str, tuple[str, bool, list[str]]] = {
    "table": ("table", False, [*TABLE, TABLE[1].replace("Running", "Stopped").replace("True", "False")]),
    "events": (
        "custom-columns=NAME:.metadata.name,HOW:.status.printableStatus", True,
        ["EVENT   NAME    HOW", "ADDED   web-1   Running", "MODIFIED   web-1   Stopped"],
    ),
    "names": ("name", True, ["ADDED virtualmachine/web-1", "MODIFIED virtualmachine/web-1"]),
    "jsonpath": (
        'jsonpath={.status.printableStatus}{"\\n"}', False, ["Running", "Stopped"]
    ),
}  # fmt: skip


@pytest.mark.parametrize(("output", "events", "expected"), WATCHED.values(), ids=WATCHED.keys())
def test_each_change_is_a_row_below_one_head(node: Hypervisor, output: str, events: bool, expected: list[str]) -> None:
    wanted = form(output)
    queries = [Query("VirtualMachine", "default", ("web-1",), unmanaged=True, detail=wanted.detail)]
    printer, told = Printer(columns_of(queries, wanted), wanted, events=events), changes(node, queries)
    said = printer.text(next(told))
    node.domains.by_name("web-1").destroy()
    said += printer.text(next(told))
    assert said.splitlines() == expected


def test_a_change_as_json_is_an_event_of_kubernetes(node: Hypervisor) -> None:
    queries = [Query("VirtualMachine", "default", ("web-1",), unmanaged=True)]
    text = Printer({}, form("json"), events=True).text(next(changes(node, queries)))
    found = json.loads(text)
    assert (found["type"], found["object"]["metadata"]["name"]) == ("ADDED", "web-1")


def test_what_is_watched_by_name_must_be_there(uri: str) -> None:
    done = virtctl("get", "vm", "nosuch", "-w", "--connect", uri)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"virtualmachine/nosuch is not found" in done.stderr


def _watching(uri: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*VIRTCTL, "get", "vm", "--unmanaged", "-w", "--connect", uri],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )


def test_a_watch_writes_at_once_and_ends_with_ctrl_c(uri: str) -> None:
    process = _watching(uri)
    assert process.stdout is not None
    head = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert head.split()[:2] == [b"NAMESPACE", b"NAME"]
    assert (process.returncode, lines(err)) == (130, ["error: interrupted"])
