"""The folder that `kubectl apply -f yamls/` and `-k` take: the same objects, in an order that works, from one image."""

from __future__ import annotations

import functools
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.pods import SCHEDULER
from tests.harness.build import required
from tests.harness.controlplane import ControlPlane

ROOT = Path(__file__).parents[2]
YAMLS = ROOT / "yamls"
FILES = sorted(YAMLS.glob("*.yaml"))


@functools.cache
def objects() -> list[dict[str, Any]]:
    return [each for file in FILES for each in read(file.read_text(encoding="utf-8"))]


def read(text: str) -> list[dict[str, Any]]:
    # The loader in C: the CRDs are large.
    return list(yaml.load_all(text, Loader=yaml.CSafeLoader))


def identity(each: dict[str, Any]) -> tuple[str, str]:
    return each["kind"], each["metadata"]["name"]


def test_kustomize_makes_the_same_objects_as_the_folder(control_plane: ControlPlane) -> None:
    text = control_plane.kubectl("kustomize", str(YAMLS)).stdout
    assert sorted(map(identity, read(text))) == sorted(map(identity, objects()))


def test_kubectl_reads_no_file_that_is_no_object() -> None:
    assert [path.name for path in sorted(YAMLS.iterdir()) if path.suffix != ".yaml"] == ["Kustomization"]


@pytest.mark.parametrize("how", [[], ["--server-side"]], ids=["client-side", "server-side"])
def test_an_empty_cluster_takes_the_folder_in_one_go(cluster_binaries: Path, how: list[str]) -> None:
    with ControlPlane(binaries=cluster_binaries) as empty:
        lines = empty.kubectl("apply", "-f", str(YAMLS), *how).stdout.splitlines()
        assert len(lines) == len(objects())
        again = empty.kubectl("diff", "-f", str(YAMLS), *how, check=False)
        assert (again.returncode, again.stdout) == (0, "")


def test_all_our_containers_run_this_versions_image() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    images = {
        container["image"]
        for each in objects()
        if each["kind"] in ("Deployment", "DaemonSet")
        for container in each["spec"]["template"]["spec"]["containers"]
    }
    assert images == {
        f"localhost/kubevmm:{version}",
        f"registry.k8s.io/kube-scheduler:{required('k8s.io/kubernetes')}",
    }


def test_what_names_something_of_ours_names_something_that_is_there() -> None:
    there = set(map(identity, objects()))
    for each in objects():
        if each["kind"] in ("RoleBinding", "ClusterRoleBinding"):
            accounts = {("ServiceAccount", subject["name"]) for subject in each["subjects"]}
            assert accounts <= there
        if each["kind"] in ("Deployment", "DaemonSet"):
            spec = each["spec"]["template"]["spec"]
            assert ("ServiceAccount", spec["serviceAccountName"]) in there
            assert ("PriorityClass", spec["priorityClassName"]) in there
        if each["kind"] in ("Service", "PodDisruptionBudget"):
            selector = each["spec"]["selector"]
            labels = selector.get("matchLabels", selector)
            assert any(_pods(workload).items() >= labels.items() for workload in objects())


def _pods(workload: dict[str, Any]) -> dict[str, str]:
    labels: dict[str, str] = workload.get("spec", {}).get("template", {}).get("metadata", {}).get("labels", {})
    return labels


def test_the_second_scheduler_is_the_one_that_placement_pods_ask_for() -> None:
    (configuration,) = [each for each in objects() if identity(each) == ("ConfigMap", "kubevmm-scheduler")]
    names = re.findall(r"schedulerName: (\S+)", json.dumps(configuration["data"]).replace("\\n", " "))
    assert names == [SCHEDULER]


def test_no_policy_is_checked_against_the_types_of_our_kinds() -> None:
    # kube-controller-manager does that for each version that a policy names, and would be busy with it for minutes.
    policies = [each for each in objects() if each["kind"] == "ValidatingAdmissionPolicy"]
    assert policies
    for each in policies:
        for rule in each["spec"]["matchConstraints"]["resourceRules"]:
            assert rule["apiVersions"] == ["*"], identity(each)
