"""What was begun on a guest, and how far it is: an element of ours in the domain's metadata, written before the act.

It is in the definition, which outlives every run, and in what runs. There, and nowhere else, it says of the run that it
is the one that was found: what starts later copies the definition, and so is known for another run. Going back to a
snapshot brings back the metadata of then, so that for it the same lies in the state folder too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from analyser import files
from executor.engine import state
from executor.hypervisor.errors import NotFound, Unsupported, WrongState
from executor.hypervisor.handle import Affect
from executor.plan import foreign

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor

URI: Final = f"{foreign.OURS}operation/1"
KEY: Final = "kubevmm-operation"

BEGUN: Final = "Begun"
"""It was written down, and nothing was done, or the first thing was: which of the two is for libvirt to show."""
ASKED: Final = "Asked"
"""The guest was asked to shut down."""
STARTED: Final = "Started"
"""The guest was started, and stands still until it is let go."""
DONE: Final = "Done"
FAILED: Final = "Failed"
ENDED: Final = frozenset({DONE, FAILED})


class Record(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An operation that was begun. Times are seconds since 1970, 0 for none."""

    uid: str
    namespace: str
    name: str
    type: str
    step: str = BEGUN
    reason: str = ""
    """Why it ended so, in a word; with ``message`` for people."""
    message: str = ""
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)
    """The spec's ``stop`` or ``restore``, with what it leaves open put in."""
    begun: float = 0.0
    deadline: float = 0.0
    was: str = ""
    """The guest's state as it was found, with libvirt's word for how that came to be."""
    run: int = -1
    """libvirt's number of the run that was found; -1 where it was off."""

    @property
    def ended(self) -> bool:
        """Whether it is done, or never will be."""
        return self.step in ENDED


@dataclass(frozen=True)
class Entry:
    """What stands in the journal of a guest."""

    record: Record
    defined: bool
    """Whether it is in the domain's definition: it is, but for a guest that was put back to a snapshot."""
    same_run: bool
    """Whether what runs now is what ran when it was begun."""
    mark: str = ""
    """Our mark of then, where the definition may go: XML as virDomainSetMetadata takes it."""


class _Kept(msgspec.Struct, omit_defaults=True):
    record: Record
    mark: str = ""


def read(hypervisor: Hypervisor, domain: Domain) -> Entry | None:
    """Return what was begun on *domain*; None where nothing was. Raises LibvirtError."""
    persistent, active = domain.persistent, domain.active
    live = _of(_metadata(domain, Affect.LIVE)) if active else None
    config = _of(_metadata(domain, Affect.CONFIG)) if persistent else live
    kept = _load(hypervisor, domain)
    if kept is not None and (config is None or config[0].uid != kept.record.uid):
        # The file was written after the element, which only the act itself takes away again.
        return Entry(kept.record, defined=False, same_run=_same(hypervisor, live, kept.record, domain), mark=kept.mark)
    if config is None:
        return None
    record = config[0]
    return Entry(record, defined=True, same_run=_same(hypervisor, live, record, domain), mark=kept.mark if kept else "")


def begin(hypervisor: Hypervisor, domain: Domain, record: Record, *, mark: str = "") -> None:
    """Write *record* down. It counts as begun once this returns; with *mark* it lies in the state folder as well."""
    # What runs first: a definition that says so is what makes it begun.
    if domain.active:
        _suppressing_end(domain, _xml(record, found=True), Affect.LIVE)
    if domain.persistent:
        _set(domain, _xml(record), Affect.CONFIG)
    if mark:
        files.write(_path(hypervisor, domain), msgspec.json.encode(_Kept(record, mark)), mode=0o600)


def write(hypervisor: Hypervisor, domain: Domain, record: Record, *, same_run: bool) -> None:
    """Write down how far *record* is; *same_run* as `Entry` has it."""
    kept = _load(hypervisor, domain)
    if domain.persistent:
        _set(domain, _xml(record), Affect.CONFIG)
    if domain.active and (same_run or not domain.persistent):
        _suppressing_end(domain, _xml(record, found=same_run), Affect.LIVE)
    if kept is not None:
        # Now that the definition says it, it need not lie here any more.
        _path(hypervisor, domain).unlink(missing_ok=True)


def forget(hypervisor: Hypervisor, domain: Domain) -> None:
    """Leave nothing of it."""
    _path(hypervisor, domain).unlink(missing_ok=True)
    if domain.active and _metadata(domain, Affect.LIVE) is not None:
        _suppressing_end(domain, None, Affect.LIVE)
    if domain.persistent and _metadata(domain, Affect.CONFIG) is not None:
        _set(domain, None, Affect.CONFIG)


def marks(hypervisor: Hypervisor) -> Iterator[tuple[str, str]]:
    """Yield the UUIDs of the guests whose mark lies in the state folder, each with it."""
    for path in sorted(_folder(hypervisor).glob("*.json")):
        found = _decoded(path)
        if found is not None and found.mark:
            yield path.stem, found.mark


def advanced(record: Record, step: str, reason: str = "", message: str = "") -> Record:
    """Return *record* at *step*."""
    return msgspec.structs.replace(record, step=step, reason=reason, message=message)


def run_of(hypervisor: Hypervisor, domain: Domain) -> int:
    """Return libvirt's number of the run that goes on; -1 where the guest is off. Raises LibvirtError."""
    # A handle keeps the number that it came with.
    return int(hypervisor.domains.by_uuid(domain.uuid).read("ID"))


def _same(hypervisor: Hypervisor, live: tuple[Record, bool] | None, record: Record, domain: Domain) -> bool:
    if live is None or live[0].uid != record.uid or not live[1]:
        return False
    # Saved memory brings its metadata along, into another run.
    return run_of(hypervisor, domain) == record.run


def _metadata(domain: Domain, affect: Affect) -> str | None:
    try:
        return domain.metadata(URI, affect)
    except (Unsupported, WrongState):
        # It has just stopped, or its driver keeps none.
        return None


def _of(text: str | None) -> tuple[Record, bool] | None:
    """Return the record in an element, and whether it is that of the run that was found."""
    if text is None:
        return None
    from lxml import etree  # noqa: PLC0415  (a guest with an empty journal, as nearly all, needs none)

    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        element = etree.fromstring(text, parser)
        return msgspec.json.decode(element.text or "", type=Record), element.get("run") == "found"
    except (etree.XMLSyntaxError, msgspec.DecodeError):
        return None


def _xml(record: Record, *, found: bool = False) -> str:
    from lxml import etree  # noqa: PLC0415  (see above)

    element = etree.Element("operation", {"run": "found"} if found else {})
    element.text = msgspec.json.encode(record).decode()
    return etree.tostring(element, encoding="unicode")


def _set(domain: Domain, xml: str | None, affect: Affect) -> None:
    domain.set_metadata(xml, namespace=URI, prefix=KEY, affect=affect)


def _suppressing_end(domain: Domain, xml: str | None, affect: Affect) -> None:
    """Set it in what runs, unless that has just ended."""
    try:
        _set(domain, xml, affect)
    except (NotFound, WrongState):
        if domain.active:
            raise


def _folder(hypervisor: Hypervisor) -> Path:
    return state.folder(hypervisor) / "operations"


def _path(hypervisor: Hypervisor, domain: Domain) -> Path:
    return _folder(hypervisor) / f"{domain.uuid}.json"


def _load(hypervisor: Hypervisor, domain: Domain) -> _Kept | None:
    return _decoded(_path(hypervisor, domain))


def _decoded(path: Path) -> _Kept | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        return None
