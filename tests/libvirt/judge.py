"""libvirt as the judge of the mapping: what does it make of a document, and of the one that came back?

A verdict is libvirt's own dump of what it understood, or its refusal. Nothing of ours reads the two dumps: they must be
equal byte for byte.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lxml import etree

from analyser import xmlreader
from analyser.convert import convert
from analyser.documents import documents, to_object, to_xml
from tests.harness.errors import HarnessError

try:
    import libvirt
except ImportError as error:
    raise HarnessError("libvirt-python is not installed", hint="`make test` installs it") from error

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).parents[2]

POOL = """
<pool type='dir'>
  <name>judge</name>
  <uuid>c5f0e1a4-6d3b-4b0e-9a57-2f1d8c7e6b90</uuid>
  <target><path>/judge</path></target>
</pool>
"""

GUEST = """
<domain type='{type}'>
  <name>judge</name>
  <uuid>{uuid}</uuid>
  <memory>65536</memory>
  <os><type>hvm</type></os>
</domain>
"""
GUEST_UUID = "c5f0e1a4-6d3b-4b0e-9a57-2f1d8c7e6b91"

# Whose name and UUID are elements.
NAMED = {"domain", "network", "pool"}


def through_yaml(xml: bytes) -> bytes:
    """Return the document that comes back from YAML text, in its own order."""
    there = convert(xml, file="judged.xml")
    return convert(there.text.encode(), file="judged.yaml").text.encode()


def through_an_api_server(xml: bytes) -> bytes:
    """Return the document that comes back from an object after what an API server does to one."""
    [root] = xmlreader.parse(xml, comments=True)
    [element] = documents(root)
    served = json.loads(json.dumps(to_object(element), sort_keys=True))
    served["metadata"]["uid"] = "7c9b5a3e-0d4f-4f27-8e6a-1b2c3d4e5f60"
    return to_xml(served).encode()


ROUTES: dict[str, Callable[[bytes], bytes]] = {"YAML": through_yaml, "API server": through_an_api_server}


def documents_below(*folders: Path) -> dict[str, bytes]:
    """Return every well-formed XML file below the folders, by its path below the repository."""
    found = {}
    for path in sorted(path for folder in folders for path in folder.rglob("*.xml")):
        # One of the examples is broken on purpose; there is nothing to compare.
        with contextlib.suppress(etree.XMLSyntaxError):
            xml = path.read_bytes()
            etree.fromstring(xml)
            found[str(path.relative_to(REPOSITORY))] = xml
    return found


def root_of(xml: bytes) -> str:
    """Return the name of the document's root element."""
    return str(etree.fromstring(xml).tag)


@dataclass(frozen=True)
class Verdict:
    """What libvirt makes of a document: its dump, or why it refuses."""

    dump: str | None
    refusal: str | None


class Judge:
    """One libvirt connection, to a driver that knows guests of the type ``domain_type``.

    Whatever hypervisor a guest is for, both documents are given as for that type, which is the one thing not judged.
    """

    def __init__(self, uri: str, domain_type: str) -> None:
        # libvirt's own handler prints every refusal on stderr.
        libvirt.registerErrorHandler(lambda _, __: None, None)
        self._connection: Any = libvirt.open(uri)
        self._domain_type = domain_type

    def close(self) -> None:
        self._connection.close()

    def verdict(self, xml: bytes) -> Verdict:
        """Define the document, dump it, and remove it again."""
        root = etree.fromstring(xml, etree.XMLParser(resolve_entities=False))
        for guest in root.iter("domain", "inactiveDomain"):
            if guest.get("type") is not None:
                guest.set("type", self._domain_type)
        if root.tag in NAMED and root.find("uuid") is None and (name := root.find("name")) is not None:
            # Else libvirt would make up another one each time.
            name.addnext(etree.fromstring(f"<uuid>{GUEST_UUID}</uuid>"))
        text = etree.tostring(root, encoding="unicode")
        # What cannot be removed again is no refusal: it would spoil every later verdict.
        with contextlib.ExitStack() as cleanup:
            try:
                return Verdict(_DEFINE[str(root.tag)](self._connection, text, root, cleanup), None)
            except libvirt.libvirtError as error:
                return Verdict(None, str(error))


def _domain(connection: Any, xml: str, _root: etree._Element, cleanup: contextlib.ExitStack) -> str:
    domain = _defined_domain(connection, xml, cleanup)
    return str(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE))


def _defined_domain(connection: Any, xml: str, cleanup: contextlib.ExitStack) -> Any:
    domain = connection.defineXML(xml)
    flags = libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    # The test driver has no such file, and refuses the flag.
    if connection.getType() == "QEMU":
        flags |= libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
    cleanup.callback(domain.undefineFlags, flags)
    return domain


def _snapshot(connection: Any, xml: str, root: etree._Element, cleanup: contextlib.ExitStack) -> str:
    domain = _defined_domain(connection, _guest_of(connection, root), cleanup)
    # Of its ancestors only a name is told, and libvirt wants them to be there.
    if parent := root.findtext("parent/name"):
        _redefined_snapshot(domain, _older(root, parent))
    snapshot = _redefined_snapshot(domain, xml)
    return str(snapshot.getXMLDesc(libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE))


def _redefined_snapshot(domain: Any, xml: str) -> Any:
    flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
    if "<state>disk-snapshot</state>" in xml:
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
    return domain.snapshotCreateXML(xml, flags)


def _checkpoint(connection: Any, xml: str, root: etree._Element, cleanup: contextlib.ExitStack) -> str:
    domain = _defined_domain(connection, _guest_of(connection, root), cleanup)
    if parent := root.findtext("parent/name"):
        _redefined_checkpoint(domain, _older(root, parent), cleanup)
    checkpoint = _redefined_checkpoint(domain, xml, cleanup)
    return str(checkpoint.getXMLDesc(libvirt.VIR_DOMAIN_CHECKPOINT_XML_SECURE))


def _redefined_checkpoint(domain: Any, xml: str, cleanup: contextlib.ExitStack) -> Any:
    checkpoint = domain.checkpointCreateXML(xml, libvirt.VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE)
    cleanup.callback(checkpoint.delete, libvirt.VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY)
    return checkpoint


def _older(root: etree._Element, name: str) -> str:
    """Return the document once more as its own parent: under another name, and with none itself."""
    older = etree.fromstring(etree.tostring(root))
    for parent in older.findall("parent"):
        older.remove(parent)
    for element in older.findall("name"):
        element.text = name
    return etree.tostring(older, encoding="unicode")


def _guest_of(connection: Any, root: etree._Element) -> str:
    """Return the guest that a snapshot or checkpoint is of; old ones hold no more of it than its UUID."""
    guest = root.find("domain")
    if guest is not None and guest.find("name") is not None:
        return etree.tostring(guest, encoding="unicode", with_tail=False)
    uuid = root.findtext("domain/uuid") or GUEST_UUID
    return GUEST.format(type=connection.getType().lower(), uuid=uuid)


def _network(connection: Any, xml: str, _root: etree._Element, cleanup: contextlib.ExitStack) -> str:
    network = connection.networkDefineXML(xml)
    cleanup.callback(network.undefine)
    return str(network.XMLDesc())


def _pool(connection: Any, xml: str, _root: etree._Element, cleanup: contextlib.ExitStack) -> str:
    pool = connection.storagePoolDefineXML(xml)
    cleanup.callback(pool.undefine)
    return str(pool.XMLDesc())


def _volume(connection: Any, xml: str, _root: etree._Element, cleanup: contextlib.ExitStack) -> str:
    pool = connection.storagePoolCreateXML(POOL)
    cleanup.callback(pool.destroy)
    volume = pool.createXML(xml)
    cleanup.callback(volume.delete)
    return str(volume.XMLDesc())


def _secret(connection: Any, xml: str, _root: etree._Element, cleanup: contextlib.ExitStack) -> str:
    secret = connection.secretDefineXML(xml)
    cleanup.callback(secret.undefine)
    return str(secret.XMLDesc())


def _filter(connection: Any, xml: str, _root: etree._Element, cleanup: contextlib.ExitStack) -> str:
    nwfilter = connection.nwfilterDefineXML(xml)
    cleanup.callback(nwfilter.undefine)
    return str(nwfilter.XMLDesc())


def _interface(connection: Any, xml: str, _root: etree._Element, cleanup: contextlib.ExitStack) -> str:
    interface = connection.interfaceDefineXML(xml)
    cleanup.callback(interface.undefine)
    return str(interface.XMLDesc())


_DEFINE: dict[str, Callable[[Any, str, etree._Element, contextlib.ExitStack], str]] = {
    "domain": _domain,
    "domaincheckpoint": _checkpoint,
    "domainsnapshot": _snapshot,
    "filter": _filter,
    "interface": _interface,
    "network": _network,
    "pool": _pool,
    "secret": _secret,
    "volume": _volume,
}
"""By root element: define the document, leave word how to remove it, return its dump."""
