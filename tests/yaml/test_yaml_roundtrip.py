"""What is written reads back as it was: by our reader, by YAML 1.1 and by YAML 1.2."""

from __future__ import annotations

import io
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from ruamel.yaml import YAML

from analyser.model import without_comments
from analyser.yamlfallback import parse
from analyser.yamlfast import read_document
from analyser.yamlreader import load_all
from analyser.yamlwriter import dump
from tests.yaml.yamlmodels import LONG, NASTY, documents, visible

LOADERS = [yaml.SafeLoader, *([yaml.CSafeLoader] if yaml.__with_libyaml__ else [])]


def read_by_others(text: str) -> list[Any]:
    """What each foreign reader makes of *text*; ruamel in its pure form is the only YAML 1.2 one."""
    results = [yaml.load(text, Loader=loader) for loader in LOADERS]  # noqa: S506  # both are safe loaders
    results.append(YAML(typ="safe", pure=True).load(io.StringIO(text)))
    return results


@settings(max_examples=400, deadline=None)
@given(documents())
def test_every_reader_reads_back_what_was_written(document: dict[Any, Any]) -> None:
    text = dump(document)
    assert visible(load_all(text)) == visible([document])
    assert visible([each for each, _ in parse(text)]) == visible([document])
    for result in read_by_others(text):
        assert visible(result) == visible(document)


@settings(max_examples=400, deadline=None)
@given(documents(comments=True))
def test_comments_come_back_where_they_stood(document: dict[Any, Any]) -> None:
    text = dump(document)
    assert visible(load_all(text, comments=True)) == visible([document])
    assert visible(load_all(text)) == visible([without_comments(document)])
    for result in read_by_others(text):
        assert visible(result) == visible(without_comments(document))


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_a_nasty_string_survives_anywhere(text: str) -> None:
    document = {
        "value": text,
        "items": [text, {"in": text}, [text]],
        text: {text: [{text: text, "after": 1}]},
        "deep": {"a": {"b": [{"c": {"d": text}}]}},
        "last": text,
    }
    written = dump(document)
    assert visible(load_all(written)) == visible([document])
    for result in read_by_others(written):
        assert visible(result) == visible(document)


@pytest.mark.parametrize("text", [each for each in NASTY if len(each) < LONG], ids=ascii)
def test_the_fast_reader_knows_all_that_the_writer_writes(text: str) -> None:
    document = {"value": text, text: [text, {text: text}], "last": text}
    assert visible(read_document(dump(document)[:-1].split("\n"))) == visible((document, True))
