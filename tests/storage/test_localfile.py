"""A file of the node is an image's source only where it lies in a folder that images may come from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from executor.storage import localfile
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "images"
    found.mkdir()
    (tmp_path / "outside").write_bytes(b"secret")
    (found / "inside").write_bytes(b"image")
    monkeypatch.setenv(localfile.VARIABLE, str(found))
    return found


def test_a_file_below_such_a_folder_is_read_also_by_a_link_inside(folder: Path) -> None:
    (folder / "link").symlink_to("inside")
    for name in ("inside", "link", "../images/inside"):
        with localfile.open_below(f"{folder}/{name}") as file:
            assert file.read() == b"image"


def test_what_leads_out_or_is_no_plain_file_is_refused(folder: Path) -> None:
    (folder / "link").symlink_to(folder.parent / "outside")
    (folder / "folder").symlink_to(folder.parent)
    os.mkfifo(folder / "pipe")
    (folder / "device").symlink_to("/dev/zero")
    for name in (
        "link", "folder/outside", "../outside", "pipe", "device", "nosuch", "", ".", "x\0y", "../../../../etc/shadow",
    ):  # fmt: skip
        with pytest.raises(KubevmmError) as caught:
            localfile.open_below(f"{folder}/{name}")
        assert "\n" not in str(caught.value)
    for path in ("/etc/shadow", "relative", "", "file:///etc/shadow", "/proc/self/mem", f"{folder}x/inside"):
        with pytest.raises(KubevmmError, match="not below a folder"):
            localfile.open_below(path)


def test_without_a_folder_nothing_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(localfile.VARIABLE, "")
    with pytest.raises(KubevmmError, match="not below"):
        localfile.open_below(str(folder / "inside"))
