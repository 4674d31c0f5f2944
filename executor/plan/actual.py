"""What a hypervisor has of one document, as the planner reads it: decoded, without runtime state."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from analyser import runtime, xmlreader
from analyser.codec.decode import decode
from executor.plan import foreign
from executor.plan import mark as marks
from schemas.errors import InputError
from schemas.table import Root, table


@dataclass(frozen=True)
class Actual:
    """One document that exists: ``inactive`` is its definition, ``live`` what runs of it (None: nothing runs).

    Neither holds runtime state. ``running`` also holds for a guest that is paused. A document that is not
    ``persistent`` has no definition: its ``inactive`` is then what runs. ``number`` is the running guest's id,
    ``autostart`` whether libvirt starts it with the node (None: nobody asked).
    """

    inactive: dict[str, Any]
    live: dict[str, Any] | None = None
    running: bool = False
    persistent: bool = True
    number: int | None = None
    autostart: bool | None = None
    live_xml: bytes = field(default=b"", repr=False)
    inactive_xml: bytes = field(default=b"", repr=False)

    @cached_property
    def raw(self) -> dict[str, Any]:
        """What runs, its runtime state included."""
        if not self.live_xml:
            return self.live or {}
        (root,) = xmlreader.parse(self.live_xml)
        return decode(root, root_of(root.tag).type)

    @cached_property
    def mark(self) -> marks.Mark | None:
        """What our own element says, None if the document is not ours."""
        metadata = self.inactive.get("metadata")
        return marks.read(metadata) if isinstance(metadata, str) else None


def read(
    inactive: str | bytes,
    live: str | bytes | None = None,
    *,
    persistent: bool = True,
    autostart: bool | None = None,
) -> Actual:
    """Return what libvirt's XML says: the definition, and what runs, if anything does.

    For the running form take VIR_DOMAIN_XML_SECURE too, so that passwords are there to compare. Raises InputError for
    what is no XML of libvirt.
    """
    definition, _ = document(inactive)
    text = _bytes(inactive)
    if live is None:
        return Actual(definition, persistent=persistent, autostart=autostart, inactive_xml=text)
    running, number = document(live)
    return Actual(definition, running, True, persistent, number, autostart, live_xml=_bytes(live), inactive_xml=text)


def document(xml: str | bytes) -> tuple[dict[str, Any], int | None]:
    """Return one of libvirt's documents, decoded and without runtime state, and its number if it runs."""
    data = _bytes(xml)
    (root,) = xmlreader.parse(data)
    number = root.get("id", "")
    # libvirt prints single quotes.
    runtime.strip(root, data.lower().replace(b"'", b'"'))
    return foreign.lifted(decode(root, root_of(root.tag).type)), int(number) if number.isdigit() else None


def _bytes(xml: str | bytes) -> bytes:
    return xml.encode() if isinstance(xml, str) else xml


def root_of(tag: Any) -> Root:
    """Return the tables' root for the element *tag*; raises InputError if libvirt has no such document."""
    found = table().roots.get(tag)
    if found is None:
        raise InputError(f"<{tag}> is not a libvirt document")
    return found
