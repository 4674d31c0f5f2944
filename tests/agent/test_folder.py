"""What a folder of manifests says, and what never counts as a removal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from executor.agent.manifests import GONE, Manifests
from executor.agent.memory import Memory
from executor.engine.objects import Ref
from tests.agent.running import WEB, Folder
from tests.engine.objects import vm

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from executor.agent.manifests import Reading

DB = Ref("VirtualMachine", "default", "db-1")


class Read:
    """The folder as it is read at times of the test's own; all that was well read is claimed, as the agent does."""

    def __init__(self, folder: Path, state: Path) -> None:
        self.now = 1000.0
        self.memory = Memory(state, folder)
        self.memory.load()
        self._manifests = Manifests(folder, self.memory, clock=lambda: self.now)

    def __call__(self) -> Reading:
        reading = self._manifests.scan()
        for declared in reading.objects.values():
            self.memory.add(declared)
        return reading

    def later(self) -> Reading:
        """Read it now, and again when a removal counts."""
        self()
        self.now += GONE + 1
        return self()


@pytest.fixture
def read(folder: Folder, tmp_path: Path) -> Read:
    return Read(folder.path, tmp_path / "state")


def test_a_file_that_went_counts_only_when_it_was_seen_twice(folder: Folder, read: Read) -> None:
    folder.vm()
    assert read().objects.keys() == {WEB}
    folder.path.joinpath("web-1.yaml").unlink()
    first = read()
    assert (first.objects.keys(), first.gone) == ({WEB}, frozenset())
    assert first.again is not None
    read.now += GONE + 1
    assert (read().objects.keys(), read().gone) == (set(), {WEB})


def test_a_file_that_goes_while_nobody_looks_is_noticed_later(folder: Folder, read: Read, tmp_path: Path) -> None:
    folder.vm()
    read()
    folder.path.joinpath("web-1.yaml").unlink()
    assert Read(folder.path, tmp_path / "state").later().gone == {WEB}


def test_another_folder_deletes_nothing_that_this_one_brought(folder: Folder, read: Read, tmp_path: Path) -> None:
    folder.vm()
    read()
    (tmp_path / "other").mkdir()
    assert Read(tmp_path / "other", tmp_path / "state").later().gone == frozenset()


def _renamed(folder: Folder) -> None:
    folder.path.joinpath("web-1.yaml").rename(folder.path / "other.yaml")


def _moved_into_another_file(folder: Folder) -> None:
    folder.put(f"{vm('db-1')}---\n{vm('web-1')}", "db-1.yaml")
    folder.path.joinpath("web-1.yaml").unlink()


def _replaced_by_a_link(folder: Folder) -> None:
    target = folder.path.parent / "elsewhere.yaml"
    folder.path.joinpath("web-1.yaml").rename(target)
    folder.path.joinpath("web-1.yaml").symlink_to(target)


def _behind_links_as_a_volume_is_mounted(folder: Folder) -> None:
    data = folder.path / "..2026"
    data.mkdir()
    folder.path.joinpath("web-1.yaml").rename(data / "web-1.yaml")
    folder.path.joinpath("..data").symlink_to(data)
    folder.path.joinpath("web-1.yaml").symlink_to("..data/web-1.yaml")


def _cut_off(folder: Folder) -> None:
    folder.path.joinpath("web-1.yaml").write_text("apiVersion: kubevmm.io/v1alpha1\nkind: Virt", encoding="utf-8")


def _emptied(folder: Folder) -> None:
    folder.path.joinpath("web-1.yaml").write_text("", encoding="utf-8")


def _commented_out(folder: Folder) -> None:
    folder.path.joinpath("web-1.yaml").write_text("# " + vm().replace("\n", "\n# "), encoding="utf-8")


def _nonsense(folder: Folder) -> None:
    folder.path.joinpath("web-1.yaml").write_bytes(b"\xff\xfe\x00[")


def _a_folder(folder: Folder) -> None:
    folder.path.joinpath("web-1.yaml").unlink()
    folder.path.joinpath("web-1.yaml").mkdir()


def _a_pipe(folder: Folder) -> None:
    import os  # noqa: PLC0415  (for this alone)

    folder.path.joinpath("web-1.yaml").unlink()
    os.mkfifo(folder.path / "web-1.yaml")


def _a_link_to_nothing(folder: Folder) -> None:
    folder.path.joinpath("web-1.yaml").unlink()
    folder.path.joinpath("web-1.yaml").symlink_to("nowhere")


def _a_link_to_itself(folder: Folder) -> None:
    folder.path.joinpath("web-1.yaml").unlink()
    folder.path.joinpath("web-1.yaml").symlink_to("web-1.yaml")


def _away_with_another_invalid(folder: Folder) -> None:
    folder.path.joinpath("web-1.yaml").unlink()
    folder.put("kind: [", "broken.yaml")


def _the_folder_itself_away(folder: Folder) -> None:
    folder.path.rename(folder.path.parent / "moved")


@pytest.mark.parametrize(
    "change", [_renamed, _moved_into_another_file, _replaced_by_a_link, _behind_links_as_a_volume_is_mounted]
)
def test_what_is_only_moved_is_still_there(folder: Folder, read: Read, change: Callable[[Folder], None]) -> None:
    folder.vm()
    read()
    change(folder)
    reading = read.later()
    assert WEB in reading.objects
    assert (reading.gone, reading.problems, reading.stale) == (frozenset(), (), {})


@pytest.mark.parametrize(
    "change",
    [
        _cut_off,
        _emptied,
        _commented_out,
        _nonsense,
        _a_folder,
        _a_pipe,
        _a_link_to_nothing,
        _a_link_to_itself,
        _away_with_another_invalid,
        _the_folder_itself_away,
    ],
)
def test_what_cannot_be_read_keeps_what_it_said_and_deletes_nothing(
    folder: Folder, read: Read, tmp_path: Path, change: Callable[[Folder], None]
) -> None:
    folder.vm()
    read()
    change(folder)
    reading = read.later()
    assert WEB in reading.objects
    assert reading.gone == frozenset()
    assert len(reading.problems) == 1
    assert WEB in reading.stale
    # Nor after a start, when nobody knows what it said.
    anew = Read(folder.path, tmp_path / "state").later()
    assert anew.gone == frozenset()


def test_a_document_taken_out_of_a_file_goes(folder: Folder, read: Read) -> None:
    folder.put(f"{vm('db-1')}---\n{vm('web-1')}")
    read()
    folder.put(vm("db-1"))
    assert read.later().gone == {WEB}


def test_what_is_surely_gone_stays_gone_whatever_breaks_later(folder: Folder, read: Read) -> None:
    folder.vm()
    read()
    folder.path.joinpath("web-1.yaml").unlink()
    assert read.later().gone == {WEB}
    folder.put("kind: [", "broken.yaml")
    assert read().gone == {WEB}
    folder.vm()
    assert read().gone == frozenset()


def test_an_object_in_two_files_is_refused_and_kept(folder: Folder, read: Read) -> None:
    folder.vm()
    read()
    folder.put(vm(domain="title: Other"), "again.yaml")
    reading = read.later()
    assert WEB in reading.refused
    assert "again.yaml" in reading.refused[WEB]
    assert "web-1.yaml" in reading.refused[WEB]


def test_hidden_files_other_endings_and_folders_below_are_not_read(folder: Folder, read: Read) -> None:
    for name in (".web.yaml", "web.yaml~", "web.txt"):
        folder.put(vm(), name)
    (folder.path / "below").mkdir()
    (folder.path / "below" / "web.yaml").write_text(vm(), encoding="utf-8")
    assert read().objects == {}


def test_an_empty_folder_on_another_file_system_is_taken_for_one_that_is_not_mounted(
    folder: Folder, read: Read
) -> None:
    folder.vm()
    read()
    (read.memory.folder / "device").write_text("1", encoding="ascii")
    folder.path.joinpath("web-1.yaml").unlink()
    reading = read.later()
    assert reading.gone == frozenset()
    assert "mounted" in reading.problems[0]
