"""What a layout's text says of a document, and what happens where it does not fit."""

from __future__ import annotations

import pytest

from analyser.layout import apply, describe
from tests.layout.documents import meaning

CANONICAL = """\
<domain type='kvm'>
  <name>one</name>
  <devices>
    <controller type='usb' index='0'/>
    <controller type='pci' index='1'/>
    <controller type='pci' index='2'/>
    <disk type='file'>
      <source file='/a&apos;b&quot;c'/>
    </disk>
    <disk type='block'/>
    <!-- a
      comment -->
  </devices>
</domain>
"""

CASES = [
    ("double quotes", [("'", '"')], "quotes=double"),
    ("double quotes but one", [("'", '"'), ('"kvm"', "'kvm'")], "quotes=double,1 shape=SHAPE"),
    ("one attribute in double quotes", [("'usb'", '"usb"')], "quotes=2 shape=SHAPE"),
    ("four spaces a level", [("  <", "    <"), ("    <!", "      <!")], None),
    ("an element further in", [("    <disk type='block'", "      <disk type='block'")], "indent=10:+2 shape=SHAPE"),
    ("a comment at the margin", [("    <!--", "<!--")], "indent=11:-4 shape=SHAPE"),
    ("an empty line", [("  <devices>", "\n  <devices>")], "blank=3 shape=SHAPE"),
    ("an empty element as a pair", [("<disk type='block'/>", "<disk type='block'>\n    </disk>")], None),
    ("a pair with nothing in it", [("<disk type='block'/>", "<disk type='block'></disk>")], None),
    ("elements on one line", [("/>\n    <controller", "/><controller")], "space=5-6:0 shape=SHAPE"),
    ("a space before the slash", [("/>", " />")], "slash=space"),
    ("a space before one slash", [("index='1'/>", "index='1' />")], "slash=2 shape=SHAPE"),
    ("a space before the bracket", [("'kvm'>", "'kvm' >")], "bracket=1 shape=SHAPE"),
    ("an attribute on a line of its own", [(" index='2'", "\n      index='2'")], "wrap=7:n1s6 shape=SHAPE"),
    ("the line ends of Windows", [("\n", "\r\n")], "newline=crlf"),
    (
        "tabs",
        [("    ", "\t\t"), ("\t\t  ", "\t\t\t"), ("\n  <", "\n\t<"), ("\t\t\tcomment", "      comment")],
        "indent=tab",
    ),
]  # fmt: skip


def edited(pairs: list[tuple[str, str]]) -> str:
    text = CANONICAL
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize(("pairs", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_print_by_hand_is_described_and_comes_back(pairs: list[tuple[str, str]], expected: str | None) -> None:
    original = edited(pairs)
    layout = describe(original, CANONICAL)
    assert layout is not None
    assert apply(CANONICAL, layout) == original
    if expected is not None:
        head, _, shape = layout.partition(" shape=")
        assert head + (" shape=SHAPE" if shape else "") == expected


def test_interleaved_lists_come_back_in_their_order() -> None:
    disk = "    <disk type='file'>\n      <source file='/a&apos;b&quot;c'/>\n    </disk>\n"
    second = "    <controller type='pci' index='1'/>\n"
    original = CANONICAL.replace(disk, "").replace(second, disk + second)
    layout = describe(original, CANONICAL)
    assert layout is not None
    assert layout.startswith("order=devices~")
    assert layout.endswith("/controller,disk,controller*2,disk,!")
    assert apply(CANONICAL, layout) == original


def test_a_pair_of_virsh_can_be_one_tag_and_the_other_way_round() -> None:
    canonical = "<a>\n  <devices>\n  </devices>\n  <b/>\n  <b/>\n</a>\n"
    original = "<a>\n  <devices/>\n  <b/>\n  <b>\n  </b>\n</a>\n"
    layout = describe(original, canonical)
    assert layout is not None
    assert layout.startswith("open=b#2 shut=devices shape=")
    assert apply(canonical, layout) == original


def test_siblings_of_one_name_never_change_places() -> None:
    disk = "    <disk type='block'/>\n"
    first = "    <controller type='usb' index='0'/>\n"
    original = CANONICAL.replace(disk, "").replace(first, disk + first)
    layout = describe(original, CANONICAL)
    assert layout is not None
    assert meaning(apply(CANONICAL, layout)) == meaning(CANONICAL)


def test_the_same_print_has_no_layout() -> None:
    assert describe(CANONICAL, CANONICAL) is None
    assert describe("<?xml version='1.0' encoding='UTF-8'?>\n\n" + CANONICAL + "\n\n", CANONICAL) is None


def test_the_empty_line_below_a_leading_comment_comes_back() -> None:
    canonical = "<!-- edit with virsh -->\n" + CANONICAL
    original = "<!-- edit with virsh -->\n\n" + CANONICAL
    layout = describe(original, canonical)
    assert layout is not None
    assert apply(canonical, layout) == original


@pytest.mark.parametrize("other", ["blockers", "modelling", "mod"])
def test_long_interleaving_is_written_with_names_cut_short(other: str) -> None:
    canonical = "<a>\n" + "  <model/>\n" * 200 + f"  <{other}/>\n" * 120 + "</a>\n"
    original = "<a>\n" + f"  <model/>\n  <{other}/>\n" * 120 + "  <model/>\n" * 80 + "</a>\n"
    layout = describe(original, canonical)
    assert layout is not None
    assert apply(canonical, layout) == original


def test_a_layout_is_never_long_and_keeps_the_order_first() -> None:
    items = [f"  <disk file='{number}'/>\n" for number in range(3000)]
    canonical = "<a>\n" + "".join(items) + "  <b/>\n</a>\n"
    odd = [item.replace("'", '"') if number % 2 else "\n " + item for number, item in enumerate(items)]
    original = "<a>\n  <b/>\n" + "".join(odd) + "</a>\n"
    layout = describe(original, canonical)
    assert layout is not None
    assert len(layout) <= 2000
    assert layout.startswith("order=a~")
    assert meaning(apply(canonical, layout)) == meaning(canonical)
    assert apply(canonical, layout).startswith("<a>\n  <b/>")


def test_a_layout_holds_nothing_of_the_document_but_names() -> None:
    canonical = "<a>\n  <c passwd='s3cret'/>\n  <b>hidden</b>\n  <!-- private -->\n</a>\n"
    original = '<a>\n\n <!-- private --><b >hidden</b>\n<c\n passwd="s3cret" ></c></a>'
    layout = describe(original, canonical)
    assert layout is not None
    assert apply(canonical, layout).strip() == original
    assert not any(word in layout for word in ("s3cret", "hidden", "private", "passwd"))


LAYOUT = "quotes=double,1 indent=4,3:+2,5-6:t1 blank=4:3 space=7:0 open=disk#2 slash=space,1 bracket=1 wrap=2:n1"

BROKEN = [
    "", " ", "=", "quotes", "quotes=", "quotes=0", "quotes=999999999", "quotes=1-999999999", "quotes=5,3", "quotes=3-1",
    "quotes=triple", "indent=999999999", "indent=99", "indent=2:t9999s9999,3-13:+9999", "indent=-1", "indent=2:+-1",
    "blank=2-13:999", "blank=2:999999999", "space=2:x1", "space=2:n9999n9999", "space=1-13:" + "s9999" * 20,
    "open=#", "open=disk#",
    "open=name", "shut=disk", "shut=#", "shut=name", "open=disk#7", "open=;;;", "order=", "order=;", "order=devices",
    "order=devices~0000/disk*2,controller*3",
    "order=devices#0~0000/disk", "order=.~0000/domain", "slash=2:q", "wrap=2:0", "wrap=2:", "bracket=x", "newline=cr",
    "shape=", "unknown=1", "quotes=\ud800", "quotes=\u0663", "order=\u00e9~0000/*", "x" * 5000, "quotes=" + "1," * 900,
]  # fmt: skip


@pytest.mark.parametrize("layout", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_layout_changes_nothing_that_counts(layout: str) -> None:
    shape = (describe(CANONICAL.replace("'usb'", '"usb"'), CANONICAL) or "").partition(" ")[2]
    assert shape.startswith("shape=")
    for text in (layout, f"{layout} {shape}"):
        printed = apply(CANONICAL, text)
        assert meaning(printed) == meaning(CANONICAL)
        assert len(printed) < 100 * len(CANONICAL)


@pytest.mark.parametrize(
    "canonical", ["", "<a>", "<!DOCTYPE a><a/>", "<a/><b/>", "text", "\ud800", "<a>&x;</a>", "<a b=c/>"]
)
def test_what_is_no_document_comes_back_as_it_is(canonical: str) -> None:
    assert apply(canonical, "quotes=double indent=4") == canonical
    assert describe(canonical + " ", canonical) is None
    assert describe("<a></a>", canonical) is None
    assert describe(canonical, "<a/>") is None


def test_after_an_edit_of_the_shape_only_what_holds_for_all_is_left() -> None:
    shape = (describe(CANONICAL.replace("'usb'", '"usb"'), CANONICAL) or "").partition(" ")[2]
    assert apply(CANONICAL, f"{LAYOUT} {shape}") != apply(CANONICAL, LAYOUT)
    longer = CANONICAL.replace("    <disk type='block'/>\n", "    <disk type='block'/>\n    <disk type='dir'/>\n")
    expected = apply(longer, "quotes=double indent=4 slash=space")
    assert apply(longer, f"{LAYOUT} {shape}") == expected
    assert '<disk type="dir" />' in expected


def test_an_edit_of_values_keeps_the_whole_layout() -> None:
    original = CANONICAL.replace("'usb'", '"usb"').replace("  <devices>", "\n\n  <devices>")
    layout = describe(original, CANONICAL)
    assert layout is not None
    assert apply(CANONICAL.replace("one", "two"), layout) == original.replace("one", "two")


def test_an_order_that_was_changed_since_is_left_alone() -> None:
    canonical = "<filter>\n  <rule/>\n  <filterref/>\n  <uuid/>\n</filter>\n"
    original = "<filter>\n  <uuid/>\n  <rule/>\n  <filterref/>\n</filter>\n"
    layout = describe(original, canonical)
    assert layout is not None
    assert apply(canonical, layout) == original
    swapped = "<filter>\n  <filterref/>\n  <rule/>\n  <uuid/>\n</filter>\n"
    assert apply(swapped, layout) == swapped


def test_text_between_tags_is_never_touched() -> None:
    canonical = "<a>\n  <m>text <b c='1'/>\n more</m>\n  <m> \n </m>\n  <n/>\n  <m><![CDATA[ ]]></m>\n</a>\n"
    layout = "quotes=double indent=4 slash=space"
    expected = "<a>\n    <m>text <b c='1'/>\n more</m>\n    <m> \n </m>\n    <n />\n    <m><![CDATA[ ]]></m>\n</a>\n"
    assert apply(canonical, layout) == expected


def test_documents_that_say_different_things_still_lend_each_other_their_order() -> None:
    canonical = "<a>\n  <d v='1'/>\n  <d v='2'/>\n  <c/>\n</a>\n"
    original = '<!-- x -->\n<a xmlns:p="urn:p">\n  <d v="1"/><p:c/>\n  <!-- y --><d w="2">text</d></a>'
    layout = describe(original, canonical)
    assert layout is not None
    printed = apply(canonical, layout)
    assert meaning(printed) == meaning(canonical)
    assert printed.index("<c") < printed.index("2")
