"""One domain as a VirtualMachine: whose it is, what it would like to be called, what the report says of it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from analyser import documents
from analyser.importer import facts, names, nova, plain
from analyser.importer.document import SECRETS, keep, make, prove, token, unknown
from analyser.importer.findings import Finding
from analyser.importer.row import Options, Row, said
from analyser.yamlscalars import scalar_text
from analyser.yamlwriter import dump

if TYPE_CHECKING:
    from lxml import etree

    from analyser.importer.facts import Facts
    from analyser.importer.items import Item
    from analyser.importer.plain import Plain
    from analyser.importer.row import Read
    from analyser.runtime import Taken

_UUID_DIGITS = 32
_REMEMBERED = 1024


RUNNING_ONLY = Finding("running-only", "its definition, where there is one, says what was chosen")


class _Named(NamedTuple):
    """What a guest would like to be called, the file that it is kept in until then, and its YAML above the domain."""

    namespace: str
    project: str
    identity: str
    base: str
    file: str
    above: str


class _Written(NamedTuple):
    """A guest's whole YAML, proven, and what was taken out of the domain."""

    text: str
    elements: int
    taken: list[Taken]
    values: dict[str, str]
    found: list[Finding]


def quick(reads: list[Read], options: Options) -> list[Row | None]:
    """Convert the one domain in each of some files and return its row; None where that takes its tree."""
    domains = plain.convert(read.data for read in reads)
    named = [
        None if found is None else _named(read.item, 0, read.digest, found.facts, options)
        for read, found in zip(reads, domains, strict=True)
    ]
    texts = [
        found.proven(names.above, token(names.file) + SECRETS) if found and names else None
        for found, names in zip(domains, named, strict=True)
    ]
    return [
        _quick_row(read, options, found, names, text) if found and names and text is not None else None
        for read, found, names, text in zip(reads, domains, named, texts, strict=True)
    ]


def _quick_row(read: Read, options: Options, found: Plain, named: _Named, text: str) -> Row:
    item = read.item
    if found.runs and not item.running:
        found.facts.found.append(RUNNING_ONLY)
    values = {each.key: each.value for each in found.passwords}
    moved = [Finding("password-moved", each.place) for each in found.passwords]
    written = _Written(text, found.pieces.elements, found.taken, values, moved)
    running = found.runs if item.running is None else item.running
    return _row(item, 0, read.digest, options, found.facts, named, written, int(item.rank), running=running)


def guest(
    item: Item, domain: etree._Element, part: int, digest: str, options: Options, *, rank: int, running: bool
) -> Row:
    """Convert *domain*, document number *part* of *item*, and return its row; raises InputError."""
    found = facts.of_tree(domain)
    if domain.get("id") is not None and not item.running:
        found.found.append(RUNNING_ONLY)
    named = _named(item, part, digest, found, options)
    made = make(domain, token(named.file))
    text = named.above + dump({"spec": {"domain": made.content}}).removeprefix("spec:")
    secret = token(named.file) + SECRETS if made.values else None
    prove(domain, text, ("spec", "domain"), file=item.name, secret=secret)
    written = _Written(text, made.elements, made.taken, made.values, [*unknown(text), *made.found])
    return _row(item, part, digest, options, found, named, written, rank, running=running)


def _named(item: Item, part: int, digest: str, known: Facts, options: Options) -> _Named:
    owner = known.owner
    namespace, project = _namespace(owner, options)
    identity = _identity(known.uuid.strip().lower(), item, known.name, part)
    base = names.guest_name((owner.name if owner else None, known.name), identity)
    above = [head(base, namespace), *_marks(owner), "spec:\n  runStrategy: Manual\n  deletionPolicy: Retain"]
    if item.node is not None:
        above.append(_node(item.node))
    file = names.spooled(item.name, str(part), digest)
    return _Named(namespace, project, identity, base, file, "".join(above))


def _row(
    item: Item, part: int, digest: str, options: Options, known: Facts, named: _Named, written: _Written, rank: int, *,
    running: bool,
) -> Row:  # fmt: skip
    """Keep the guest in the spool and return its row."""
    found = known.found
    if item.node is None:
        found = [*found, Finding("no-node", "set spec.nodeName, or import with --node")]
    found = [*found, *written.found]
    return Row(
        item.name, part, digest, "guest", item.node, rank, int(running), named.identity, known.name, named.base,
        named.project, named.namespace, "", keep(options.spool, named.file, written.text, written.values), named.file,
        int(bool(written.values)),
        said=said(item.name, known, written.taken, found, running=running, elements=written.elements),
    )  # fmt: skip


def _identity(uuid: str, item: Item, name: str, part: int) -> str:
    """Return what the guest is known by: its UUID, or else its name on its node, or else where it was found."""
    digits = uuid.replace("-", "")
    if len(digits) == _UUID_DIGITS and digits.isascii() and digits.isalnum():
        return digits
    return names.digest(item.node or "", uuid, name, "" if uuid or name else f"{item.name}#{part}")


def _namespace(owner: nova.Nova | None, options: Options) -> tuple[str, str]:
    """Return the namespace that the guest would like, and what tells its project from others of the name."""
    if options.namespace:
        return options.namespace, ""
    if owner is None or not (owner.project or owner.project_id):
        return "default", ""
    return _project(owner.project, owner.project_id, options.infrastructure)


@lru_cache(_REMEMBERED)
def _node(name: str) -> str:
    return f"\n  nodeName: {scalar_text(name)}"


@lru_cache(_REMEMBERED)
def _project(name: str | None, project: str | None, infrastructure: str) -> tuple[str, str]:
    return names.project_namespace(name, project, infrastructure), project or names.digest(name or "")


def head(name: str, namespace: str) -> str:
    """Return the first lines of a VirtualMachine, up to its name and namespace."""
    return f"{_HEAD}  name: {scalar_text(name)}\n  namespace: {_namespaced(namespace)}\n"


_HEAD = f"apiVersion: {documents.GROUP}\nkind: VirtualMachine\nmetadata:\n"
_namespaced = lru_cache(_REMEMBERED)(scalar_text)


def _marks(owner: nova.Nova | None) -> list[str]:
    """Return the labels and annotations that say what Nova said, as lines of the object's metadata."""
    marks = [_mark(*fact) if fact[0] in _OWN else _known_mark(*fact) for fact in owner.facts] if owner else []
    labels = [label for label, _ in marks if label]
    annotations = [annotation for _, annotation in marks]
    return [
        *(["  labels:\n", *labels] if labels else []),
        *(["  annotations:\n", *annotations] if annotations else []),
    ]


_OWN = ("name", "created")
"""Facts that guests do not share."""


def _mark(key: str, value: str) -> tuple[str, str]:
    """Return a label (empty where nothing of *value* can stay) and an annotation, as lines of YAML."""
    label = names.label_value(value)
    return _line(key, label) if label else "", _line(key, names.annotation_value(value))


_known_mark = lru_cache(_REMEMBERED)(_mark)


def _line(key: str, value: str) -> str:
    if "\n" not in value:
        return f"    {nova.PREFIX}{key}: {scalar_text(value)}\n"
    lines = dump({nova.PREFIX + key: value})[:-1].split("\n")
    return "".join([f"    {line}\n" if line else "\n" for line in lines])
