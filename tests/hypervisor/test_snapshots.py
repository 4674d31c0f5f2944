"""Snapshots: made, listed with their parents, gone back to, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from executor.hypervisor.domain import State
from executor.hypervisor.errors import NotFound
from executor.hypervisor.snapshots import Making, Snapshots

if TYPE_CHECKING:
    from executor.hypervisor.hypervisor import Hypervisor

pytestmark = pytest.mark.libvirt


def test_snapshots_form_a_tree(pretence: Hypervisor) -> None:
    snapshots = Snapshots(pretence.domains.by_name("runs"))
    assert snapshots.current() is None
    first = snapshots.create("<domainsnapshot><name>first</name></domainsnapshot>")
    snapshots.create("<domainsnapshot><name>second</name></domainsnapshot>", Making.ATOMIC)
    assert [each.name for each in snapshots.all()] == ["first", "second"]
    assert first.parent() is None
    parent = snapshots.by_name("second").parent()
    assert parent is not None
    assert parent.name == "first"
    current = snapshots.current()
    assert current is not None
    assert current.name == "second"
    assert current.is_current()
    assert "<name>second</name>" in current.xml()


def test_a_domain_goes_back_to_a_snapshot(pretence: Hypervisor) -> None:
    domain = pretence.domains.by_name("runs")
    snapshot = Snapshots(domain).create("<domainsnapshot><name>ran</name></domainsnapshot>")
    domain.destroy()
    snapshot.revert()
    assert domain.state().state is State.RUNNING
    snapshot.revert(running=False)
    assert domain.state().state is State.PAUSED


def test_a_snapshot_is_deleted_with_all_after_it(pretence: Hypervisor) -> None:
    snapshots = Snapshots(pretence.domains.by_name("runs"))
    for name in ("a", "b", "c"):
        snapshots.create(f"<domainsnapshot><name>{name}</name></domainsnapshot>")
    snapshots.by_name("b").delete(children=True)
    assert [each.name for each in snapshots.all()] == ["a"]
    with pytest.raises(NotFound):
        snapshots.by_name("b")
