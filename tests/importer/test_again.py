"""An import that is run again: after it was finished or killed, over files that were edited or are foreign."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from schemas.errors import KubevmmError
from tests.cli.command import VIRTCTL, environment, virtctl
from tests.importer.estates import OPENSTACK, domain, guests, imported, nova, tree, write

if TYPE_CHECKING:
    from pathlib import Path


def estate(root: Path, count: int) -> Path:
    devices = "<graphics type='vnc' passwd='hidden-word'/>"
    files: dict[str, str | bytes] = {
        f"node-{n % 7}/etc/libvirt/qemu/{n}.xml": domain(
            n, inside=nova(f"web {n % 400}", "shop"), devices=devices if n % 5 == 0 else ""
        )
        for n in range(count)
    }
    files["node-1/etc/libvirt/qemu/broken.xml"] = "<domain>"
    return write(root, files)


def test_run_again_it_changes_nothing(tmp_path: Path) -> None:
    imported(OPENSTACK, tmp_path / "out")
    before = tree(tmp_path / "out")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*-1.yaml")}
    imported(OPENSTACK, tmp_path / "out")
    assert tree(tmp_path / "out") == before
    assert {path: path.stat().st_mtime_ns for path in times} == times


# How many files there are when it is killed: in the middle of converting, and in the middle of moving into place.
MOMENTS = [(".import/work/*", 10), (".import/work/*", 400), (".import/work/*", 1100), ("shop/*", 1), ("shop/*", 700)]


def there(folder: Path, pattern: str) -> int:
    """Return how many files there are; none of a folder that goes as it is read."""
    try:
        return sum(1 for _ in folder.glob(pattern))
    except FileNotFoundError:
        return 0


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_killed_at_any_moment_it_goes_on_and_ends_the_same(tmp_path: Path, jobs: str) -> None:
    source = estate(tmp_path / "in", 1200)
    imported(source, tmp_path / "whole")
    for pattern, count in MOMENTS:
        started = subprocess.Popen(
            [*VIRTCTL, "import", str(source), "-o", str(tmp_path / "out"), "-j", jobs],
            env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        while started.poll() is None and there(tmp_path / "out", pattern) < count:
            time.sleep(0.005)
        started.kill()
        started.wait()
        for path in (tmp_path / "out").glob("shop/*.yaml"):
            assert yaml.load(path.read_text(), yaml.CSafeLoader)["kind"] in ("VirtualMachine", "Secret"), path
    assert virtctl("import", source, "-o", tmp_path / "out", "-j", jobs).returncode == 1
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_going_on_takes_up_what_was_converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = estate(tmp_path / "in", 60)

    def fail(*_: object) -> None:
        raise KubevmmError("killed here")

    with monkeypatch.context() as patched:
        patched.setattr("analyser.importer.run.resolve.resolve", fail)
        with pytest.raises(KubevmmError, match="killed here"):
            imported(source, tmp_path / "out")
    (source / "node-1/etc/libvirt/qemu/1.xml").write_text(domain(1, inside=nova("changed", "shop")))
    (source / "node-2/etc/libvirt/qemu/2.xml").unlink()
    converted: list[str] = []
    with monkeypatch.context() as patched:
        from analyser.importer import convert  # noqa: PLC0415

        guest = convert.guest
        patched.setattr(convert, "guest", lambda item, *a, **k: (converted.append(item.name), guest(item, *a, **k))[1])
        imported(source, tmp_path / "out")
    assert converted == [str(source / "node-1/etc/libvirt/qemu/1.xml")]
    imported(source, tmp_path / "fresh")
    assert tree(tmp_path / "out") == tree(tmp_path / "fresh")


def test_other_options_start_it_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = estate(tmp_path / "in", 10)

    def fail(*_: object) -> None:
        raise KubevmmError("killed here")

    with monkeypatch.context() as patched:
        patched.setattr("analyser.importer.run.resolve.resolve", fail)
        with pytest.raises(KubevmmError, match="killed here"):
            imported(source, tmp_path / "out")
    imported(source, tmp_path / "out", namespace="lab")
    assert {name.partition("/")[0] for name in guests(tmp_path / "out")} == {"lab"}


@pytest.mark.parametrize(
    "path", ["default/vm-1.yaml", "kustomization.yaml", "report.html", "default/vm-5-secrets.yaml"]
)
def test_a_foreign_file_is_never_overwritten(tmp_path: Path, path: str) -> None:
    source = write(
        tmp_path / "in", {"n/1.xml": domain(1), "n/5.xml": domain(5, devices="<graphics type='vnc' passwd='x'/>")}
    )
    write(tmp_path / "out", {path: "mine"})
    for _ in range(2):
        with pytest.raises(KubevmmError, match="nothing was written there") as refused:
            imported(source, tmp_path / "out")
        assert path in str(refused.value)
        assert [name for name in tree(tmp_path / "out") if not name.startswith(".import/")] == [path]
        assert (tmp_path / "out" / path).read_text() == "mine"
    imported(source, tmp_path / "out", force=True)
    assert (tmp_path / "out" / path).read_text() != "mine"


@pytest.mark.parametrize("path", ["default/vm-1.yaml", "kustomization.yaml", "default/vm-5-secrets.yaml"])
def test_a_file_that_was_edited_is_not_overwritten(tmp_path: Path, path: str) -> None:
    source = write(
        tmp_path / "in", {"n/1.xml": domain(1), "n/5.xml": domain(5, devices="<graphics type='vnc' passwd='x'/>")}
    )
    imported(source, tmp_path / "out")
    edited = tmp_path / "out" / path
    edited.write_text(edited.read_text() + "# mine\n")
    before = tree(tmp_path / "out")
    with pytest.raises(KubevmmError, match="edited"):
        imported(source, tmp_path / "out")
    after = tree(tmp_path / "out")
    assert {name: after.get(name) for name in before} == before
    imported(source, tmp_path / "out", force=True)
    assert "# mine" not in edited.read_text()


def test_a_changed_guest_is_written_anew_and_a_vanished_one_is_said(tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"n/1.xml": domain(1), "n/2.xml": domain(2)})
    imported(source, tmp_path / "out")
    (source / "n/1.xml").write_text(domain(1, inside="<title>new</title>"))
    (source / "n/2.xml").unlink()
    report = imported(source, tmp_path / "out")
    assert guests(tmp_path / "out")["default/vm-1"]["spec"]["domain"]["title"] == "new"
    assert report.stale == ["default/vm-2.yaml"]
    assert "vm-2" not in (tmp_path / "out/kustomization.yaml").read_text()
    (source / "n/2.xml").write_text(domain(2))
    assert imported(source, tmp_path / "out").stale == []


def test_a_folder_that_is_a_link_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/default").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KubevmmError, match="is a link"):
        imported(write(tmp_path / "in", {"n/1.xml": domain(1)}), tmp_path / "out", force=True)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_two_imports_at_once_into_one_folder_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from analyser.importer import spool  # noqa: PLC0415

    monkeypatch.setattr(spool, "_PATIENCE", 0.2)
    source = write(tmp_path / "in", {"n/1.xml": domain(1)})
    with spool.opened(tmp_path / "out", {}), pytest.raises(KubevmmError, match="another import"):
        imported(source, tmp_path / "out")


def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = virtctl("import", OPENSTACK, "-o", tmp_path / "file/out")
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"cannot be written" in done.stderr
