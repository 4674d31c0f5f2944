"""What of a network changes while it runs: the entries that virNetworkUpdate knows, each a call of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from executor.plan import actions
from executor.plan.live import xml
from executor.plan.merge import path_text

if TYPE_CHECKING:
    from executor.plan.merge import Change, Merged, Path

SECTIONS: Final = {
    ("ips", "dhcp", "hosts"): ("IP_DHCP_HOST", True),
    ("ips", "dhcp", "ranges"): ("IP_DHCP_RANGE", False),
    ("forward", "interfaces"): ("FORWARD_INTERFACE", False),
    ("portgroups",): ("PORTGROUP", True),
    ("dns", "hosts"): ("DNS_HOST", False),
    ("dns", "txtRecords"): ("DNS_TXT", False),
    ("dns", "srvRecords"): ("DNS_SRV", False),
}
"""By the keys of the list: libvirt's section, and whether it modifies an entry; others are taken out and put in."""

_ORDER: Final = ("delete", "modify", "add")


def plan(running: Merged, actual: dict[str, Any]) -> tuple[list[actions.Action], list[Path]]:
    """Return what is done for the changes of the *running* network, *actual* now, and the paths that have to wait."""
    found: list[actions.UpdateNetwork] = []
    waiting: list[Path] = []
    seen: set[Path] = set()
    for change in running.changes:
        entry = _entry(change)
        if entry is None or entry not in running.entries:
            waiting.append(change.path)
        elif entry not in seen:
            seen.add(entry)
            found += _updates(entry, running, actual)
    found.sort(key=lambda update: _ORDER.index(update.command))
    return list(found), waiting


def _entry(change: Change) -> Path | None:
    """Return the path of the entry that *change* is in, if it is one that changes while the network runs."""
    for size in range(2, len(change.path) + 1):
        head = change.path[:size]
        if head[-1].startswith("[") and _keys(head) in SECTIONS:
            return head
    return None


def _keys(path: Path) -> tuple[str, ...]:
    return tuple(step for step in path if not step.startswith("["))


def _updates(path: Path, running: Merged, actual: dict[str, Any]) -> list[actions.UpdateNetwork]:
    section, modifies = SECTIONS[_keys(path)]
    old, new, field = running.entries[path]
    text, parent = path_text(path), _parent(path, running, actual)
    if old is not None and new is not None and modifies:
        return [actions.UpdateNetwork("modify", section, text, xml(new, field), parent)]
    out = []
    if old is not None:
        out.append(actions.UpdateNetwork("delete", section, text, xml(old, field), parent))
    if new is not None:
        out.append(actions.UpdateNetwork("add", section, text, xml(new, field), parent))
    return out


def _parent(path: Path, running: Merged, actual: dict[str, Any]) -> int:
    """Return the place of the ``<ip>`` that *path* is in, -1 for the other sections."""
    if path[0] != "ips":
        return -1
    ip, _, _ = running.entries[path[:2]]
    return next((place for place, each in enumerate(actual.get("ips") or ()) if each is ip), -1)
