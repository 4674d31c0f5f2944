"""Hypothesis strategies that several areas share: documents and objects by the tables, and broken ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.fuzz.choices import Bytes
from tests.fuzz.objects import object_by_table
from tests.fuzz.xmldocuments import xml_document

if TYPE_CHECKING:
    from collections.abc import Callable


class _Drawn:
    """Choices that Hypothesis makes, and shrinks."""

    def __init__(self, draw: Callable[[st.SearchStrategy[int]], int]) -> None:
        self._draw = draw

    def below(self, limit: int) -> int:
        return self._draw(st.integers(0, limit - 1)) if limit > 1 else 0


def xml_documents() -> st.SearchStrategy[str]:
    """Well-formed documents of libvirt's kinds, with all that XML allows beside what the tables know."""
    large = st.binary(min_size=40, max_size=500).map(lambda data: xml_document(Bytes(data)))
    return _drawn_documents() | large


@st.composite
def _drawn_documents(draw: Any) -> str:
    return xml_document(_Drawn(draw))


@st.composite
def objects(draw: Any, *, mistakes: bool = False) -> dict[str, Any]:
    """Objects by the tables: right ones, or with *mistakes* what a person might write."""
    return object_by_table(_Drawn(draw), mistakes=mistakes)


def anything() -> st.SearchStrategy[Any]:
    """What a JSON or YAML library may return, and more."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | scalars, inner, max_size=4),
    )


def broken(text: bytes) -> st.SearchStrategy[bytes]:
    """*text* cut short, with bytes in its middle replaced."""
    return st.builds(
        lambda at, length, put: text[:at] + put + text[at + length :],
        st.integers(0, len(text)),
        st.integers(0, len(text)),
        st.binary(max_size=6)
        | st.sampled_from([b"<", b">", b"'", b"&x;", b"\n", b"  ", b"- ", b": ", b"\xff", b"\x00", b"]]>", b"<!--"]),
    )
