"""Any number of different guests out of a few: the examples', with other names, identifiers and addresses."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
OPENSTACK = ROOT / "examples" / "openstack" / "nodes"

PROJECTS = 200
"""How many projects an estate has: guests share them, as they share images and flavors."""

# What differs from guest to guest on disk. Other lines stay, and are shared, as in a real estate.
_DIFFERENT = re.compile(
    r"(?P<uuid>\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b)"
    r"|(?P<mac>\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b)"
    r"|(?P<instance>\binstance-[0-9a-f]{8}\b)"
    r"|(?P<guest>(?<=<name>)[a-z]+-[a-z]+(?=</name>))"
    r"|(?P<port>\b(?:tap|vhu|qvo)[0-9a-f]{8}-[0-9a-f]{2}\b)"
    r"|<nova:name>(?P<name>[^<]*)</nova:name>"
    r"|<nova:creationTime>(?P<time>[^<]*)</nova:creationTime>"
    r'|(?P<project><nova:project uuid=")[0-9a-f]{32}(?P<said>">[^<]*)'
    r"|address=\"(?P<ip>10\.[0-9.]*)\""
)
_KEPT = re.compile(r"<secret type='[a-z]+' uuid='([0-9a-f-]{36})'/>")


def templates(*folders: Path) -> list[str]:
    """Return the whole domain files in *folders*: those that libvirt could have left on disk."""
    found = []
    for path in sorted(path for folder in folders for path in folder.rglob("*.xml")):
        try:
            root = etree.parse(path).getroot()
        except etree.XMLSyntaxError:
            continue
        if root.tag == "domain":
            found.append(path.read_text())
    return found


def varied(template: str, number: int) -> str:
    """Return *template* as guest *number*: the same number makes the same guest."""
    kept = set(_KEPT.findall(template))

    def other(match: re.Match[str]) -> str:
        kind = match.lastgroup
        text = match[0]
        if kind == "uuid":
            return text if text in kept else _uuid(f"{number} {text}")
        digits = hashlib.blake2b(f"{number} {text}".encode(), digest_size=8).hexdigest()
        if kind == "mac":
            return f"{text[:9]}{digits[:2]}:{digits[2:4]}:{digits[4:6]}"
        if kind == "instance":
            return f"instance-{number:08x}"
        if kind == "guest":
            return f"{text}-{number}"
        if kind == "port":
            return f"{text[:3]}{digits[:8]}-{digits[8:10]}"
        if kind == "name":
            return f"<nova:name>{match['name']}-{number}</nova:name>"
        if kind == "time":
            time = f"{match['time'][:11]}{number % 24:02}:{number % 60:02}:{number % 59:02}"
            return f"<nova:creationTime>{time}</nova:creationTime>"
        if kind == "said":
            project = number % PROJECTS
            return f'{match["project"]}{_uuid(f"project {project}").replace("-", "")}">project-{project}'
        return f'address="10.{number >> 14 & 255}.{number >> 7 & 127}.{number & 127}"'

    return _DIFFERENT.sub(other, template)


def _uuid(text: str) -> str:
    digits = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def guests(count: int, *folders: Path) -> Iterator[str]:
    """Yield *count* different guests, made from the domains in *folders*; by default, the OpenStack example's."""
    known = templates(*(folders or (OPENSTACK,)))
    for number in range(1, count + 1):
        yield varied(known[number % len(known)], number)
