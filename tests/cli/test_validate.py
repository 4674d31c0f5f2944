"""`virtctl validate` as a user runs it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.command import EXAMPLES, GUEST, lines, virtctl

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """\
apiVersion: kubevmm.io/v1alpha1
kind: VirtualMachine
metadata:
  name: web-1
spec:
  domain:
    type: kvm
    memory: 4Gi
    vcpu:
      value: 2
"""


def test_what_is_right_prints_nothing_but_a_summary() -> None:
    done = virtctl("validate", "-", stdin=GOOD.encode())
    assert (done.returncode, done.stdout) == (0, b"")
    assert lines(done.stderr) == ["1 document in 1 file: 0 errors"]


def test_each_problem_is_one_line_with_its_place() -> None:
    text = GOOD.replace("memory: 4Gi", "memori: 4Gi").replace("value: 2", "value: two")
    done = virtctl("validate", "-", stdin=text.encode())
    assert done.returncode == 1
    assert lines(done.stdout) == [
        "<stdin>:8:5: spec.domain.memori: unknown key (did you mean memory?)",
        "<stdin>:10:14: spec.domain.vcpu.value: expected an integer, found 'two'",
    ]
    assert lines(done.stderr) == ["1 document in 1 file: 2 errors"]


def test_json_says_the_same_to_programs(tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text(GOOD.replace("memory: 4Gi", "memori: 4Gi"))
    done = virtctl("validate", file, "-o", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == [
        {
            "file": str(file), "line": 8, "column": 5, "path": "spec.domain.memori", "message": "unknown key",
            "hint": "did you mean memory?", "severity": "error",
        }
    ]  # fmt: skip
    assert json.loads(virtctl("validate", GUEST, "-o", "json").stdout) == []


def test_a_warning_alone_is_exit_0() -> None:
    text = GOOD + "    extraXML: <domain><title>x</title></domain>\n"
    done = virtctl("validate", "-", stdin=text.encode())
    assert done.returncode == 0
    assert "warning: holds what the key title is for" in lines(done.stdout)[0]
    assert lines(done.stderr) == ["1 document in 1 file: 0 errors, 1 warning"]


def test_objects_of_others_in_the_same_folder_are_counted_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(GOOD)
    (tmp_path / "all.yaml").write_text(f"apiVersion: v1\nkind: Secret\ndata: 5\n---\n{GOOD}")
    (tmp_path / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [web.yaml]\n"
    )
    done = virtctl("validate", tmp_path)
    assert (done.returncode, done.stdout) == (0, b"")
    assert lines(done.stderr) == ["2 documents in 3 files: 0 errors; 2 other objects skipped"]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_many_files_are_reported_in_their_order(tmp_path: Path, jobs: str) -> None:
    for number in range(200):
        (tmp_path / f"{number:03}.yaml").write_text(GOOD.replace("4Gi", "4Gi" if number % 2 else "a lot"))
    done = virtctl("validate", tmp_path, "-j", jobs)
    assert done.returncode == 1
    places = [line.partition(":")[0] for line in lines(done.stdout)]
    assert places == [str(tmp_path / f"{number:03}.yaml") for number in range(0, 200, 2)]
    assert lines(done.stderr) == ["200 documents in 200 files: 100 errors"]


UNREADABLE = {
    "duplicate key": (GOOD + "    type: qemu\n", ":11:5: the key 'type' is there twice (first on line 7)"),
    "not well-formed": ("<domain>\n  <name>x</nam>\n</domain>", ":2:"),
    "empty": ("", ":1:1: holds no document"),
    "document type": ("<!DOCTYPE x>\n<domain/>", ":1:1: a DOCTYPE is not allowed"),
}


@pytest.mark.parametrize(("text", "said"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_is_one_problem_and_the_others_are_checked(tmp_path: Path, text: str, said: str) -> None:
    ending = "xml" if text.startswith("<") else "yaml"
    (tmp_path / f"a.{ending}").write_text(text)
    (tmp_path / "b.yaml").write_text(GOOD.replace("4Gi", "a lot"))
    done = virtctl("validate", tmp_path)
    assert done.returncode == 1
    found = lines(done.stdout)
    assert len(found) == 2
    assert found[0].startswith(f"{tmp_path}/a.{ending}{said}")
    assert found[1].startswith(f"{tmp_path}/b.yaml:8:13: spec.domain.memory: ")


def test_the_examples_are_right_but_for_the_broken_one() -> None:
    done = virtctl("validate", EXAMPLES)
    assert done.returncode == 1
    assert len(lines(done.stdout)) == 1
    assert "instance-0000000e.xml:84:26: not well-formed" in lines(done.stdout)[0]


def test_what_convert_writes_is_right(tmp_path: Path) -> None:
    virtctl("convert", EXAMPLES, "-o", tmp_path)
    done = virtctl("validate", tmp_path)
    assert (done.returncode, done.stdout) == (0, b"")


def test_nothing_to_validate_is_said(tmp_path: Path) -> None:
    assert lines(virtctl("validate", tmp_path).stderr)[0] == "error: nothing to validate"
