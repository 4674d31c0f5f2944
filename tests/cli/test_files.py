"""`virtctl get -f` and `virtctl describe -f`: the objects that files name, as they are on the node."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from executor.plan.mark import URI
from tests.cli.command import lines, virtctl
from tests.harness.hypervisors import node_uri

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.libvirt

GUEST = """
  <domain type='test'><name>{namespace}_{name}</name><memory>65536</memory><os><type>hvm</type></os>
    <metadata><k:applied xmlns:k='{uri}' namespace='{namespace}' name='{name}' uid='1'><k:object>
      {{"apiVersion": "kubevmm.io/v1alpha1", "kind": "VirtualMachine",
        "metadata": {{"name": "{name}", "namespace": "{namespace}"}}, "spec": {{"runStrategy": "Manual"}}}}
    </k:object></k:applied></metadata></domain>
"""
OBJECT = """\
apiVersion: kubevmm.io/v1alpha1
kind: VirtualMachine
metadata:
  name: {name}
  namespace: {namespace}
spec:
  runStrategy: Manual
  domain:
    type: test
    memory: 64Mi
    os:
      type: {{value: hvm}}
"""


@pytest.fixture
def uri(tmp_path: Path) -> str:
    guests = [("default", "web-1"), ("shop", "web-1"), ("shop", "cart")]
    made = [GUEST.format(uri=URI, namespace=namespace, name=name) for namespace, name in guests]
    return node_uri(tmp_path, f"<node>{''.join(made)}</node>")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder that names two of the three guests, and in a folder below one that is nowhere."""
    folder = tmp_path / "files"
    (folder / "below").mkdir(parents=True)
    named = {"a.yaml": ("default", "web-1"), "b.yaml": ("shop", "cart"), "below/c.yaml": ("shop", "nosuch")}
    for path, (namespace, name) in named.items():
        (folder / path).write_text(OBJECT.format(namespace=namespace, name=name))
    return folder


def test_get_shows_what_files_name_in_the_namespaces_that_they_name(uri: str, files: Path) -> None:
    done = virtctl("get", "-f", files, "-o", "json", "-c", uri)
    assert done.returncode == 0, done.stderr
    found = [(each["metadata"]["namespace"], each["metadata"]["name"]) for each in json.loads(done.stdout)["items"]]
    assert found == [("default", "web-1"), ("shop", "cart")]
    rows = [line.split()[:2] for line in lines(virtctl("get", "-f", files, "-c", uri).stdout) if line]
    assert rows == [
        ["NAMESPACE", "NAME"], ["default", "virtualmachine/web-1"],
        ["NAMESPACE", "NAME"], ["shop", "virtualmachine/cart"],
    ]  # fmt: skip


def test_get_says_which_of_what_files_name_is_not_there(uri: str, files: Path) -> None:
    done = virtctl("get", "-R", "-f", files, "-o", "name", "-c", uri)
    assert (done.returncode, lines(done.stdout)) == (1, ["virtualmachine/web-1", "virtualmachine/cart"])
    assert b"virtualmachine/nosuch is not found in the namespace shop" in done.stderr
    watched = virtctl("get", "-f", files / "below", "-w", "-c", uri)
    assert (watched.returncode, watched.stdout) == (1, b"")


def test_describe_describes_all_that_files_name(uri: str, files: Path) -> None:
    done = virtctl("describe", "-R", "-f", files, "-o", "json", "-c", uri)
    assert done.returncode == 1
    assert [(each["namespace"], each["name"]) for each in json.loads(done.stdout)] == [
        ("default", "web-1"), ("shop", "cart")
    ]  # fmt: skip
    assert b"no virtual machine nosuch in namespace shop" in done.stderr
    one = virtctl("describe", "-f", files / "b.yaml", "-c", uri)
    assert (one.returncode, lines(one.stdout)[:2]) == (0, [f"{'Name:':<18}cart", f"{'Namespace:':<18}shop"])
    names = virtctl("describe", "vm/web-1", "vm/nosuch", "-c", uri)
    assert (names.returncode, lines(names.stdout)[0]) == (1, f"{'Name:':<18}web-1")


@pytest.mark.parametrize(
    "arguments",
    [
        ("get",), ("get", "vm", "-f", "."), ("get", "-f", ".", "-A"), ("get", "-f", ".", "-l", "a=b"),
        ("describe",), ("describe", "web-1", "-f", "."),
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_names_nothing_or_twice_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    done = virtctl(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith((b"error: ", b"Usage: "))
