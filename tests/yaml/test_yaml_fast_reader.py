"""The fast reader never accepts what a whole YAML parser refuses, and never reads it differently."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analyser.model import without_comments
from analyser.yamlfallback import parse
from analyser.yamlfast import read_document
from analyser.yamllines import LINES, OutsideSubset
from analyser.yamlreader import load_all
from analyser.yamlwriter import dump
from schemas.errors import InputError
from tests.yaml.yamlmodels import NASTY, documents, visible

BASE = """\
apiVersion: kubevmm.io/v1alpha1
kind: VirtualMachine
# a comment
spec:
  domain:
    type: kvm
    vcpu: 2
    features:
      acpi: {}
      vmport:
        state: false
    devices:
      disks:
      - type: file
        address: {}
        target:
          dev: "vda\\t"
      # between
      - type: 'it''s'
        text: |
          <a>
            <b/>
          </a>

        keep: |+
          x

        indented: |2-
            y
      - plain
      -
        - deeper
      empty: []
"""

ODDITIES = [
    "  ",
    "\n",
    "\n\n",
    "\t",
    "",
    "- ",
    ": ",
    " #",
    "# ",
    "|-",
    "|+",
    "|2",
    "{}",
    "[]",
    "&a ",
    "*a",
    "!",
    "!!str ",
    "? ",
]
ODDITIES += [
    "null",
    "---",
    "\n---\n",
    "...",
    "\\x41",
    "<<: ",
    "a: 1\n",
    "a:\n",
    "- a\n",
    "é",
    "\r",
    "\u0085",
    "\u2028",
    "\ufeff",
    "\x00",
]
PIECES = st.sampled_from([*" -:#'\"|>{}[],?~\\%@`=", *ODDITIES])
EDITS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 6), PIECES), min_size=1, max_size=4)
INDENTS = ["", " ", "  ", "   ", "    ", "- ", "  - ", "- - ", "-   ", "\t"]
KEYS = ["a", "b", "c", "a b", '"a"', "'a'", "-a", "", "1", "<a>", "y"]
COLONS = [":", ": ", ": ", ":  ", " :", "", " #", " # c"]
VALUES = ["", "x", "x y", "1", "true", "~", '"x"', "'x'", "{}", "[]", "|", "|-", "|+", "|1", "|2-", ">", "# c", "x # c"]
VALUES += [
    '"x" # c',
    '"x"#c',
    "x: y",
    "x:",
    "- x",
    "*a",
    "x ",
    "'x''y'",
    '"\\u0041"',
    '"\\q"',
    '"x',
    "x'",
    "[x]",
    "-",
    "--",
    "x:y",
]
LINES_OF_ANYTHING = st.lists(
    st.tuples(*map(st.sampled_from, (INDENTS, KEYS, COLONS, VALUES))).map("".join), min_size=1, max_size=7
).map("\n".join)


def mutated(text: str, edits: list[tuple[int, int, str]]) -> str:
    for at, removed, added in edits:
        place = at % (len(text) + 1)
        text = text[:place] + added + text[place + removed :]
    return text


def fast(text: str, *, comments: bool = False) -> Any:
    """What the fast reader says of the text as one document, or None where it leaves the text alone."""
    lines = text.removesuffix("\n").split("\n")
    try:
        document, found = read_document(lines, comments=comments, terminated=text.endswith("\n"))
    except OutsideSubset:
        return None
    return [document] if found else []


def assert_agrees(text: str) -> None:
    LINES.clear()
    accepted = fast(text)
    if accepted is None:
        return
    assert visible([each for each, _ in parse(text)]) == visible(accepted)
    # Again, with all lines remembered, and with the comments.
    assert visible(fast(text)) == visible(accepted)
    assert visible([without_comments(each) for each in fast(text, comments=True)]) == visible(accepted)


@settings(max_examples=1500, deadline=None)
@given(EDITS)
def test_on_a_mutated_document_it_agrees_with_the_parser(edits: list[tuple[int, int, str]]) -> None:
    assert_agrees(mutated(BASE, edits))


@settings(max_examples=300, deadline=None)
@given(documents(comments=True), EDITS)
def test_on_a_mutated_random_document_it_agrees_with_the_parser(
    document: dict[Any, Any], edits: list[tuple[int, int, str]]
) -> None:
    assert_agrees(mutated(dump(document), edits))


@settings(max_examples=2000, deadline=None)
@given(LINES_OF_ANYTHING, st.booleans())
@example("a: x\n  # c\n  y", True)
@example("a:\n- |\n  - {}\n# c", True)
@example("a: |\n\n   \n  x", True)
def test_on_random_lines_it_agrees_with_the_parser(text: str, ends: bool) -> None:
    assert_agrees(text + "\n" if ends else text)


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_on_a_nasty_plain_scalar_it_agrees_with_the_parser(text: str) -> None:
    for template in (
        "a: {}\n",
        "- {}\n",
        "a:\n- {}\n",
        "a:\n- b: {}\n",
        "{}: 1\n",
        "a:\n- {}: 1\n",
        "a: {} # c\n",
        "# {}\na: 1\n",
    ):
        assert_agrees(template.replace("{}", text))  # fmt: skip


def test_it_reads_the_subset_it_is_for() -> None:
    assert visible(fast(BASE)) == visible([each for each, _ in parse(BASE)])


@settings(max_examples=300, deadline=None)
@given(EDITS)
def test_whatever_the_input_there_is_a_result_or_one_clear_error(edits: list[tuple[int, int, str]]) -> None:
    text = mutated(BASE, edits)
    error = ""
    try:
        documents = load_all(text, file="f.yaml")
    except InputError as refusal:
        error = str(refusal)
    if error:
        assert error.startswith("f.yaml:")
        assert "\n" not in error
    else:
        # What could be read can be written, and means the same.
        assert visible(load_all("---\n".join(map(dump, documents)))) == visible(documents)
