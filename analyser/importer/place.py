"""What a file's place in a source says: the node that it came from, and how much its word counts."""

from __future__ import annotations

import socket
from enum import IntEnum
from typing import NamedTuple

from analyser.names import object_name

GENERIC = frozenset(
    [
        "etc",
        "var",
        "run",
        "lib",
        "srv",
        "opt",
        "usr",
        "home",
        "mnt",
        "libvirt",
        "nova",
        "instances",
        "qemu",
        "lxc",
        "libxl",
        "xen",
        "bhyve",
        "vz",
        "virsh",
        "dumpxml",
        "dumps",
        "dump",
        "xml",
        "domains",
        "domain",
        "guests",
        "vms",
        "backup",
        "backups",
        "networks",
        "network",
        "net-dumpxml",
        "storage",
        "pools",
        "pool-dumpxml",
        "pool",
        "nwfilter",
        "nwfilters",
        "secrets",
        "secret",
        "snapshot",
        "snapshots",
        "checkpoint",
        "volumes",
        "volume",
        "autostart",
        "rootfs",
        "root",
        "fs",
        "tmp",
        "nodes",
        "hosts",
    ]
)
"""Folders that are no node's name."""


NOVA = "libvirt.xml"
"""How Nova called what it wrote."""


class Rank(IntEnum):
    """How much a definition counts where one guest has several: the lowest on a node is what libvirt would start."""

    CONFIGURATION = 0
    DUMP = 1
    STATE = 2
    NOVA = 3


class Place(NamedTuple):
    """``node`` is a valid node name or None."""

    node: str | None
    rank: Rank


def ignored(parts: tuple[str, ...]) -> bool:
    """Say whether a file is none of ours: below ``etc`` or ``usr`` but not libvirt's or Nova's, or in a cache."""
    folders = parts[:-1]
    for index, part in enumerate(folders):
        below = folders[index + 1 : index + 2]
        if part in ("usr", "etc") and "libvirt" not in folders[index:] and "nova" not in folders[index:]:
            return True
        if part in ("autostart", "cache") or (part == "usr" and below == ("share",)):
            return True
    return False


def place_of(parts: tuple[str, ...], above: tuple[str, ...] = ()) -> Place:
    """Return what the path *parts* below a source, itself at *above*, say."""
    folders = parts[:-1]
    node = _node(folders)
    if node is None:
        node = _node_above(above, folders)
    rank = Rank.DUMP
    if "etc" in folders or (not folders and "etc" in above):
        rank = Rank.CONFIGURATION
    elif "run" in folders or "run" in above[-3:]:
        rank = Rank.STATE
    elif parts[-1] == NOVA:
        rank = Rank.NOVA
    return Place(node, rank)


def _node(folders: tuple[str, ...]) -> str | None:
    """Return the last folder above the first that every node has; None where there is none above."""
    found = None
    for part in folders:
        if part in GENERIC:
            if found is not None:
                break
            continue
        found = part
    if found is None or _is_uuid(found):
        return None
    return object_name(found) or None


def _node_above(above: tuple[str, ...], folders: tuple[str, ...]) -> str | None:
    """Return the node where the source itself is one of a node's folders: ``.../NODE/etc/libvirt/qemu``."""
    whole = (*above, *folders)
    for anchor in (("etc", "libvirt"), ("lib", "nova"), ("nova", "instances"), ("run", "libvirt"), ("lib", "libvirt")):
        for index in range(len(whole) - 1):
            if whole[index : index + 2] == anchor and index < len(above):
                before = [part for part in whole[:index] if part not in GENERIC and part != "/"]
                if before:
                    return object_name(before[-1]) or None
                return object_name(socket.gethostname()) or None
    return None


def _is_uuid(text: str) -> bool:
    return len(text) == 36 and text.count("-") == 4  # noqa: PLR2004  (a UUID's own shape)
