"""`virtctl wait`: kubectl's conditions, met, not met in time, and met by what happens meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import typer

from executor.cli.jsonpath import JsonPathError
from executor.cli.waiting import Waiting, condition, is_settled, settled
from executor.engine.listing import Query
from executor.engine.objects import Ref
from executor.hypervisor.hypervisor import Hypervisor
from tests.cli.command import lines, virtctl
from tests.engine.objects import vm
from tests.harness.hypervisors import node_uri

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.libvirt

OBJECT = {
    "metadata": {"name": "web-1"},
    "status": {
        "printableStatus": "Running",
        "vcpus": 2,
        "interfaces": [{"ipAddress": "192.0.2.1"}, {"ipAddress": "192.0.2.2"}],
        "conditions": [{"type": "Ready", "status": "True", "reason": "Running"}],
    },
}

HOLDS = {
    "condition=Ready": True,
    "condition=ready=true": True,
    "Condition=Ready=False": False,
    "condition=Nosuch": False,
    "jsonpath={.status.printableStatus}=Running": True,
    "jsonpath={.status.printableStatus}=Stopped": False,
    "jsonpath=.status.printableStatus=Running": True,
    "jsonpath={.status.vcpus}=2": True,
    "jsonpath={.status.interfaces[0].ipAddress}": True,
    "jsonpath={.status.interfaces[*].ipAddress}=192.0.2.1": False,
    "jsonpath={.status.nosuch}": False,
    'jsonpath={.status.conditions[?(@.type=="Ready")].status}=True': True,
    "create": True,
}


@pytest.mark.parametrize(("text", "expected"), HOLDS.items())
def test_a_condition_is_kubectls(text: str, expected: bool) -> None:
    assert condition(text).holds(OBJECT) is expected


@pytest.mark.parametrize(
    "text", ["", "Ready", "condition", "condition=", "jsonpath=", "jsonpath={.a}=", "jsonpath={.a}b", "jsonpath={.a"]
)
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises((typer.BadParameter, JsonPathError)):
        condition(text)


NODE = """
<node>
  <domain type='test'><name>one</name><memory>65536</memory><os><type>hvm</type></os></domain>
  <domain type='test'><name>two</name><memory>65536</memory><os><type>hvm</type></os></domain>
</node>
"""


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return node_uri(tmp_path, NODE)


@pytest.fixture
def node(uri: str) -> Iterator[Hypervisor]:
    with Hypervisor(uri) as hypervisor:
        yield hypervisor


NEW = "<domain type='test'><name>new</name><memory>1</memory><os><type>hvm</type></os></domain>"
ONE, TWO = (Ref("VirtualMachine", "default", name) for name in ("one", "two"))
BOTH = Query("VirtualMachine", "default", ("one", "two"), unmanaged=True)

STEPS = {
    "stopped": ("jsonpath={.status.printableStatus}=Stopped", lambda domain: domain.destroy()),
    "deleted": ("delete", lambda domain: (domain.destroy(), domain.undefine())),
}


@pytest.mark.parametrize("step", STEPS)
def test_what_happens_while_it_waits_is_seen(node: Hypervisor, step: str) -> None:
    text, act = STEPS[step]
    act(node.domains.by_name("one"))
    said = []

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 1:
            act(node.domains.by_name("two"))

    assert Waiting(condition(text), [ONE, TWO], say).run(node, [BOTH], timeout=60) == 0
    assert said == ["virtualmachine/one condition met", "virtualmachine/two condition met"]


def test_what_comes_while_it_waits_is_seen(node: Hypervisor) -> None:
    new = Ref("VirtualMachine", "default", "new")
    said = []

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 1:
            node.domains.define(
                "<domain type='test'><name>new</name><memory>1</memory><os><type>hvm</type></os></domain>"
            )

    query = Query("VirtualMachine", "default", ("one", "new"), unmanaged=True)
    assert Waiting(condition("create"), [ONE, new], say).run(node, [query], timeout=60) == 0
    assert said == ["virtualmachine/one condition met", "virtualmachine/new condition met"]


@pytest.mark.parametrize("words", [["one"], ["vm", "one"], ["vm/one"], ["virtualmachine/one"], ["vms", "one", "two"]])
def test_guests_are_named_as_everywhere(uri: str, words: list[str]) -> None:
    done = virtctl("wait", *words, "--for=condition=Ready", "--connect", uri)
    assert (done.returncode, lines(done.stdout)[0]) == (0, "virtualmachine/one condition met")


FAILS = {
    "not in time": (["one", "--for=condition=Ready=false", "--timeout=0"], "Ready is True (Running)"),
    "not there": (["vm/nosuch", "--for=condition=Ready"], "is not found in the namespace default"),
    "nothing of the kind": (["vm", "--all", "--for=condition=Ready"], "nothing matches"),
    "never comes": (["vm/nosuch", "--for=create", "--timeout=0"], "it is not there"),
    "never goes": (["vm/one", "--for=delete", "--timeout=0"], "it is there still"),
}


@pytest.mark.parametrize(("arguments", "said"), FAILS.values(), ids=FAILS.keys())
def test_what_is_not_so_in_time_is_exit_1_and_says_how_it_is(uri: str, arguments: list[str], said: str) -> None:
    done = virtctl("wait", *arguments, "--connect", uri)
    assert (done.returncode, done.stdout) == (1, b"")
    assert said in done.stderr.decode()


USAGE = {
    "nothing named": ["--for=delete"],
    "a kind alone": ["vmnet", "--for=delete"],
    "no kind": ["nosuch/one", "--for=delete"],
    "a name and all": ["vm", "one", "--all", "--for=delete"],
    "a name in all namespaces": ["vm", "one", "-A", "--for=delete"],
    "no condition": ["one"],
    "another condition": ["one", "--for=Ready"],
    "no time": ["one", "--for=delete", "--timeout=soon"],
}


@pytest.mark.parametrize("arguments", USAGE.values(), ids=USAGE.keys())
def test_a_mistake_in_usage_is_exit_2(uri: str, arguments: list[str]) -> None:
    assert virtctl("wait", *arguments, "--connect", uri).returncode == 2


def test_files_name_what_is_waited_for(tmp_path: Path, uri: str) -> None:
    path = tmp_path / "objects.yaml"
    path.write_text(vm("web-1", metadata="namespace: shop"))
    done = virtctl("wait", "-f", path, "--for=delete", "--connect", uri)
    assert (done.returncode, lines(done.stdout)) == (0, ["virtualmachine/web-1 condition met"])


SETTLED = {
    "Always": ("VirtualMachine", {"runStrategy": "Always"}, "Running"),
    "RerunOnFailure": ("VirtualMachine", {"runStrategy": "RerunOnFailure"}, "Running"),
    "Halted": ("VirtualMachine", {"runStrategy": "Halted"}, "Stopped"),
    "running": ("VirtualMachine", {"running": False}, "Stopped"),
}


@pytest.mark.parametrize(("kind", "spec", "word"), SETTLED.values(), ids=SETTLED.keys())
def test_a_guest_is_settled_when_it_is_as_its_run_strategy_says(kind: str, spec: dict[str, object], word: str) -> None:
    words = ("Running", "Stopped", "Stopping", "Paused")
    assert [
        each for each in words if is_settled({"kind": kind, "spec": spec, "status": {"printableStatus": each}})
    ] == [word]


def test_a_guest_that_people_start_and_stop_is_always_settled() -> None:
    assert is_settled({"kind": "VirtualMachine", "spec": {"runStrategy": "Manual"}, "status": {}})


def test_a_pool_is_settled_when_it_is_ready_or_need_not_be() -> None:
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    assert is_settled({"kind": "VirtualMachineStoragePool", "spec": {}, "status": ready})
    assert not is_settled({"kind": "VirtualMachineStoragePool", "spec": {}, "status": {}})
    assert is_settled({"kind": "VirtualMachineStoragePool", "spec": {"active": False}, "status": {}})


def test_what_is_not_settled_in_time_is_named(node: Hypervisor, capsys: pytest.CaptureFixture[str]) -> None:
    assert settled(node, [Ref("VirtualMachine", "default", "nosuch")], timeout=0) == 1
    assert "virtualmachine/nosuch is not found" in capsys.readouterr().err
    assert settled(node, [], timeout=0) == 0


def test_apply_waits_for_what_it_applied(tmp_path: Path, uri: str) -> None:
    path = tmp_path / "objects.yaml"
    path.write_text(vm("web-1", spec="runStrategy: Always"))
    done = virtctl("apply", "-f", path, "--wait", "--connect", uri, env={"KUBEVMM_STATE": str(tmp_path / "state")})
    assert (done.returncode, lines(done.stdout)) == (0, ["virtualmachine/web-1 created"]), done.stderr
