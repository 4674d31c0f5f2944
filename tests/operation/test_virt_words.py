"""What kubectl virt decides and says without asking anybody: run strategies, reasons, differences, its own help."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from executor.cli.cluster import verbs
from executor.cli.cluster.differing import compared, standing
from executor.cli.cluster.power import starting, stopping
from executor.cli.cluster.server import explained
from executor.cli.cluster.why import reasons
from executor.cli.describing import text
from kube.errors import Forbidden, NotFound, Unauthorized, Unreachable
from schemas.errors import KubevmmError
from tests.harness.credentials import kubeconfig
from tests.operation.virt import PLUGIN, ROOT

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = ("aiohttp", "kubernetes", "libvirt", "lxml", "msgspec", "rich", "yaml")
OF_NO_QUESTION = ("kubernetes", "libvirt", "lxml", "prometheus_client", "requests", "rich", "urllib3")


def guest(spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    return {
        "kind": "VirtualMachine",
        "metadata": {"name": "web", "uid": "u-1", "generation": 2, **metadata},
        "spec": spec or {},
        "status": {"nodeName": "n-1", "observedGeneration": 2, **(status or {})},
    }


STRATEGIES = [
    # run strategy, status: what start sets, what stop sets
    ({"runStrategy": "Halted"}, "Stopped", "Always", ""),
    ({"runStrategy": "Halted"}, "Stopping", "Always", ""),
    ({"runStrategy": "Manual"}, "Stopped", "Always", ""),
    ({"runStrategy": "Manual"}, "Running", "", "Halted"),
    ({}, "Stopped", "Always", ""),
    ({"runStrategy": "Always"}, "Running", "", "Halted"),
    ({"runStrategy": "Always"}, "CrashLoopBackOff", "", "Halted"),
    ({"runStrategy": "Always"}, "Stopped", "", "Halted"),
    ({"runStrategy": "RerunOnFailure"}, "Running", "", "Halted"),
    ({"runStrategy": "RerunOnFailure"}, "Stopped", "Always", ""),
    ({"runStrategy": "Once"}, "Stopped", "Always", ""),
    ({"running": True}, "Running", "", "Halted"),
    ({"running": False}, "Stopped", "Always", ""),
]


@pytest.mark.parametrize(("spec", "word", "started", "stopped"), STRATEGIES)
def test_start_and_stop_set_the_run_strategy_where_that_changes_anything(
    spec: dict[str, Any], word: str, started: str, stopped: str
) -> None:
    found = guest(spec, {"printableStatus": word})
    assert (starting(found).wanted, stopping(found).wanted) == (started, stopped)
    assert starting(found).said.startswith("unchanged") is not bool(started)
    assert stopping(found).said.startswith("unchanged") is not bool(stopped)


@pytest.mark.parametrize(
    ("spec", "patch"),
    [
        ({"runStrategy": "Halted"}, {"runStrategy": "Always"}),
        ({}, {"runStrategy": "Always"}),
        ({"running": False}, {"running": True}),
    ],
)
def test_a_guest_is_patched_in_the_words_of_its_own_spec(spec: dict[str, Any], patch: dict[str, Any]) -> None:
    found = guest(spec, {"printableStatus": "Stopped"})
    assert starting(found).patch(found) == {"metadata": {"uid": "u-1"}, "spec": patch}


def test_what_is_being_deleted_is_not_started() -> None:
    with pytest.raises(KubevmmError, match="is being deleted"):
        starting(guest({"runStrategy": "Halted"}, deletionTimestamp="2026-01-01T00:00:00Z"))


def _condition(kind: str, status: str, reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


READY = {"metadata": {"name": "n-1"}, "status": {"conditions": [_condition("Ready", "True")]}}
REASONS = [
    (guest(status={"printableStatus": "Running"}), READY, []),
    (
        guest(status={"nodeName": None, "conditions": [_condition("Scheduled", "False", "NoNode", "set it")]}),
        None,
        ["it has no node yet: NoNode: set it"],
    ),
    (
        guest(status={"printableStatus": "Running"}),
        None,
        ["no executor has told of the node n-1: is kubevmm-executor running there?"],
    ),
    (
        guest(status={"printableStatus": "Running"}),
        {"status": {"conditions": [_condition("Ready", "False", "LibvirtDown", "libvirt does not answer")]}},
        ["the node n-1 is not ready: libvirt does not answer"],
    ),
    (
        guest(status={"observedGeneration": 1, "printableStatus": "Running"}),
        READY,
        ["its node has not acted on generation 2 yet, but on 1"],
    ),
    (
        guest(status={"conditions": [_condition("Synchronized", "False", "StartFailed", "no KVM")]}),
        READY,
        ["StartFailed: no KVM"],
    ),
    (
        guest({"runStrategy": "Halted"}, {"printableStatus": "Stopped"}),
        READY,
        ["its runStrategy is Halted: `kubectl virt start web` lets it run"],
    ),
    (
        guest(
            {"runStrategy": "Always"},
            {"printableStatus": "CrashLoopBackOff", "conditions": [_condition("Ready", "False", "", "ended 3 times")]},
        ),
        READY,
        ["CrashLoopBackOff: ended 3 times"],
    ),
    (
        guest(status={"restartRequired": True, "pendingChanges": ["memory"], "drift": ["title"]}),
        READY,
        [
            "these wait for its next start: memory",
            "somebody changed it behind our back, and driftPolicy leaves that: title",
        ],
    ),
]


@pytest.mark.parametrize(("found", "node", "expected"), REASONS)
def test_why_a_guest_is_not_as_it_should_be_is_a_sentence(
    found: dict[str, Any], node: dict[str, Any] | None, expected: list[str]
) -> None:
    assert list(reasons(found, node)) == expected


STANDING = [
    (guest(), []),
    (guest(status={"observedGeneration": 1}), ["its node has not acted on generation 2 yet, but on 1"]),
    (
        guest(status={"conditions": [_condition("Synchronized", "False", "Refused", "another has its UUID")]}),
        ["its node n-1 does not have it so: Refused: another has its UUID"],
    ),
    (
        guest(status={"restartRequired": True, "pendingChanges": ["memory", "vcpu"]}),
        ["memory: waits for the guest's next start", "vcpu: waits for the guest's next start"],
    ),
    (guest(status={"drift": ["title"]}), ["title: somebody changed the guest"]),
    (
        {
            "kind": "VirtualMachineNetwork",
            "status": {
                "nodes": [
                    {"nodeName": "a", "state": "Active"},
                    {"nodeName": "b", "state": "Failed", "message": "no bridge"},
                ]
            },
        },
        ["the node b does not have it so: no bridge"],
    ),
]


@pytest.mark.parametrize(("found", "expected"), STANDING)
def test_where_a_node_is_not_what_an_object_says(found: dict[str, Any], expected: list[str]) -> None:
    assert list(standing(found)) == expected


COMPARED = [
    ({"runStrategy": "Always"}, {"runStrategy": "Always"}, []),
    ({"domain": {"memory": "4Gi"}}, {"domain": {"memory": "4096Mi"}}, []),
    ({"domain": {"memory": "4Gi"}}, {"domain": {"memory": "5Gi"}}, ["spec.domain.memory"]),
    ({"runStrategy": "Always"}, {"runStrategy": "Halted"}, ["spec.runStrategy"]),
    ({"nodeName": "a"}, {}, ["spec.nodeName"]),
    (
        {"domain": {"devices": {"interfaces": [{"type": "network", "source": {"networkRef": {"name": "a"}}}]}}},
        {"domain": {"devices": {"interfaces": [{"type": "network", "source": {"networkRef": {"name": "b"}}}]}}},
        ["spec.domain.devices.interfaces[0].source.networkRef.name"],
    ),
]


@pytest.mark.parametrize(("found", "wanted", "paths"), COMPARED)
def test_a_file_is_compared_by_what_it_means(found: dict[str, Any], wanted: dict[str, Any], paths: list[str]) -> None:
    assert [each.path for each in compared(guest(found), guest(wanted))] == paths


def test_labels_that_the_file_does_not_name_are_no_difference() -> None:
    found = guest(labels={"app": "web", "team": "a"}, annotations={"x": "y"})
    assert compared(found, guest(labels={"app": "web"})) == []
    assert [str(each) for each in compared(found, guest(labels={"app": "shop"}))] == [
        "metadata.labels.app: web -> shop"
    ]


ERRORS = [
    (Unreachable("GET /a: refused"), "the API server URL does not answer: refused", "kubectl cluster-info"),
    (Unauthorized("Unauthorized"), "the API server URL does not take the kubeconfig's credentials", "log in"),
    (Forbidden("x is forbidden"), "x is forbidden", "kubevmm-view"),
    (
        NotFound("404 page not found"),
        "the API server URL does not know this kind of objects",
        "kubectl apply -f yamls/",
    ),
]


@pytest.mark.parametrize(("error", "text", "hint"), ERRORS)
def test_an_error_says_what_to_do(error: Any, text: str, hint: str) -> None:
    found = explained(error, "URL")
    assert str(found) == text
    assert hint in str(found.hint)


OWN = sorted(verbs.OWN)


@pytest.mark.parametrize("name", OWN)
def test_help_of_every_verb_has_examples_and_loads_nothing_heavy(name: str) -> None:
    script = (
        f"import sys; sys.argv = ['kubectl-virt', '{name}', '--help']\n"
        "from executor.cli.cluster.app import main\n"
        "try: main()\n"
        f"except SystemExit: print('HEAVY', [each for each in {HEAVY} if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"
    assert done.stdout.startswith(f"Usage: kubectl virt {name} ")
    assert f"kubectl virt {name}" in done.stdout.partition("Examples:")[2]


def test_get_loads_what_it_takes_to_ask_and_no_more(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(json.dumps(kubeconfig(url="http://127.0.0.1:9", token="t", ca=b"")))  # noqa: S106  (nobody's)
    script = (
        "import sys; sys.argv = ['kubectl-virt', 'get', 'vm']\n"
        "from executor.cli.cluster.app import main\n"
        "try: main()\n"
        f"except SystemExit: print('HEAVY', [each for each in {OF_NO_QUESTION} if each in sys.modules])"
    )
    environment = {**os.environ, "KUBECONFIG": str(config)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, env=environment, check=True
    )
    assert "http://127.0.0.1:9 does not answer" in done.stderr
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_the_page_of_the_docs_and_the_help_name_every_verb_and_option() -> None:
    page = (ROOT / "docs" / "kubectl-virt.md").read_text(encoding="utf-8")
    done = subprocess.run([*PLUGIN, "--help"], capture_output=True, text=True, cwd=ROOT, check=True)
    shown = [name for names in verbs.SECTIONS.values() for name in names]
    assert [name for name in shown if f"  {name} " not in done.stdout] == []
    assert [name for name in shown if f"`{name}" not in page] == []
    assert [name for name in (*verbs.ON_NODE, *verbs.OTHERWISE) if f"`{name}`" not in page] == []
    options = [
        option
        for name in OWN
        for each in verbs.on_cluster(name).params
        for option in each.opts
        if option.startswith("--") and option != "--help"
    ]
    assert sorted({option for option in options if f"`{option}" not in page}) == []


def test_a_long_word_of_a_description_does_not_run_into_what_it_says() -> None:
    lines = list(text(guest(status={"observedGeneration": 7})))
    assert "Observed generation: 7" in lines
    assert "Name:             web" in lines
