"""Kernels in the forms that distributions give them: found, chosen, and fetched from packages by the real apt."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard

from schemas.errors import KubevmmError
from scripts.guest import kernel

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
RELEASE = "6.8.0-31-generic"
BUILT_IN = ["virtio_pci", "virtio_console", "sr_mod", "button", "evdev"]
"""What Ubuntu's kernels have built in."""

DEPENDS = {"virtio_net": "net_failover", "net_failover": "failover", "failover": "", "isofs": "", "sd_mod": ""}

PACK: dict[str, Callable[[bytes], bytes]] = {
    ".ko": bytes,
    ".ko.gz": gzip.compress,
    ".ko.xz": lzma.compress,
    ".ko.zst": zstandard.ZstdCompressor().compress,
}


def module(name: str) -> bytes:
    """Return what the end of a module's file says about it."""
    return f"\x7fELF {name}\0depends={DEPENDS.get(name, '')}\0name={name}\0".encode()


def lay(root: Path, *, release: str = RELEASE, ending: str = ".ko", image: str = "boot", modules: str = "lib") -> None:
    """Lay a kernel below *root* as a package of Ubuntu's does: no list of what depends on what."""
    folder = root / modules / "modules" / release
    (folder / "kernel" / "drivers").mkdir(parents=True)
    (folder / "modules.builtin").write_text("".join(f"kernel/drivers/{name}.ko\n" for name in BUILT_IN))
    for name in {*kernel.NEEDED, *DEPENDS} - {*BUILT_IN}:
        # Files may be named with dashes, what refers to them has none.
        path = folder / "kernel" / "drivers" / f"{name.replace('_', '-')}{ending}"
        path.write_bytes(PACK[ending](module(name)))
    path = root / "boot" / f"vmlinuz-{release}" if image == "boot" else folder / "vmlinuz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(f"kernel {release}".encode())


@pytest.fixture(autouse=True)
def afresh() -> None:
    kernel.find.cache_clear()


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize(("image", "modules"), [("boot", "lib"), ("boot", "usr/lib"), ("modules", "usr/lib")])
def test_modules_are_unpacked_and_stand_behind_those_that_they_depend_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, image: str, modules: str
) -> None:
    lay(tmp_path, ending=ending, image=image, modules=modules)
    monkeypatch.setenv(kernel.VARIABLE, str(tmp_path))
    found = kernel.find()
    assert found.image.read_bytes() == b"kernel 6.8.0-31-generic"
    needed = found.needed()
    assert needed == {name: module(name) for name in needed}
    assert set(needed) == {*kernel.NEEDED, "net_failover", "failover"} - {*BUILT_IN}
    names = list(needed)
    assert names.index("failover") < names.index("net_failover") < names.index("virtio_net")


def test_the_newest_is_taken_that_has_all_that_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for release in ("6.8.0-9-generic", RELEASE, "6.8.0-100-generic"):
        lay(tmp_path, release=release)
    next((tmp_path / "lib" / "modules" / "6.8.0-100-generic").rglob("virtio-blk*")).unlink()
    monkeypatch.setenv(kernel.VARIABLE, str(tmp_path))
    assert kernel.find().modules.name == RELEASE


def test_one_for_virtual_machines_is_taken_before_a_newer_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path)
    lay(tmp_path, release="6.1.0-1-cloud-amd64")
    monkeypatch.setenv(kernel.VARIABLE, str(tmp_path))
    assert kernel.find().modules.name == "6.1.0-1-cloud-amd64"


def test_a_folder_without_a_kernel_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(kernel.VARIABLE, str(tmp_path))
    with pytest.raises(KubevmmError, match=r"KUBEVMM_KERNEL_ROOT=\S+ has no boot/vmlinuz-VERSION"):
        kernel.find()


def test_a_kernel_that_may_not_be_read_is_passed_over() -> None:
    # As root, another user looks, so that the folder is not pytest's, which is its owner's alone.
    script = (
        "import os, pathlib, sys\nfrom scripts.guest import kernel\n"
        "if os.geteuid() == 0: os.setresuid(65534, 65534, 65534)\n"
        "print(*(each.image.name for each in kernel.kernels(pathlib.Path(sys.argv[1]))))\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        for release in (RELEASE, "6.8.0-32-generic"):
            lay(root, release=release)
        (root / "boot" / f"vmlinuz-{RELEASE}").chmod(0)
        done = subprocess.run(
            [sys.executable, "-c", script, root], env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=True
        )
    assert done.stdout == b"vmlinuz-6.8.0-32-generic\n"


def package(folder: Path, name: str, depends: str, tree: Path | None) -> str:
    """Build a package and return what a repository's list says of it."""
    content = folder / f"{name}-tree"
    if tree is not None:
        shutil.copytree(tree, content)
    (content / "DEBIAN").mkdir(parents=True)
    control = f"Package: {name}\nVersion: 6.8.0-31.31\nArchitecture: amd64\nMaintainer: none <none@localhost>\n"
    control += f"Depends: {depends}\nDescription: for a test\n"
    (content / "DEBIAN" / "control").write_text(control)
    file = folder / f"{name}.deb"
    subprocess.run(["dpkg-deb", "--build", content, file], check=True, capture_output=True)
    built = file.read_bytes()
    return f"{control}Filename: {file.name}\nSize: {len(built)}\nSHA256: {hashlib.sha256(built).hexdigest()}\n\n"


@pytest.fixture
def ubuntu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let apt know a repository alone with packages that depend on each other as Ubuntu's do; return the cache."""
    repository, image, modules = tmp_path / "repository", tmp_path / "image", tmp_path / "modules"
    repository.mkdir()
    lay(modules, ending=".ko.zst")
    image.mkdir()
    (modules / "boot").rename(image / "boot")
    listed = [
        package(repository, "linux-image-virtual", f"linux-image-{RELEASE}", None),
        package(repository, f"linux-image-{RELEASE}", f"kmod, linux-modules-{RELEASE}", image),
        package(repository, f"linux-modules-{RELEASE}", "linux-base", modules),
    ]
    (repository / "Packages").write_text("".join(listed))
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] file:{repository} ./\n")
    for name in ("lists/partial", "archives/partial"):
        (tmp_path / name).mkdir(parents=True)
    settings = {
        "APT::Architecture": "amd64",
        "Dir::Etc::sourcelist": tmp_path / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State": tmp_path,
        "Dir::State::status": "/dev/null",
        "Dir::Cache": tmp_path,
    }
    (tmp_path / "apt.conf").write_text("".join(f'{name} "{value}";\n' for name, value in settings.items()))
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    return tmp_path / "cache"


def test_ubuntus_packages_are_fetched_and_unpacked_without_being_installed(ubuntu: Path) -> None:
    kernel.fetch(ubuntu)
    (found,) = kernel.kernels(ubuntu)
    assert (found.image.name, found.missing()) == (f"vmlinuz-{RELEASE}", [])
    assert found.needed()["virtio_blk"] == module("virtio_blk")
    assert [path.name for path in ubuntu.parent.glob(".kernel-*")] == []


def test_what_was_fetched_in_vain_is_named(ubuntu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(kernel, "NEEDED", (*kernel.NEEDED, "nosuch"))
    with pytest.raises(KubevmmError, match=r"fetched to \S+ lacks nosuch$"):
        kernel.find()
    assert not ubuntu.exists()


def test_a_cache_that_lacks_something_is_replaced(ubuntu: Path) -> None:
    lay(ubuntu, release="5.0.0")
    next((ubuntu / "lib" / "modules" / "5.0.0").rglob("virtio-blk*")).unlink()
    kernel.fetch(ubuntu)
    assert [each.modules.name for each in kernel.kernels(ubuntu)] == [RELEASE]


def test_what_apt_knows_nothing_of_is_one_clear_line(ubuntu: Path) -> None:
    (ubuntu.parent / "repository" / "Packages").write_text("")
    with pytest.raises(KubevmmError, match="apt knows none of linux-image-cloud-amd64, linux-image-virtual"):
        kernel.fetch(ubuntu)
    assert not ubuntu.exists()
