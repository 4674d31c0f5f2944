"""Hypervisors for tests: a pretended node, which is a file for libvirt's test driver, and a real one left empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from executor.hypervisor.hypervisor import Hypervisor

NODE = """
<node>
  <domain type='test'><name>runs</name><uuid>11111111-1111-4111-8111-111111111111</uuid><memory>65536</memory>
    <os><type>hvm</type></os></domain>
  <pool type='dir'><name>images</name><target><path>/images</path></target></pool>
  <network><name>inner</name><bridge name='virbr7'/><ip address='192.0.2.1' netmask='255.255.255.0'/></network>
</node>
"""
"""A node with a guest that runs, a pool and a network."""


def node_uri(folder: Path, node: str = NODE) -> str:
    """Return the URI of a node that is *node*, in a file of its own in *folder*."""
    path = folder / "node.xml"
    path.write_text(node, encoding="utf-8")
    return f"test://{path}"


def cleared(hypervisor: Hypervisor) -> None:
    """End and undefine all guests."""
    for domain in hypervisor.domains.all():
        if domain.active:
            domain.destroy()
        domain.undefine()
