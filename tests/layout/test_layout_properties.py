"""What holds of every document and every layout."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from analyser.layout import apply, describe
from analyser.layout.reprint import MAX_LENGTH
from tests.layout.documents import Element, by_hand, elements, meaning, virsh

SEEDS = st.integers(0, 1 << 32)
ORDINALS = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.sampled_from(("", "-7", "-40", "-999999999")),
        st.sampled_from(("", ":n1s3", ":+4", ":-9", ":0", ":t3", ":2")),
    ),
    max_size=4,
).map(lambda parts: ",".join(f"{first}{to}{value}" for first, to, value in sorted(parts)))
BASES = st.sampled_from(("", "double,", "single,", "4,", "tab,", "0,", "space,"))
NUMBERED = st.tuples(
    st.sampled_from(("quotes", "indent", "blank", "space", "slash", "bracket", "wrap")), BASES, ORDINALS
).map(lambda parts: f"{parts[0]}={parts[1]}{parts[2]}")
OPEN = st.sampled_from(("disk", "a", "ab", "arg#1", "source#1-2;driver")).map("open={0} shut={0}".format)
GARBAGE = st.text(max_size=40) | st.text(alphabet="orderquotesindent=,;-#~/*!:0123456789 ", max_size=60)
LAYOUTS = st.lists(NUMBERED | OPEN | GARBAGE, max_size=5).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(elements(), SEEDS)
def test_any_print_of_a_document_is_described_and_comes_back(root: Element, seed: int) -> None:
    canonical = virsh(root)
    original = by_hand(root, seed)
    layout = describe(original, canonical)
    assert len(layout or "") <= MAX_LENGTH
    assert apply(canonical, layout or "").strip() == original.strip()


@settings(max_examples=300, deadline=None)
@given(elements(), elements(), SEEDS)
def test_a_layout_of_another_document_never_changes_the_meaning(root: Element, other: Element, seed: int) -> None:
    canonical = virsh(root)
    theirs = virsh(other)
    layouts = [describe(by_hand(other, seed), theirs), describe(by_hand(other, seed), canonical)]
    for layout in layouts:
        assert meaning(apply(canonical, layout or "")) == meaning(canonical)


@settings(max_examples=500, deadline=None)
@given(elements(), LAYOUTS, st.booleans())
def test_no_layout_at_all_changes_the_meaning(root: Element, layout: str, fits: bool) -> None:
    canonical = virsh(root)
    if fits:
        # What a document of this very shape would say of itself, so that the ordinals are not refused at once.
        shaped = describe(
            canonical.replace("'urn:x'", "'urn:x' " if canonical.count("'urn:x'>") else "'urn:x'\n"), canonical
        )
        layout = f"{layout} shape={(shaped or '').rpartition('=')[2]}"
    assert meaning(apply(canonical, layout)) == meaning(canonical)


@settings(max_examples=200, deadline=None)
@given(st.text(), st.text(), st.text())
def test_nothing_is_ever_raised(original: str, canonical: str, layout: str) -> None:
    described = describe(original, canonical)
    assert described is None or len(described) <= MAX_LENGTH
    assert apply(canonical, layout) == canonical
