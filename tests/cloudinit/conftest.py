"""A private libvirtd with QEMU, and guests that really boot, declared with what cloud-init is told."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from analyser import convert
from executor.hypervisor.errors import LibvirtError
from tests.cli.command import virtctl
from tests.harness.guest import document
from tests.node.conftest import Machine, files, libvirtd, qemu  # noqa: F401  (fixtures are found by their names)

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from executor.hypervisor.hypervisor import Hypervisor
    from tests.harness.libvirtd import Libvirtd


@dataclass
class Declared:
    """A guest's manifest, and virtctl on the node that it is for."""

    uri: str
    folder: Path
    object: dict[str, Any]
    others: list[dict[str, Any]] = field(default_factory=list)

    @property
    def file(self) -> Path:
        """The manifest, written anew."""
        path = self.folder / "guest.yaml"
        path.write_text(yaml.safe_dump_all([self.object, *self.others]), encoding="utf-8")
        return path

    def virtctl(self, *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[bytes]:
        """Run virtctl against the node; it must end with *code*."""
        env = {"LIBVIRT_DEFAULT_URI": self.uri, "KUBEVMM_STATE": str(self.folder / "state")}
        done = virtctl(*arguments, env=env)
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done

    def apply(self) -> str:
        """Apply the manifest and return the word for what became of the guest."""
        return self.virtctl("apply", "-f", self.file).stdout.decode().split()[1]


@pytest.fixture
def declare(
    libvirtd: Libvirtd,  # noqa: F811  (the fixture)
    qemu: Hypervisor,  # noqa: F811
    files: tuple[Path, Path],  # noqa: F811
    tmp_path: Path,
) -> Iterator[Callable[..., Declared]]:
    """Make a manifest of a guest with this ``cloudInit``; the guests are gone afterwards."""

    def declared(name: str, cloud_init: dict[str, Any] | None, **spec: Any) -> Declared:
        text = convert.convert(document(name, *files).encode(), file=name, to="yaml").text
        obj = yaml.safe_load(text)
        obj["spec"] |= spec | ({"cloudInit": cloud_init} if cloud_init is not None else {})
        return Declared(libvirtd.uri, tmp_path, obj)

    yield declared
    for domain in qemu.domains.all():
        with contextlib.suppress(LibvirtError):
            domain.destroy()
        domain.undefine()
    for volume in [each for pool in qemu.pools.all() for each in pool.volumes()]:
        volume.delete()
