"""What the mapping promises for every document, and the readers for every input."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from analyser import documents, xmlreader
from analyser.convert import convert
from analyser.yamlreader import load_all
from analyser.yamlwriter import dump
from schemas.errors import InputError
from schemas.table import EXTRA
from tests.fuzz.sameness import normal
from tests.fuzz.targets import TARGETS, check_document
from tests.strategies import anything, broken, objects, xml_documents

if TYPE_CHECKING:
    from schemas.table import Type

CORPUS = Path(__file__).parent / "corpus"
KEPT = sorted(path for path in CORPUS.rglob("*") if path.is_file())

# The documents are large for Hypothesis, and the machine may be busy.
thorough = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_once_interesting_stays_right(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


@thorough
@given(xml_documents())
def test_no_document_loses_anything_on_its_way_through_yaml_or_json(text: str) -> None:
    check_document(text)


@thorough
@given(xml_documents())
def test_yaml_1_1_and_1_2_readers_read_any_document_alike(text: str) -> None:
    written = convert(text.encode(), file="f").text
    expected = load_all(written)
    for loader in (yaml.SafeLoader, yaml.CSafeLoader):
        assert list(yaml.load_all(written, Loader=loader)) == expected  # both are safe loaders
    assert list(YAML(typ="safe", pure=True).load_all(io.StringIO(written))) == expected


@thorough
@given(xml_documents())
def test_the_shape_at_a_path_is_the_tables_alone_to_say(text: str) -> None:
    (root,) = xmlreader.parse(text.encode())
    document = documents.to_object(root)
    kind = documents.root_of(document)
    assert_shape(document["spec"][kind.field] if kind.field else document["spec"], kind.type)


def assert_shape(node: Any, kind: Type) -> None:
    assert type(node) is dict
    for key, value in node.items():
        if key == EXTRA:
            assert type(value) is str
        elif key in kind.sequences:
            for entry in value:
                ((name, content),) = entry.items()
                assert_shape(content, kind.sequences[key][name].type)
        else:
            field = kind.by_key[key]
            assert (type(value) is list) == field.many
            for entry in value if field.many else [value]:
                if field.value == "map":
                    assert_shape(entry, field.type)
                else:
                    assert type(entry) in SCALARS[field.value]


SCALARS: dict[str, tuple[type, ...]] = {
    "integer": (int, str), "yesno": (bool, str), "onoff": (bool, str), "size": (str,), "xml": (str,), "string": (str,),
    "enum": (str,),
}  # fmt: skip


@thorough
@given(objects())
def test_an_object_that_is_right_by_the_tables_comes_back_from_xml_as_it_was(document: dict[str, Any]) -> None:
    (root,) = xmlreader.parse(documents.to_xml(document).encode())
    back = documents.to_object(root)["spec"]
    again = documents.to_object(xmlreader.parse(documents.to_xml({**document, "spec": back}).encode())[0])["spec"]
    assert again == back
    assert set(paths(back)) == set(paths(document["spec"]))


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every key path in *value*: its values may be spelt anew (``4194304Ki`` is ``4Gi``), its keys may not change."""
    if isinstance(value, dict):
        return [path, *(each for key, inner in value.items() for each in paths(inner, (*path, key)))]
    if isinstance(value, list):
        return [path, *(each for at, inner in enumerate(value) for each in paths(inner, (*path, at)))]
    return [path]


@thorough
@given(objects(mistakes=True) | anything().filter(lambda value: isinstance(value, dict)))
def test_a_mistake_in_an_object_is_named_or_does_no_harm(document: dict[Any, Any]) -> None:
    try:
        text = documents.to_xml(document, file="some.yaml")
    except InputError as error:
        named = str(error)
    else:
        named = "some.yaml"
        assert normal(text)
    assert named.startswith("some.yaml")


@thorough
@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_arbitrary_bytes_are_converted_or_refused(data: bytes) -> None:
    TARGETS["either"](data)


@thorough
@given(st.sampled_from([path.read_bytes() for path in KEPT if path.parent.name == "either"]).flatmap(broken))
def test_a_broken_document_is_converted_or_refused(data: bytes) -> None:
    TARGETS["either"](data)


@thorough
@given(xml_documents())
def test_sorted_keys_print_in_one_order_whatever_it_was(text: str) -> None:
    (root,) = xmlreader.parse(text.encode())
    document = documents.to_object(root)
    document["metadata"]["uid"] = "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"
    served = json.loads(json.dumps(document, sort_keys=True))
    assert documents.to_xml(served) == documents.to_xml(load_all(dump(served))[0])
    assert list(normal(documents.to_xml(served))) == list(normal(documents.to_xml(document)))
