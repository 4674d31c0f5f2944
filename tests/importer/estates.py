"""Small estates to import, and what is left of them afterwards."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from analyser.importer.run import Request, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from analyser.report.report import Report

ROOT = Path(__file__).parents[2]
OPENSTACK = ROOT / "examples" / "openstack" / "nodes"


def uuid(number: int) -> str:
    """Return a UUID made of *number* and nothing else."""
    digits = hashlib.sha256(str(number).encode()).hexdigest()[:32]
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def nova(name: str, project: str, project_id: str = "p" * 32) -> str:
    """Return Nova's metadata."""
    return (
        '<metadata><nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">'
        f'<nova:name>{name}</nova:name><nova:flavor name="m1"/><nova:owner>'
        '<nova:user uuid="u">someone</nova:user>'
        f'<nova:project uuid="{project_id}">{project}</nova:project></nova:owner>'
        "</nova:instance></metadata>"
    )


def domain(number: int = 1, name: str | None = None, inside: str = "", devices: str = "", attributes: str = "") -> str:
    """Return a domain; *inside* and *devices* are more of its XML."""
    return (
        f"<domain type='kvm'{attributes}><name>{name or f'vm-{number}'}</name><uuid>{uuid(number)}</uuid>{inside}"
        "<memory unit='KiB'>1048576</memory><vcpu>1</vcpu><os><type>hvm</type></os>"
        f"<devices>{devices}</devices></domain>"
    )


def running(number: int = 1) -> str:
    """Return a domain as libvirt shows it while it runs."""
    return domain(number, attributes=" id='4'")


def write(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write *files*, contents by path, below *root* and return it."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def tar(files: Iterable[tuple[str, str | bytes]], mode: str = "w") -> bytes:
    """Return a tar archive of *files*, in their order."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files:
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def imported(source: Path, output: Path, **options: Any) -> Report:
    """Import *source* into *output* in this process."""
    return run(Request((str(source),), output, **{"jobs": 1, **options}))


def tree(root: Path, *, reports: bool = True) -> dict[str, bytes]:
    """Return all files below *root* by their paths, but for the lock, and without *reports* also but for these."""
    files = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    left_out = {".import/lock", *(() if reports else ("report.json", "report.html"))}
    return {name: data for name, data in files.items() if name not in left_out}


def read(path: Path) -> dict[str, Any]:
    """Return the one object in a YAML file."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def guests(root: Path) -> dict[str, dict[str, Any]]:
    """Return the VirtualMachines below *root* by ``namespace/name``."""
    found = {}
    for path in sorted(root.glob("*/*.yaml")):
        document = read(path)
        if document["kind"] == "VirtualMachine":
            assert path == root / document["metadata"]["namespace"] / f"{document['metadata']['name']}.yaml"
            found[f"{document['metadata']['namespace']}/{document['metadata']['name']}"] = document
    return found
