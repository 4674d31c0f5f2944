"""One guest that is defined more than once: which definition counts, and when only a person can tell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from analyser.importer.place import Rank
from analyser.importer.resolve import Definition, choose
from tests.importer.estates import domain, guests, imported, running, write

if TYPE_CHECKING:
    from pathlib import Path


def definition(
    node: str | None, rank: Rank = Rank.CONFIGURATION, *, running: bool = False, sha: str = "a"
) -> Definition:
    return Definition(f"{node}/{rank.name}/{sha}", 0, node, int(rank), int(running), sha)


CONF, DUMP, STATE, NOVA = Rank.CONFIGURATION, Rank.DUMP, Rank.STATE, Rank.NOVA
CASES = [
    (
        "configuration counts before a run-time file",
        [definition("a", STATE, running=True), definition("a", CONF, sha="b")],
        1,
    ),
    ("configuration counts before what Nova wrote", [definition("a", NOVA), definition("a", CONF, sha="b")], 1),
    ("the node where it runs", [definition("a"), definition("b"), definition("b", STATE, running=True)], 1),
    ("the node whose libvirt has it", [definition("a"), definition("b", NOVA)], 0),
    ("equal files are one", [definition("a", sha="x"), definition("a", sha="x")], 0),
    ("two nodes that both have it", [definition("a"), definition("b")], None),
    ("two nodes where it runs", [definition("a", running=True), definition("b", running=True)], None),
    ("two dumps of different nodes", [definition("a", DUMP), definition("b", DUMP)], None),
    ("one node, two different configurations", [definition("a", sha="x"), definition("a", sha="y")], None),
]


@pytest.mark.parametrize(("what", "definitions", "expected"), CASES, ids=[case[0] for case in CASES])
def test_which_definition_counts(what: str, definitions: list[Definition], expected: int | None) -> None:
    del what
    wanted = None if expected is None else definitions[expected]
    assert choose(definitions)[0] == wanted
    assert choose(list(reversed(definitions)))[0] == wanted


def test_a_guest_that_two_nodes_have_is_imported_by_neither(tmp_path: Path) -> None:
    files = {f"{node}/etc/libvirt/qemu/a.xml": domain(1) for node in ("one", "two")}
    files["one/etc/libvirt/qemu/b.xml"] = domain(2)
    report = imported(write(tmp_path / "in", files), tmp_path / "out")
    assert list(guests(tmp_path / "out")) == ["default/vm-2"]
    assert report.failed == 2
    assert "one/etc" in report.failures[0]["message"]
    assert "two/etc" in report.failures[0]["message"]


def test_what_a_migration_left_behind_is_said_and_not_imported(tmp_path: Path) -> None:
    files = {f"{node}/etc/libvirt/qemu/a.xml": domain(1) for node in ("one", "two")}
    files["two/run/libvirt/qemu/a.xml"] = f"<domstatus state='running'>{running(1)}</domstatus>"
    report = imported(write(tmp_path / "in", files), tmp_path / "out")
    assert guests(tmp_path / "out")["default/vm-1"]["spec"]["nodeName"] == "two"
    assert (report.guests, report.failed, report.passed_over) == (1, 0, 2)
    (entry,) = json.loads((tmp_path / "out/report.json").read_text())["guests"]
    assert {"code": "stale-elsewhere", "detail": "one"}.items() <= entry["needsAPerson"][-1].items()


def test_guests_of_one_name_on_one_node_are_both_imported_and_said(tmp_path: Path) -> None:
    files = {f"n/{number}.xml": domain(number, "same") for number in (1, 2)}
    report = imported(write(tmp_path / "in", files), tmp_path / "out")
    assert report.guests == 2
    assert report.person["same-name"] == 2


def test_guests_without_a_uuid_are_known_by_their_names_and_nodes(tmp_path: Path) -> None:
    xml = "<domain type='kvm'><name>web</name></domain>"
    imported(write(tmp_path / "in", {"one/a.xml": xml, "two/a.xml": xml}), tmp_path / "out")
    assert {guest["spec"]["nodeName"] for guest in guests(tmp_path / "out").values()} == {"one", "two"}
