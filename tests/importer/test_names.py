"""Namespaces, object names and labels."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyser.importer import names
from analyser.importer.resolve import distinct
from tests.importer.estates import domain, guests, imported, nova, tree, uuid, write

if TYPE_CHECKING:
    from pathlib import Path

LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@pytest.mark.parametrize(
    ("project", "namespace"),
    [
        ("web-shop", "web-shop"),
        ("Research Lab", "research-lab"),
        ("a.b_c", "a-b-c"),
        ("kube-system", "project-kube-system"),
        ("default", "project-default"),
        ("kubevmm-system", "project-kubevmm-system"),
        ("infra", "project-infra"),
        ("../../etc", "etc"),
        ("x" * 300, "x" * 63),
    ],
)
def test_a_project_becomes_a_namespace_that_is_nobody_elses(project: str, namespace: str) -> None:
    assert names.project_namespace(project, "0" * 32, "infra") == namespace


def test_a_project_whose_name_says_nothing_goes_by_its_id() -> None:
    assert names.project_namespace("試験", "abc123") == "abc123"
    assert names.project_namespace(None, "abc123") == "abc123"


@given(st.text(), st.text())
def test_any_project_becomes_a_valid_namespace(name: str, project: str) -> None:
    found = names.project_namespace(name, project)
    assert NAMESPACE.fullmatch(found)
    assert not names.RESERVED.fullmatch(found)


@given(st.text())
def test_any_text_becomes_a_valid_label(text: str) -> None:
    assert LABEL.fullmatch(names.label_value(text))


def test_projects_of_one_name_have_namespaces_of_their_own() -> None:
    one, two = "1" * 32, "2" * 32
    assert distinct({"web": {one, two}, "db": {one}}) == {
        ("web", one): "web-11111111",
        ("web", two): "web-22222222",
        ("db", one): "db",
    }


def test_a_project_that_is_called_as_another_is_with_its_suffix_is_kept_apart() -> None:
    one, two = "1" * 32, "2" * 32
    found = distinct({"web": {one, two}, "web-11111111": {two}})
    assert len(set(found.values())) == 3


def test_guests_of_one_name_are_told_apart_by_their_uuids_whatever_the_order(tmp_path: Path) -> None:
    files = {f"node-{n % 3}/vm{n}.xml": domain(n, f"instance-{n}", nova("web", "shop")) for n in range(9)}
    files["node-0/other.xml"] = domain(99, "instance-99", nova("db", "shop"))
    trees = []
    for attempt in range(3):
        shuffled = list(files.items())
        random.Random(attempt).shuffle(shuffled)  # noqa: S311  (an order, not a secret)
        source = write(tmp_path / f"in{attempt}", dict(shuffled))
        imported(source, tmp_path / f"out{attempt}")
        trees.append(tree(tmp_path / f"out{attempt}", reports=False))
    assert trees[0] == trees[1] == trees[2]
    assert set(guests(tmp_path / "out0")) == {"shop/db", *(f"shop/web-{uuid(n)[:8]}" for n in range(9))}


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        "x" * 300,
        "ŁÓDŹ 試験",
        "CON",
        "",
        "web-secrets",
        "kustomization",
        "a&#10;b",
    ],
)
def test_whatever_a_guest_is_called_it_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    source = write(tmp_path / "in", {"node/vm.xml": domain(1, inside=nova(name, "../../x"), name=name or "&#32;")})
    imported(source, tmp_path / "out")
    (found,) = guests(tmp_path / "out")
    assert NAMESPACE.fullmatch(found.partition("/")[0])
    assert {path.name for path in tmp_path.iterdir()} == {"in", "out"}
    top = {"x", ".import", "kustomization.yaml", "namespaces.yaml", "report.json", "report.html"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == top


def test_a_guest_called_as_another_guests_secret_does_not_take_its_file(tmp_path: Path) -> None:
    devices = "<graphics type='vnc' passwd='hidden-word'/>"
    source = write(tmp_path / "in", {"n/a.xml": domain(1, "web", devices=devices), "n/b.xml": domain(2, "web-secrets")})
    imported(source, tmp_path / "out")
    assert set(guests(tmp_path / "out")) == {"default/web", f"default/web-secrets-{uuid(2)[:8]}"}
    assert "hidden-word" in (tmp_path / "out/default/web-secrets.yaml").read_text()
