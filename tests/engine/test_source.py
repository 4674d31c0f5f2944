"""Files are read and checked as a whole, and every problem says where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from executor.engine import source
from executor.engine.objects import Ref
from executor.engine.source import InvalidInput
from schemas.errors import KubevmmError
from tests.engine.objects import vm

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WRONG = {
    "an unknown key": (vm(domain="titel: Web"), "objects.yaml:10:5: spec.domain.titel: "),
    "a wrong value": (vm(spec="runStrategy: Sometimes"), "objects.yaml:6:16: spec.runStrategy: "),
    "no name": (vm().replace("  name: web-1\n", "  labels: {a: b}\n"), "objects.yaml:3:1: metadata.name: missing"),
    "a name that a server would make up": (vm().replace("  name: web-1", "  generateName: web-"), "without a name"),
    "one object twice": (vm() + "---\n" + vm(), "declared more than once"),
    "a Secret that is not base64": (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\ndata: {vnc: '?'}\n",
        "Secret keys: data.vnc is not base64",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_its_place(write: Callable[..., str], case: str) -> None:
    text, message = WRONG[case]
    with pytest.raises(InvalidInput) as raised:
        source.read([write(text)])
    assert any(message in problem for problem in raised.value.problems)


def test_a_folder_is_searched_to_the_bottom_only_when_asked(write: Callable[..., str], tmp_path: Path) -> None:
    write(vm("top"), "top.yaml")
    write(vm("below"), "sub/below.yaml")
    folder = str(tmp_path / "input")
    assert [each.ref.name for each in source.read([folder]).objects] == ["top"]
    assert sorted(each.ref.name for each in source.read([folder], recursive=True).objects) == ["below", "top"]


def test_the_namespace_is_given_to_what_has_none(write: Callable[..., str]) -> None:
    (declared,) = source.read([write(vm())], namespace="shop").objects
    assert declared.ref == Ref("VirtualMachine", "shop", "web-1")


def test_another_namespace_than_the_objects_own_is_an_error(write: Callable[..., str]) -> None:
    with pytest.raises(InvalidInput, match="in the namespace shop, not default"):
        source.read([write(vm(metadata="namespace: shop"))], namespace="default")


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KubevmmError, match="no file"):
        source.read([str(tmp_path)])


def test_libvirts_own_xml_is_an_object_too(write: Callable[..., str]) -> None:
    (declared,) = source.read([write("<domain type='test'><name>x</name></domain>", "x.xml")]).objects
    assert declared.ref == Ref("VirtualMachine", "default", "x")


def test_other_objects_are_counted_and_left_out(write: Callable[..., str]) -> None:
    found = source.read([write(vm() + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n")])
    assert (len(found.objects), found.skipped) == (1, 1)


def test_secrets_show_in_no_representation(write: Callable[..., str]) -> None:
    found = source.read([write("apiVersion: v1\nkind: Secret\nmetadata: {name: k}\ndata: {a: aHVzaA==}\n")])
    assert found.secrets == {("default", "k", "a"): "hush"}
    assert "hush" not in repr(found)
