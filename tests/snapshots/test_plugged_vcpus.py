"""Snapshots with the memory of a guest that has vCPUs plugged in: libvirt loses the guest on the way back to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from executor.engine import snapshots
from executor.hypervisor.errors import WrongState
from executor.hypervisor.hypervisor import Hypervisor
from executor.hypervisor.snapshots import Snapshots

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.libvirt

VCPUS = (
    "<vcpu current='2'>2</vcpu><vcpus><vcpu id='0' enabled='yes' hotpluggable='no' order='1'/>"
    "<vcpu id='1' enabled='yes' hotpluggable='{plugged}' order='2'/></vcpus>"
)
CASES = {
    "plugged in, with memory": ("yes", True),
    "there from the start": ("no", False),
}


@pytest.mark.parametrize(("plugged", "refused"), CASES.values(), ids=CASES.keys())
def test_going_back_is_refused_where_it_would_lose_the_guest_unless_it_is_forced(
    tmp_path: Path, plugged: str, refused: bool
) -> None:
    node = tmp_path / "node.xml"
    node.write_text("<node/>")
    with Hypervisor(f"test://{node}") as hypervisor:
        domain = hypervisor.domains.define(
            "<domain type='test'><name>plugged</name><memory>65536</memory>"
            f"{VCPUS.format(plugged=plugged)}<os><type>hvm</type></os></domain>"
        )
        domain.start()
        snapshot = Snapshots(domain).create("<domainsnapshot><name>it</name></domainsnapshot>")
        domain.suspend()
        if not refused:
            snapshots.check(snapshot)
            return
        with pytest.raises(WrongState, match="vCPUs were plugged") as caught:
            snapshots.revert(snapshot)
        assert "--force" in str(caught.value.hint)
        assert domain.state().state == "paused"
        snapshots.revert(snapshot, force=True)
        assert domain.state().state == "running"
