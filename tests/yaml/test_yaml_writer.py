"""How the YAML that we write looks, and what the writer refuses."""

from __future__ import annotations

from typing import Any

import pytest

from analyser import yamlwriter
from analyser.model import Comment
from analyser.yamlreader import load_all
from analyser.yamlwriter import MAX_LEVELS, dump
from schemas.errors import InputError

LOOKS: list[tuple[str, dict[Any, Any], str]] = [
    (
        "block style, lists at their key's indentation",
        {"devices": {"disks": [{"type": "a", "driver": {"name": "b"}}, "x", [], {}, [1, ["a"]]], "none": {}, "no": []}},
        """\
devices:
  disks:
  - type: a
    driver:
      name: b
  - x
  - []
  - {}
  -
    - 1
    -
      - a
  none: {}
  "no": []
""",
    ),
    (
        "plain where people would write it so, quoted where a reader could err",
        {
            "memory": "4Gi",
            "uuid": "4dea22b3-1d52-d8f3-2516-782e98ab3fa0",
            "ip": "10.0.0.1",
            "path": "/var/lib/a-b.qcow2",
            "machine": "pc-q35-9.2",
            "arg": "-device",
            "name": "Zoë's guest, (no. 1)",
            "mac": "52:54:00:aa:bb:cc",
            "slot": "0x1f",
            "state": "on",
            "version": "9.2",
            "one": "1",
            "flag": True,
            "count": -1,
            "blank": "a ",
            "escape": 'a\t"\\\x1b\x85\u2028\U000e0001é',
        },
        """\
memory: 4Gi
uuid: 4dea22b3-1d52-d8f3-2516-782e98ab3fa0
ip: 10.0.0.1
path: /var/lib/a-b.qcow2
machine: pc-q35-9.2
arg: -device
name: Zoë's guest, (no. 1)
mac: "52:54:00:aa:bb:cc"
slot: "0x1f"
state: "on"
version: "9.2"
one: "1"
flag: true
count: -1
blank: "a "
escape: "a\\t\\"\\\\\\x1b\\x85\\u2028\\U000e0001é"
""",
    ),
    (
        "text of several lines in literal blocks",
        {
            "xml": "<a>\n  <b/>\n</a>\n",
            "list": ["a\nb", {"c": "x\n\n"}],
            "indented": "  a\nb\n",
            "tabbed": "\ta\nb",
            "trailing": "a \nb",
        },
        """\
xml: |
  <a>
    <b/>
  </a>
list:
- |-
  a
  b
- c: |+
    x

indented: |2
    a
  b
tabbed: |2-
  \ta
  b
trailing: "a \\nb"
""",
    ),
    (
        "comments where they stood",
        {
            Comment(" top"): None,
            "a": {
                Comment("inner"): None,
                "b": [Comment("first"), 1, Comment("between"), Comment("two\nlines"), 2, Comment("last")],
            },
            Comment("bad \x01\u2028"): None,
            "c": {Comment("alone"): None},
            "d": [Comment("alone")],
            "e": [{Comment("leading"): None, "f": 1}],
            Comment("end"): None,
        },
        """\
# top
a:
  #inner
  b:
  #first
  - 1
  #between

  #two
  #lines
  - 2
   #last
#bad \\x01\\u2028
c: {}
  #alone
d: []
 #alone
e:
-
  #leading
  f: 1
#end
""",
    ),
    ("nothing", {}, "{}\n"),
    ("nothing but comments", {Comment(" a"): None, Comment(" b"): None}, "# a\n\n# b\n{}\n"),
    ("a key too long for a reader's look-ahead", {"k" * 1001: {"a": [1]}}, "? " + "k" * 1001 + "\n:\n  a:\n  - 1\n"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "text"), [look[1:] for look in LOOKS], ids=[look[0] for look in LOOKS])
def test_it_looks_like(document: dict[Any, Any], text: str) -> None:
    assert dump(document) == text


@pytest.mark.parametrize("value", [None, 1.5, b"x", (1,), {1}, object()], ids=lambda value: type(value).__name__)
def test_what_the_model_does_not_have_is_a_type_error(value: Any) -> None:
    for document in ({"a": value}, {"a": [value]}, {"a": [{"b": value}]}):
        with pytest.raises(TypeError):
            dump(document)


@pytest.mark.parametrize("key", [1, True, None, ("a",)], ids=repr)
def test_a_key_that_is_no_string_is_a_type_error(key: Any) -> None:
    with pytest.raises(TypeError):
        dump({key: "x"})


@pytest.mark.parametrize("value", ["\ud800", "a\nb\udfff", 2**63, -(2**63) - 1], ids=ascii)
def test_what_yaml_cannot_carry_is_refused(value: Any) -> None:
    for document in ({"a": value}, {"a": [value]}):
        with pytest.raises(InputError):
            dump(document)


def test_true_and_one_are_not_mixed_up_by_what_is_remembered() -> None:
    assert dump({"a": 1, "b": True, "c": [True, 1, 0, False]}) == "a: 1\nb: true\nc:\n- true\n- 1\n- 0\n- false\n"
    assert dump({"1": "1"}) == '"1": "1"\n'


def nested(levels: int) -> dict[str, Any]:
    document: dict[str, Any] = {"a": "x"}
    for _ in range(levels - 1):
        document = {"a": [document]}
    return document


def test_the_deepest_document_that_can_be_written_can_be_read() -> None:
    assert load_all(dump(nested(MAX_LEVELS))) == [nested(MAX_LEVELS)]
    with pytest.raises(InputError, match="nests deeper"):
        dump(nested(MAX_LEVELS + 1))


def test_what_contains_itself_is_refused() -> None:
    document: dict[str, Any] = {}
    document["a"] = [document]
    with pytest.raises(InputError, match="nests deeper"):
        dump(document)


def test_what_is_remembered_is_bounded() -> None:
    def remembered() -> int:
        memos = [yamlwriter._root_key, *yamlwriter._keys, *yamlwriter._item_keys]  # noqa: SLF001  # nothing shows outside
        return sum(map(len, [*memos, yamlwriter._values, yamlwriter._integers]))  # noqa: SLF001  # the same

    for at in range(60_000):
        dump({f"k{at}": f"v{at}", "n": at, "long": "x" * 200 + str(at)})
    assert remembered() <= 3 * 16384
