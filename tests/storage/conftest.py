"""A private libvirtd with two pools of each test's own, a web server, and files of objects."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from executor.hypervisor.hypervisor import Hypervisor
from executor.storage import localfile
from tests.harness.hypervisors import cleared
from tests.harness.libvirtd import Libvirtd
from tests.storage.webserver import Site, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from executor.hypervisor.pools import Pool


@pytest.fixture(autouse=True)
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEVMM_STATE", str(tmp_path / "state"))
    monkeypatch.setenv(localfile.VARIABLE, str(tmp_path / "sources"))
    (tmp_path / "sources").mkdir()


@pytest.fixture(scope="package")
def libvirtd() -> Iterator[Libvirtd]:
    with Libvirtd() as daemon:
        yield daemon


@pytest.fixture
def qemu(libvirtd: Libvirtd) -> Iterator[Hypervisor]:
    with Hypervisor(libvirtd.uri) as hypervisor:
        yield hypervisor
        cleared(hypervisor)


def _made(qemu: Hypervisor, folder: Path, name: str) -> Pool:
    folder.mkdir()
    folder.chmod(0o777)  # whoever libvirtd runs as
    pool = qemu.pools.define(f"<pool type='dir'><name>{name}</name><target><path>{folder}</path></target></pool>")
    pool.start()
    return pool


@pytest.fixture
def pools(qemu: Hypervisor, libvirtd: Libvirtd) -> Iterator[tuple[Pool, Pool]]:
    folders = [libvirtd.folder / name for name in ("images", "more")]
    made = [_made(qemu, folder, folder.name) for folder in folders]
    yield made[0], made[1]
    for pool in made:
        pool.destroy()
        pool.undefine()
    for folder in folders:
        shutil.rmtree(folder)


@pytest.fixture
def pool(pools: tuple[Pool, Pool]) -> Pool:
    return pools[0]


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        yield found


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def written(text: str, name: str = "objects.yaml") -> str:
        path = tmp_path / "input" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    return written
