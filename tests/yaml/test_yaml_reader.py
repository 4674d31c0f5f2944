"""Reading: what scalars mean, JSON, encodings, positions, and one clear error for all that is refused."""

from __future__ import annotations

import json
import traceback
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings

from analyser.model import Comment
from analyser.yamlfallback import parse
from analyser.yamlreader import MAX_DEPTH, Mark, decode, iter_documents, load_all, load_with_marks, nearest_mark
from analyser.yamlwriter import dump
from schemas.errors import InputError
from tests.yaml.yamlmodels import documents, visible

MEANINGS: list[tuple[str, Any]] = [
    *((word, True) for word in ("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE")),
    *((word, False) for word in ("n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE")),
    *((word, word) for word in ("yEs", "oN", "nULL", "0744", "0o17", "0x1f", "0b1", "1_000", "+1", "-0", "00", "1.10")),
    *((word, word) for word in ("1e3", ".5", ".inf", ".nan", "2001-01-01", "1:20", "<a:b>", "4Gi")),
    ("0", 0),
    ("-1", -1),
    ("9223372036854775807", 2**63 - 1),
    ("-9223372036854775808", -(2**63)),
    ("9223372036854775808", "9223372036854775808"),
    ("-9223372036854775809", "-9223372036854775809"),
    ('"yes"', "yes"),
    ("'1'", "1"),
    ("!!str 1", "1"),
    ('!!int "1"', 1),
    ("! 1", "1"),
    ("http://example.org/#a  # a comment", "http://example.org/#a"),
    ("=", "="),
    ("{b: [1, on], c: {}}", {"b": [1, True], "c": {}}),
    (">-\n  folded\n  text", "folded text"),
    ("two\n  lines", "two lines"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "meaning"), MEANINGS)
def test_a_scalar_means_what_it_means_to_kubectl_or_is_its_own_text(text: str, meaning: Any) -> None:
    assert visible(load_all(f"a: {text}\n")) == visible([{"a": meaning}])
    assert visible([each for each, _ in parse(f"a: {text}\n")]) == visible([{"a": meaning}])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:\nb: ~\nc: null\nd: 1\n", [{"d": 1}]),
        ("a: &x\n  b: 1\nc: *x\nd: *x\n", [{"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1}}]),
        ("a: &x {b: 1, c: 1}\nd:\n  <<: *x\n  c: 2\n", [{"a": {"b": 1, "c": 1}, "d": {"b": 1, "c": 2}}]),
        ("a: &x {b: 1}\nc: &y {b: 2}\nd: {<<: [*x, *y]}\n", [{"a": {"b": 1}, "c": {"b": 2}, "d": {"b": 1}}]),
        ('"<<": 1\n', [{"<<": 1}]),
        ("1: a\ntrue: b\n0x10: c\n", [{"1": "a", "true": "b", "0x10": "c"}]),
        ("? a\n: b\n", [{"a": "b"}]),
        ("", []),
        ("# only a comment\n", []),
        ("---\n...\n---\n", []),
        ("null\n", []),
        ("{}\n", [{}]),
        ("---\na: 1\n---\n# nothing\n---\nb: 2\n...\n", [{"a": 1}, {"b": 2}]),
        ("--- {a: 1}\n--- # b\nb: 2\n", [{"a": 1}, {"b": 2}]),
        ("%YAML 1.1\n---\na: 1\n", [{"a": 1}]),
        ("a: 1\r\nb:\r\n- c\r\n", [{"a": 1, "b": ["c"]}]),
        ("a: |+\n  x\n\n---\nb: 1\n", [{"a": "x\n\n"}, {"b": 1}]),
        ("a: |\n  x", [{"a": "x"}]),
        ('{"a": [1, true, "x", {}], "b": null}', [{"a": [1, True, "x", {}]}]),
        ('\n  {"a": 1.50, "b": 1e3, "c": -0}\n', [{"a": "1.50", "b": "1e3", "c": "-0"}]),
        ('{"a": 9223372036854775808, "b": -1}', [{"a": "9223372036854775808", "b": -1}]),
        ('{"a": "\\ud83d\\ude00"}\n---\n{"a": 2}\n---\nb: 3\n', [{"a": "😀"}, {"a": 2}, {"b": 3}]),
        ('{"a":\t1}', [{"a": 1}]),
        ("{a: 1}", [{"a": 1}]),
    ],
)  # fmt: skip
def test_documents_are_read_as_kubectl_would(text: str, expected: list[Any]) -> None:
    assert visible(load_all(text)) == visible(expected)


@settings(max_examples=200, deadline=None)
@given(documents())
def test_json_reads_as_the_same_document(document: dict[Any, Any]) -> None:
    for text in (json.dumps(document), json.dumps(document, ensure_ascii=False, indent=2)):
        assert visible(load_all(f"{text}\n---\n{text}\n")) == visible([document, document])


REFUSED: list[tuple[str, str]] = [
    ("a: 1\nb: 2\na: 3\n", "3:1: the key 'a' is there twice (first on line 1)"),
    ("a:\n  - b: 1\n    b: 2\n", "3:5: the key 'b' is there twice (first on line 2)"),
    ("a: 1\n---\nb: 1\n---\nc: 1\nc: 2\n", "6:1: the key 'c' is there twice (first on line 5)"),
    ('{"a": 1, "a": 2}', "1:10: the key 'a' is there twice (first on line 1)"),
    ("a: 1\r\na: 2\r\n", "2:1: the key 'a' is there twice (first on line 1)"),
    ("a: b: c\n", "1:5: a second colon, or a line that is indented too far"),
    ("a: 1\n b: 2\n", "2:3: a second colon, or a line that is indented too far"),
    ("a:\n\tb: 1\n", "2:1: a tab where YAML takes spaces alone"),
    ("a: @x\n", "1:4: a value cannot begin with '@'"),
    ("a: 'x\nb: 1\n", "1:4: a quote that is never closed begins here"),
    ("a: 1\n---\nb: [1, 2\nc: 3\n", "3:4: a '[' that is never closed begins here, or a comma is missing in it"),
    ("a: *x\n", "1:4: there is no anchor 'x' before this alias"),
    ("a: &x\n  b: *x\n", "2:6: the anchor 'x' contains itself"),
    ("a: !foo x\n", "1:4: the tag '!foo' is not known"),
    ("a: !!python/object/apply:os.system [x]\n", "1:4: the tag '!!python/object/apply:os.system' is not known"),
    ("!!set {a}\n", "1:1: the tag '!!set' is not known"),
    ("a: !!int x\n", "1:4: 'x' is no int"),
    ("a: {<<: 1}\n", "1:9: a merge key (<<) takes mappings alone"),
    ("? [a]\n: b\n", "1:3: a key must be a single value, not a mapping or a list"),
    ("a: &x [1]\n*x : b\n", "2:1: a key must be a string"),
    ("a:\n- 1\n- \n", "3:2: a list's item is empty"),
    ('{"a": [null]}', "1:8: a list's item is empty"),
    ("- a\n", "1:1: a document must be a mapping, not a list"),
    ("a: 1\n---\ntext\n", "3:1: a document must be a mapping, not a single value"),
    ("a: 1\nb: x\x07\n", "2:5: a control character (U+0007) is not allowed in YAML"),
    ("a: \ud83d\n", "1:4: half a character (U+D83D) is not allowed in YAML"),
    ("a: [" + "[" * 100_000, f"1:{MAX_DEPTH + 3}: the document nests deeper than {MAX_DEPTH} levels"),
    ('{"a":' * 100_000, f"1:{MAX_DEPTH * 5 + 1}: the document nests deeper than {MAX_DEPTH} levels"),
    ("{a: " * 100_000, f"1:{MAX_DEPTH * 4 + 1}: the document nests deeper than {MAX_DEPTH} levels"),
    ("a:\n" + "".join(" " * at + "-\n" for at in range(2000)), "513:512: the document nests deeper than 512 levels"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=lambda value: ascii(value[:30]))
def test_what_is_refused_is_refused_in_one_line_with_its_place(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_all(text, file="guest.yaml")
    assert str(caught.value) == f"guest.yaml:{message}"
    assert "OutsideSubset" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(InputError):
        load_with_marks(text, file="guest.yaml")


def bomb(letters: str) -> str:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]" for old, new in pairwise(letters)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        bomb("abcdefghij"),
        bomb("abcdefghij").replace("[x,", "[{k: v},"),
        "a: &a " + "x" * 1_000_000 + "\nb: [" + "*a, " * 20 + "]\n",
        "a: &a {" + "".join(f"k{at}: v, " for at in range(1000)) + "}\nb: [" + "{<<: *a}, " * 2000 + "]\n",
    ],
    ids=["lists", "mappings", "long strings", "merges"],
)  # fmt: skip
def test_aliases_cannot_make_a_document_grow_without_bound(text: str) -> None:
    with pytest.raises(InputError, match="the document grows too large by its aliases"):
        load_all(text)


def test_aliases_cannot_make_a_document_nest_without_bound() -> None:
    text = "a0: &a0 [x]\n" + "".join(f"a{at}: &a{at} [[[[[[*a{at - 1}]]]]]]\n" for at in range(1, 300))
    with pytest.raises(InputError, match=f"deeper than {MAX_DEPTH} levels by its aliases"):
        load_all(text)


def test_what_an_alias_brings_is_a_copy() -> None:
    (document,) = load_all("a: &x {b: [1]}\nc: *x\n")
    document["c"]["b"].append(2)
    assert document["a"] == {"b": [1]}


def test_nothing_that_is_read_is_shared_with_what_is_read_next() -> None:
    text = "a: {}\nb: []\nc:\n- {}\n- []\n"
    (first,) = load_all(text)
    first["a"]["x"] = first["b"].append(1) or first["c"][0].setdefault("y", 1) or first["c"][1].append(2)
    assert load_all(text) == [{"a": {}, "b": [], "c": [{}, []]}]


def test_documents_come_one_by_one() -> None:
    stream = iter_documents("a: 1\n---\nb: [\n")
    assert next(stream) == {"a": 1}
    with pytest.raises(InputError):
        next(stream)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_bytes_are_decoded_by_their_byte_order_mark(encoding: str) -> None:
    text = "a: é😀\n"
    data = text.encode(encoding)
    if encoding.endswith(("-le", "-be")):
        data = "\ufeff".encode(encoding) + data
    assert decode(data) == text


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"a: 1\nb: \xff\n", "f:2:4: the bytes here are not UTF-8"),
        (b"\xef\xbb\xbfa: \xc3", "f:1:4: the bytes here are not UTF-8"),
        (b"\xff\xfea\x00\n\x00b", "f:2:1: the bytes here are not UTF-16-LE"),
    ],
)
def test_bytes_that_are_no_text_are_refused_with_their_place(data: bytes, place: str) -> None:
    with pytest.raises(InputError) as caught:
        decode(data, "f")
    assert str(caught.value) == place


def test_marks_say_where_keys_and_values_stand() -> None:
    text = "# c\nspec:\n  disks:\n  - target: {dev: vda}\n    type: &t file\n  - x\n  n: ~\n---\na: 1\n"
    (first, marks), (second, others) = load_with_marks(text)
    assert first == {"spec": {"disks": [{"target": {"dev": "vda"}, "type": "file"}, "x"]}}
    assert second == {"a": 1}
    assert marks == {
        ("spec",): Mark(2, 1, 3, 3),
        ("spec", "disks"): Mark(3, 3, 4, 3),
        ("spec", "disks", 0): Mark(4, 5, 4, 5),
        ("spec", "disks", 0, "target"): Mark(4, 5, 4, 13),
        ("spec", "disks", 0, "target", "dev"): Mark(4, 14, 4, 19),
        ("spec", "disks", 0, "type"): Mark(5, 5, 5, 11),
        ("spec", "disks", 1): Mark(6, 5, 6, 5),
    }
    assert others == {("a",): Mark(9, 1, 9, 4)}
    assert nearest_mark(marks, ("spec", "disks", 0, "source", "file")) == Mark(4, 5, 4, 5)
    assert nearest_mark(marks, ("kind",)) is None


def test_marks_do_not_change_what_is_read() -> None:
    text = dump({"a": [{"b": 1}, [], {}], "c": {"d": "x\ny\n"}})
    assert [document for document, _ in load_with_marks(text)] == load_all(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# head\n---\n# top\na: 1\n", [Comment(" head"), Comment(" top"), ("a", 1)]),
        ("a: 1  # one\nb: 2\n", [Comment(" one"), ("a", 1), ("b", 2)]),
        ("# 1\n# 2\n\n# 3\na: 1\n# 4\n", [Comment(" 1\n 2"), Comment(" 3"), ("a", 1), Comment(" 4")]),
        ("a: [1]\n# lost with what only the whole parser reads\n", [("a", [1])]),
    ],
)
def test_comments_are_kept_in_the_common_style(text: str, expected: list[Any]) -> None:
    document = dict((each, None) if isinstance(each, Comment) else each for each in expected)
    assert visible(load_all(text, comments=True)) == visible([document])
