"""A guest's seed for cloud-init: made, put where the hypervisor reads it, and taken away with the guest.

It is a volume in a pool, written through libvirt, so that it arrives on the guest's node and with owner and label that
its QEMU can read, wherever we run. A guest has at most two volumes: new data goes into the one that it does not have in
its drive, so that what it reads never changes under it.
"""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from lxml import etree

from analyser.xmlreader import FRAGMENTS
from executor.cloudinit.contents import contents, sensitive
from executor.cloudinit.image import image
from executor.engine import drive
from executor.engine.resolve import named
from executor.engine.source import missing_secret
from executor.hypervisor.errors import LibvirtError, NotFound, Unsupported
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from executor.engine.source import Declarations, Declared
    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.pools import Pool
    from executor.hypervisor.volumes import Volume
    from executor.plan.actual import Actual

POOL: Final = "kubevmm-seeds"
"""The pool for seeds, made when it is first needed, where an object names none."""

_SYSTEM: Final = "/var/lib/libvirt"
_OF_FILES: Final = ("dir", "fs", "netfs")
_TEXTS: Final = ("userData", "networkData", "metaData")


@dataclass(frozen=True)
class Seed:
    """A guest's seed. ``write`` says that ``path`` does not hold it yet; ``pool`` None that its pool is to be made."""

    pool: Pool | None
    folder: str
    name: str
    content: bytes = field(repr=False)
    write: bool
    notes: tuple[str, ...] = ()
    kept: bool = False
    """Whether it stays though nobody knows here what it is made of."""

    @property
    def path(self) -> str:
        """Where it is on the node."""
        return f"{self.folder}/{self.name}"


def look(
    hypervisor: Hypervisor, declared: Declared, every: Declarations, domain: Mapping[str, Any], there: Actual | None
) -> Seed | None:
    """Return the seed of the guest whose resolved document is *domain*; None where its object asks for none.

    *there* is the guest as it is, None where it is not yet. Nothing is changed. Raises KubevmmError for what cloud-init
    could not read, a Secret that is not there, or a pool that holds no files.
    """
    spec = (declared.object.get("spec") or {}).get("cloudInit")
    if spec is None:
        return None
    uuid = str(domain["uuid"])
    if declared.ref in every.settled and there is not None:
        pool, folder = _place(hypervisor, declared, every, spec)
        for name in names(uuid):
            if f"{folder}/{name}" in set(drive.sources(there.inactive, names(uuid))):
                return Seed(pool, folder, name, b"", write=False, kept=True)
    found = contents(spec, _secret(declared, every, spec), instance_id=uuid, hostname=declared.ref.name)
    content = image(found.label, found.files)
    pool, folder = _place(hypervisor, declared, every, spec)
    defined = set(drive.sources(there.inactive, names(uuid))) if there is not None else set()
    running = set(drive.sources(there.live, names(uuid))) if there is not None and there.live is not None else set()
    for name in names(uuid):
        if f"{folder}/{name}" in defined and pool is not None and _holds(pool, name, content):
            return Seed(pool, folder, name, content, write=False, notes=found.notes)
    free = [name for name in names(uuid) if f"{folder}/{name}" not in running]
    name = next((name for name in free if f"{folder}/{name}" not in defined), free[0])
    return Seed(pool, folder, name, content, write=True, notes=found.notes)


def put_in(seed: Seed, domain: dict[str, Any], there: Actual | None) -> dict[str, Any]:
    """Return the document *domain* with a drive that has *seed* in it."""
    return drive.added(domain, seed.path, there)


def write(hypervisor: Hypervisor, seed: Seed) -> None:
    """Write *seed* where its path says. Raises LibvirtError, in words for people where the driver cannot do it."""
    try:
        pool = seed.pool or _own_pool(hypervisor, seed.folder)
        with contextlib.suppress(NotFound):
            # What was left half written, or is no longer in any drive.
            pool.volume(seed.name).delete()
        volume = pool.create_volume(_document(seed))
        volume.upload(io.BytesIO(seed.content), length=len(seed.content))
    except Unsupported as error:
        name = hypervisor.connection.driver.name
        raise Unsupported(f"spec.cloudInit: libvirt's driver {name} cannot make the disk for it: {error}") from None


def sweep(hypervisor: Hypervisor, seed: Seed, domain: Domain) -> None:
    """Delete the other of the two volumes of the guest, as soon as it is in none of the guest's drives."""
    pool = seed.pool or _by_name(hypervisor, POOL)
    for name in names(domain.uuid):
        if pool is not None and name != seed.name:
            with contextlib.suppress(NotFound):
                volume = pool.volume(name)
                if volume.path() not in paths_of(domain):
                    volume.delete()


def remove(hypervisor: Hypervisor, uuid: str, paths: Iterable[str], *, used: Iterable[str] = ()) -> None:
    """Delete the volumes with seeds of the guest *uuid*, at *paths* and in our own pool, but for those in *used*.

    What cannot be deleted stays: it is nobody's any more, and does no harm.
    """
    for volume in _volumes(hypervisor, uuid, paths):
        with contextlib.suppress(LibvirtError):
            if volume.path() not in used:
                volume.delete()


def paths_of(domain: Domain) -> set[str]:
    """Return the paths of the seeds in the drives of *domain*, as it runs and as it is defined."""
    documents = [domain.xml()] if domain.active else []
    documents += [domain.xml(inactive=True)] if domain.persistent else []
    trees = (etree.fromstring(text.encode(), FRAGMENTS) for text in documents)
    found = (source.get("file", "") for tree in trees for source in tree.iterfind("devices/disk/source"))
    return {path for path in found if path.rpartition("/")[2] in names(domain.uuid)}


def names(uuid: str) -> tuple[str, str]:
    """Return the names of the volumes that the guest *uuid* may have."""
    return f"{uuid}.a.iso", f"{uuid}.b.iso"


def secret_texts(obj: Mapping[str, Any]) -> tuple[tuple[str | int, ...], ...]:
    """Return the key paths of the texts of *obj* that seem to hold passwords, so that its mark must not have them."""
    spec = (obj.get("spec") or {}).get("cloudInit") or {}
    return tuple(("spec", "cloudInit", key) for key in _TEXTS if sensitive(str(spec.get(key) or "")))


def _secret(declared: Declared, every: Declarations, spec: Mapping[str, Any]) -> dict[str, str]:
    wanted = spec.get("secretRef")
    if not wanted:
        return {}
    ref, name = declared.ref, str(wanted.get("name"))
    found = {key: text for (place, of, key), text in every.secrets.items() if (place, of) == (ref.namespace, name)}
    if not found:
        raise missing_secret(ref, name, "userData", "spec.cloudInit.secretRef")
    return found


def _place(
    hypervisor: Hypervisor, declared: Declared, every: Declarations, spec: Mapping[str, Any]
) -> tuple[Pool | None, str]:
    wanted = spec.get("poolRef")
    if not wanted:
        pool = _by_name(hypervisor, POOL)
        return pool, _folder(pool) if pool is not None else _own_folder(hypervisor)
    path = ("spec", "cloudInit", "poolRef")
    name = named(wanted, declared.ref, every, "VirtualMachineStoragePool", "pool", path)
    found = _by_name(hypervisor, name)
    if found is None:
        raise NotFound(
            f"{declared.ref}: spec.cloudInit: there is no pool {name}",
            hint="pools in the same files are made before guests are; --dry-run=server makes none",
        )
    return found, _folder(found)


def _folder(pool: Pool) -> str:
    tree = etree.fromstring(pool.xml().encode(), FRAGMENTS)
    if tree.get("type") not in _OF_FILES:
        raise KubevmmError(
            f"spec.cloudInit: the pool {pool.name} is of the type {tree.get('type')}, and the disk is a file",
            hint=f"name a pool of the type {', '.join(_OF_FILES)} in spec.cloudInit.poolRef",
        )
    return str(tree.findtext("target/path")).rstrip("/")


def _own_folder(hypervisor: Hypervisor) -> str:
    uri = urlsplit(hypervisor.connection.uri)
    if not uri.path.endswith("/session"):
        return f"{_SYSTEM}/{POOL}"
    if uri.netloc:
        raise KubevmmError(
            "spec.cloudInit: where the disk for it can lie is not known of a session on another machine",
            hint="name a pool of files in spec.cloudInit.poolRef",
        )
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return f"{base}/libvirt/{POOL}"


def _own_pool(hypervisor: Hypervisor, folder: str) -> Pool:
    root = etree.Element("pool", type="dir")
    etree.SubElement(root, "name").text = POOL
    target = etree.SubElement(root, "target")
    etree.SubElement(target, "path").text = folder
    # QEMU's user goes through it to files that it may read, and lists nothing.
    etree.SubElement(etree.SubElement(target, "permissions"), "mode").text = "0711"
    pool = hypervisor.pools.define(etree.tostring(root, encoding="unicode"))
    pool.build()
    pool.start()
    pool.set_autostart(True)
    return pool


def _by_name(hypervisor: Hypervisor, name: str) -> Pool | None:
    try:
        return hypervisor.pools.by_name(name)
    except NotFound:
        return None


def _holds(pool: Pool, name: str, content: bytes) -> bool:
    """Say whether the volume *name* holds just *content*."""
    try:
        volume = pool.volume(name)
        if volume.info().capacity != len(content):
            return False
        held = io.BytesIO()
        volume.download(held, length=len(content))
    except LibvirtError:
        return False
    return held.getvalue() == content


def _document(seed: Seed) -> str:
    root = etree.Element("volume")
    etree.SubElement(root, "name").text = seed.name
    etree.SubElement(root, "capacity", unit="bytes").text = str(len(seed.content))
    target = etree.SubElement(root, "target")
    etree.SubElement(target, "format", type="raw")
    # libvirt gives it to QEMU's user as the guest starts; nobody else is to read what may be secret.
    etree.SubElement(etree.SubElement(target, "permissions"), "mode").text = "0600"
    return etree.tostring(root, encoding="unicode")


def _volumes(hypervisor: Hypervisor, uuid: str, paths: Iterable[str]) -> Iterator[Volume]:
    for name in names(uuid):
        with contextlib.suppress(LibvirtError):
            yield hypervisor.pools.by_name(POOL).volume(name)
    for path in paths:
        with contextlib.suppress(LibvirtError):
            yield hypervisor.pools.volume_by_path(path)
