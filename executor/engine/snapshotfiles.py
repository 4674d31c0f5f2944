"""Where a snapshot may write: libvirt writes as root, to any path that it is told, over whatever is there."""

from __future__ import annotations

import os
import posixpath
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from analyser.xmlreader import FRAGMENTS
from executor.engine.objects import walked
from executor.hypervisor.errors import LibvirtError, NotFound
from executor.plan import actual
from executor.storage import localfile
from schemas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from executor.engine.objects import Ref
    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor

_POOLS: Final = {"dir", "fs", "netfs", "gluster"}
_PARTS: Final = ("memory", "disks")


def check(hypervisor: Hypervisor, ref: Ref, domain: Domain, wanted: Mapping[str, Any], *, again: bool = False) -> None:
    """Raise InputError where a new snapshot of *domain*, its document *wanted*, would write where it must not.

    It may write new files into the folders of the guest's own disks, of pools that are up, and of images. Tried
    *again*, what is there is what was left of it.
    """
    folders: set[str] | None = None
    for part in _PARTS:
        for path, node in walked({part: wanted.get(part)}, ("spec", "domainSnapshot")):
            for key, value in node.items():
                where = ".".join(map(str, (*path, key)))
                if key == "extraXML" or (key == "dev" and path[-1] == "source"):
                    raise InputError(f"{ref}: a snapshot goes to files that are named in so many words", path=where)
                if not isinstance(value, str) or not (key == "file" or value.startswith("/")):
                    continue
                if folders is None:
                    folders = _folders(hypervisor, domain)
                _check_path(ref, value, where, folders)
                if not again and (os.path.lexists(value) or _is_volume(hypervisor, value)):
                    raise InputError(f"{ref}: {value} is there already, and would be overwritten", path=where)


def _check_path(ref: Ref, path: str, where: str, folders: set[str]) -> None:
    plain = path.startswith("/") and posixpath.normpath(path) == path
    real = os.path.join(os.path.realpath(posixpath.dirname(path)), posixpath.basename(path))  # noqa: PTH118
    if not plain or not all(_below(each, folders) for each in (path, real)):
        raise InputError(
            f"{ref}: {path} is not below a folder that snapshots may go to",
            path=where,
            hint=f"those of the guest's disks and of pools, here {', '.join(sorted(folders)) or 'none'}",
        )


def _below(path: str, folders: set[str]) -> bool:
    return any(PurePosixPath(path).is_relative_to(each) and path != each for each in folders)


def _is_volume(hypervisor: Hypervisor, path: str) -> bool:
    try:
        hypervisor.pools.volume_by_path(path)
    except NotFound:
        return False
    except LibvirtError:
        # A driver without pools has no volumes.
        return False
    return True


def _folders(hypervisor: Hypervisor, domain: Domain) -> set[str]:
    found = {os.path.realpath(each) for each in localfile.allowed()} | set(localfile.allowed())
    try:
        for pool in hypervisor.pools.all():
            document, _ = actual.document(pool.xml())
            if pool.active and document.get("type") in _POOLS:
                found.add(posixpath.normpath(str((document.get("target") or {}).get("path") or "")))
    except LibvirtError:
        # A driver without pools.
        pass
    for text in (domain.xml(inactive=True) if domain.persistent else "", domain.xml() if domain.active else ""):
        for source in etree.fromstring(text.encode(), FRAGMENTS).iterfind("devices/disk/source") if text else ():
            if source.get("file"):
                found.add(posixpath.dirname(posixpath.normpath(source.get("file"))))
    real = {os.path.realpath(each) for each in found if each.startswith("/")}
    return {each for each in found | real if each.startswith("/") and each != "/"}
