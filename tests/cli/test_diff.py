"""`virtctl diff`: how a difference is shown, a line for each value and no secret in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from executor.cli.diff import values
from tests.cli.command import lines, virtctl
from tests.engine.objects import vm

if TYPE_CHECKING:
    from pathlib import Path

DISK = {"type": "file", "source": {"file": "/a\tb"}, "target": {"dev": "vdb"}, "boot": {"order": 1}, "readonly": {}}
SHOWN: dict[str, tuple[str, Any, Any, list[str]]] = {
    "a text": ("title", "Shop", "Store", ["- Shop", "+ Store"]),
    "a number and a boolean": ("vcpu.value", 2, True, ["- 2", "+ true"]),
    "what is new, as YAML": (
        "devices.disks[vdb]", None, DISK,
        ["+ type: file", "+ source:", '+   file: "/a\\tb"', "+ target:", "+   dev: vdb", "+ boot:", "+   order: 1",
         "+ readonly: {}"],
    ),
    "what is empty": ("features.acpi", None, {}, ["+ {}"]),
    "a list": ("cpus", ["a", {"b": 1}], None, ["- - a", "- - b: 1"]),
    "of two long ones, what differs": (
        "description", "one\ntwo\nthree\nfour\nfive", "one\ntwo\n3\nfour\nfive", ["  two", "- three", "+ 3", "  four"]
    ),
    "a password": ("graphics[vnc].passwd", "hunter2", "hunter3", ["- (secret)", "+ (secret)"]),
    "a password in something": ("graphics[vnc]", None, {"passwd": "hunter2"}, ['+ passwd: "(secret)"']),
    "a Secret's value anywhere": ("description", None, {"any": "of-a-secret"}, ['+ any: "(secret)"']),
    "a terminal's codes": ("title", None, "\x1b[31mred", ["+ ?[31mred"]),
}  # fmt: skip


@pytest.mark.parametrize(("path", "actual", "desired", "expected"), SHOWN.values(), ids=SHOWN.keys())
def test_each_value_is_a_line(
    capsys: pytest.CaptureFixture[str], path: str, actual: Any, desired: Any, expected: list[str]
) -> None:
    values(path, actual, desired, {"of-a-secret"})
    assert capsys.readouterr().out.splitlines() == [f"  {line}" for line in expected]


@pytest.mark.libvirt
def test_what_is_not_there_yet_is_a_difference(tmp_path: Path) -> None:
    path = tmp_path / "object.yaml"
    path.write_text(vm("web-9"))
    done = virtctl("diff", "-f", path, "--connect", "test:///default")
    assert (done.returncode, lines(done.stdout)) == (1, ["  + virtualmachine/web-9: is not there yet"])


@pytest.mark.libvirt
def test_only_what_has_the_labels_is_compared(tmp_path: Path) -> None:
    path = tmp_path / "objects.yaml"
    path.write_text(
        "---\n".join([vm("web-8", metadata="labels: {app: db}"), vm("web-9", metadata="labels: {app: web}")])
    )
    done = virtctl("diff", "-f", path, "-l", "app=web", "--connect", "test:///default")
    assert lines(done.stdout) == ["  + virtualmachine/web-9: is not there yet"]
