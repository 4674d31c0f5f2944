"""xmldiff's edit script on canonical XML: empty for what is the same, and without secrets."""

from __future__ import annotations

import pytest
from lxml import etree

from analyser.compare.script import MOST_ELEMENTS, edit_script
from schemas.table import table
from tests.compare.test_compare import SAME, guest

DOMAIN = table().roots["domain"].type


def script(a: str, b: str) -> list[str] | None:
    return edit_script(etree.fromstring(a), etree.fromstring(b), DOMAIN)


CANONICAL = {
    name: texts
    for name, texts in SAME.items()
    if all(text.startswith("<domain") for text in texts) and name not in ("comments", "prefixes of namespaces")
}


@pytest.mark.parametrize(("a", "b"), CANONICAL.values(), ids=CANONICAL.keys())
def test_what_is_the_same_needs_no_steps(a: str, b: str) -> None:
    assert script(a, b) == []


def test_steps_are_in_the_terms_of_xml() -> None:
    assert script(guest("<memory unit='GiB'>1</memory>"), guest("<memory unit='KiB'>1024</memory>")) == [
        '[update-text, /domain/memory[1], "1048576", "1073741824"]'
    ]


def test_a_secret_is_a_word_that_differs_only_if_the_secret_does() -> None:
    a = guest("<devices><graphics passwd='one'/><zap password='one'/></devices>")
    assert script(a, a.replace("zap password='one'", "zap password='two'")) == [
        '[update-attribute, /domain/devices/zap[1], password, "(secret 2)"]'
    ]
    assert script(a, a) == []


def test_what_is_too_large_is_left_to_others() -> None:
    many = guest("<a/>" * (MOST_ELEMENTS // 2))
    assert script(many, many) is None
