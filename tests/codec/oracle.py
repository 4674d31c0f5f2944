"""What the codec alone makes of a document, beside what the fast paths in front of it make of it."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from analyser import convert as converting
from analyser import documents, fastxml, fastyaml, xmlreader
from analyser.convert import convert
from schemas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
FILES = [*(ROOT / "examples").rglob("*.xml"), *(ROOT / "tests" / "fixtures" / "documents").glob("*.xml")]
"""Real documents: as libvirt leaves them on disk, as Nova does, and as people write them."""


@contextmanager
def codec_alone() -> Iterator[None]:
    """Convert by the codec alone."""
    with mock.patch.object(converting, "_fast", return_value=None):
        yield


def by_codec(data: bytes) -> str | None:
    """Return what the codec makes of *data*, None where it refuses it."""
    with codec_alone():
        try:
            return convert(data, file="a file").text
        except InputError:
            return None


def printed(data: bytes) -> bytes | None:
    """Return the document in *data* as virsh prints it, None where there is none."""
    try:
        (root,) = xmlreader.parse(data, comments=True)
        return documents.to_xml(documents.to_object(root, comments=True)).encode()
    except (InputError, ValueError):
        return None


def check_xml(data: bytes) -> bool:
    """Hold the fast path from XML to what the codec does; return whether it accepts *data*."""
    fast = fastxml.to_yaml(data)
    if fast is not None:
        text = data.decode().rstrip("\n")
        with codec_alone():
            assert convert(data, file="a file").text == fast, text
            assert convert(fast.encode(), file="a file").text.rstrip("\n") == text
    converted = converting._fast(data, "xml")  # noqa: SLF001  (with the layout of what virsh did not print)
    if converted is not None:
        assert converted == by_codec(data)
    return fast is not None


def check_yaml(data: bytes) -> bool:
    """Hold the fast path from YAML to what the codec does; return whether it accepts *data*."""
    if fastyaml.to_xml(data) is None:
        return False
    assert converting._fast(data, "yaml") == by_codec(data), data.decode()  # noqa: SLF001
    return True
