"""Small grammars and what the generator makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.errors import InputError, KubevmmError
from schemas.grammar import bindings
from schemas.grammar.relaxng import Grammar
from schemas.grammar.types import TypeBuilder
from tests.schemas.grammars import overrides, tables, thing, write_grammar

if TYPE_CHECKING:
    from pathlib import Path

A = '<element name="a"><text/></element>'
B = '<element name="b"><text/></element>'


@pytest.mark.parametrize(
    ("content", "least", "most"),
    [
        (A, 1, 1),
        (f"<optional>{A}</optional>", 0, 1),
        (f"<zeroOrMore>{A}</zeroOrMore>", 0, 2),
        (f"<oneOrMore>{A}</oneOrMore>", 1, 2),
        (f"<interleave>{A}{B}</interleave>", 1, 1),
        (f"<choice>{A}{B}</choice>", 0, 1),
        (f"<choice>{A}<group>{A}{B}</group></choice>", 1, 1),
        (f"<choice>{A}<notAllowed/></choice>", 0, 1),
        (f"<group>{A}{A}</group>", 2, 2),
        (f"<zeroOrMore><choice>{A}{B}</choice></zeroOrMore>", 0, 2),
        (f"<interleave><optional>{A}</optional><zeroOrMore>{B}</zeroOrMore></interleave>", 0, 1),
    ],
)
def test_how_often_an_element_may_stand(tmp_path: Path, content: str, least: int, most: int) -> None:
    occurrence, _ = thing(tmp_path, content).children["a"]

    assert (occurrence.least, occurrence.most) == (least, most)


def test_an_element_that_is_not_allowed_is_not_there(tmp_path: Path) -> None:
    assert not thing(tmp_path, '<optional><element name="a"><notAllowed/></element></optional>').children


def test_the_same_element_in_several_branches_is_the_union_of_all(tmp_path: Path) -> None:
    content = """
      <choice>
        <group>
          <attribute name="type"><value>file</value></attribute>
          <element name="source"><attribute name="file"/></element>
        </group>
        <group>
          <attribute name="type"><value>block</value></attribute>
          <element name="source">
            <attribute name="dev"/><optional><element name="host"><empty/></element></optional>
          </element>
        </group>
      </choice>"""

    source = tables(tmp_path, content).by_key["source"].type

    assert list(source.by_key) == ["file", "dev", "host"]
    assert not any(field.required for field in source.fields)


def test_the_values_of_all_branches_make_the_enum(tmp_path: Path) -> None:
    branch = '<attribute name="type"><choice><value>{}</value><value>{}</value></choice></attribute>'

    field = tables(tmp_path, f"<choice>{branch.format('c', 'a')}{branch.format('b', 'a')}</choice>").by_key["type"]

    assert (field.value, field.enum, field.required) == ("enum", ["a", "b", "c"], True)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("<text/>", "string"),
        ('<data type="unsignedInt"/>', "integer"),
        ('<choice><data type="int"/><value>auto</value></choice>', "integer"),
        ("<choice><value>yes</value><value>no</value></choice>", "yesno"),
        ("<choice><value>on</value><value>off</value></choice>", "onoff"),
        ("<choice><value>on</value><value>off</value><value>auto</value></choice>", "enum"),
        ("<choice><value>no</value></choice>", "enum"),
        ('<choice><value>a</value><data type="string"/></choice>', "string"),
        ("<choice><value>a</value><value></value></choice>", "string"),
    ],
)
def test_a_value_has_the_type_that_the_grammar_gives_it(tmp_path: Path, content: str, value: str) -> None:
    in_attribute = tables(tmp_path, f'<attribute name="x">{content}</attribute>').by_key["x"]
    in_element = tables(tmp_path, f'<element name="x">{content}</element>').by_key["x"]

    assert (in_attribute.value, in_element.value) == (value, value)


def test_what_contains_itself_is_one_type(tmp_path: Path) -> None:
    write_grammar(
        tmp_path,
        """
        <start><ref name="thing"/></start>
        <define name="thing">
          <element name="thing"><optional><ref name="thing"/></optional><attribute name="x"/></element>
        </define>""",
    )

    [root] = TypeBuilder().build(Grammar(tmp_path / "thing.rng").start).values()

    assert root.children["thing"][1] is root or root.children["thing"][1].children["thing"][1].path == (
        "thing",
        "thing",
    )
    assert bindings.generate(tmp_path, overrides())["types"].keys() == {"thing"}


def test_a_definition_that_contains_itself_outside_any_element_is_an_error(tmp_path: Path) -> None:
    file = write_grammar(
        tmp_path, '<start><ref name="a"/></start>\n<define name="a"><optional><ref name="a"/></optional></define>'
    )

    with pytest.raises(InputError, match="a contains itself") as caught:
        Grammar(file)

    assert (caught.value.file, caught.value.line) == ("thing.rng", 3)


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ('<start>\n<ref name="missing"/></start>', 3, "missing, which is not defined"),
        ("<start>\n<list/></start>", 3, "unknown grammar element <list>"),
        ("<div/>", 2, "unknown grammar element <div>"),
        ("", None, "no start"),
        ("<start>", None, "cannot read the grammar"),
    ],
)
def test_what_is_not_understood_is_an_error_that_names_file_and_line(
    tmp_path: Path, content: str, line: int | None, message: str
) -> None:
    file = write_grammar(tmp_path, content)

    with pytest.raises(InputError, match=message) as caught:
        Grammar(file)

    assert str(caught.value.file).endswith("thing.rng")
    assert line is None or caught.value.line == line


def test_elements_inherit_a_namespace_and_attributes_do_not(tmp_path: Path) -> None:
    content = """
      <element name="commandline" ns="http://example.org/q">
        <zeroOrMore><element name="arg"><attribute name="value"/></element></zeroOrMore>
      </element>"""

    kind = tables(tmp_path, content, namespaces={"http://example.org/q": "q"})

    field = kind.by_key["qCommandline"]
    assert field.xml == "{http://example.org/q}commandline"
    assert field.type.by_key["args"].xml == "{http://example.org/q}arg"
    assert field.type.by_key["args"].type.by_key["value"].xml == "value"


def test_a_namespace_without_a_prefix_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KubevmmError, match="namespace without a prefix"):
        tables(tmp_path, '<element name="a" ns="http://example.org/q"><text/></element>')


def test_any_name_is_foreign_content(tmp_path: Path) -> None:
    content = """
      <element name="metadata">
        <zeroOrMore><element><anyName/><zeroOrMore><attribute><anyName/></attribute></zeroOrMore></element></zeroOrMore>
      </element>"""

    assert tables(tmp_path, content).by_key["metadata"].value == "xml"


def test_a_nested_grammar_has_definitions_of_its_own(tmp_path: Path) -> None:
    write_grammar(
        tmp_path,
        """
        <start><ref name="inner"/></start>
        <define name="inner"><element name="inner"><attribute name="of"/></element></define>""",
        "other.rng",
    )
    write_grammar(
        tmp_path,
        """
        <start><element name="thing"><ref name="inner"/><grammar><include href="other.rng"/></grammar></element></start>
        <define name="inner"><element name="outer"><text/></element></define>""",
    )

    [root] = TypeBuilder().build(Grammar(tmp_path / "thing.rng").start).values()

    assert list(root.children) == ["outer", "inner"]


def test_definitions_of_included_files_are_known_and_combined(tmp_path: Path) -> None:
    write_grammar(
        tmp_path, '<define name="x" combine="choice"><element name="a"><text/></element></define>', "more.rng"
    )
    write_grammar(
        tmp_path,
        """
        <include href="more.rng"/>
        <start><element name="thing"><ref name="x"/></element></start>
        <define name="x" combine="choice"><element name="b"><text/></element></define>""",
    )

    kind = bindings.generate(tmp_path, overrides())

    assert {field["key"] for field in kind["types"]["thing"]} == {"a", "b"}


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ('<attribute name="model"/><element name="model"><attribute name="name"/></element>', "model"),
        ('<attribute name="a-b"/><attribute name="a_b"/>', "aB"),
        ('<attribute name="value"/><text/>', "value"),
    ],
)
def test_two_things_of_one_key_are_an_error_until_one_is_named(tmp_path: Path, content: str, key: str) -> None:
    with pytest.raises(KubevmmError, match=f"would both be {key}") as caught:
        tables(tmp_path, content)

    assert caught.value.hint == "name one of them in schemas/overrides.yaml, under keys"


def test_a_collision_is_settled_by_the_overrides(tmp_path: Path) -> None:
    content = '<attribute name="model"/><element name="model"><attribute name="name"/></element>'

    kind = tables(tmp_path, content, keys={"thing/model": "deviceModel"})

    assert set(kind.by_key) == {"model", "deviceModel"}


def test_a_folder_without_grammars_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no \*\.rng files here"):
        bindings.generate(tmp_path, overrides())


def test_a_root_without_a_kind_is_an_error(tmp_path: Path) -> None:
    write_grammar(tmp_path, '<start><element name="novelty"><text/></element></start>')

    with pytest.raises(KubevmmError, match="roots without a kind: novelty"):
        bindings.generate(tmp_path, overrides())


def test_the_same_grammar_gives_the_same_bytes(tmp_path: Path) -> None:
    write_grammar(tmp_path, f'<start><element name="thing"><interleave>{B}{A}</interleave></element></start>')

    first, second = (bindings.render(bindings.generate(tmp_path, overrides())) for _ in range(2))

    assert first == second


LIST = """
  <zeroOrMore>
    <element name="part"><attribute name="name"/><optional><attribute name="size"/></optional></element>
  </zeroOrMore>"""


def test_references_stand_beside_what_is_native(tmp_path: Path) -> None:
    kind = tables(
        tmp_path, LIST,
        references=[{"path": "thing/part", "key": "partRef", "type": "object"}],
        referenceTypes={"object": {"name": True}},
    )  # fmt: skip

    reference = kind.by_key["parts"].type.by_key["partRef"]

    assert (reference.where, reference.xml) == ("reference", "")
    assert list(reference.type.by_key) == ["name"]


def test_a_list_key_is_known_to_the_table(tmp_path: Path) -> None:
    assert tables(tmp_path, LIST, listKeys={"thing/part": "name"}).by_key["parts"].identity == "name"


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"listKeys": {"thing/part": "size"}}, "thing/part: size is not always there"),
        ({"listKeys": {"thing/part": "colour"}}, "thing/part has no key colour"),
        (
            {
                "references": [{"path": "thing/part", "key": "name", "type": "object"}],
                "referenceTypes": {"object": {"name": True}},
            },
            "thing/part already has a key name",
        ),
        ({"openEnums": ["thing/part/@name"]}, "thing/part/@name is no enum"),
        ({"leftOut": ["thing/part/@size"]}, "thing/part/@size"),
        ({"leftOut": ["thing/part/@colour"]}, "thing/part/@colour: there is no such attribute"),
    ],
)
def test_additions_that_do_not_fit_the_grammar_are_errors(
    tmp_path: Path, sections: dict[str, object], message: str
) -> None:
    with pytest.raises(KubevmmError, match=message):
        tables(tmp_path, LIST, **sections)


def test_what_libvirt_leaves_out_need_not_be_there(tmp_path: Path) -> None:
    before, after = tables(tmp_path, LIST), tables(tmp_path, LIST, leftOut=["thing/part/@name"])
    assert [each.by_key["parts"].type.by_key["name"].required for each in (before, after)] == [True, False]


def test_additions_to_what_an_older_grammar_does_not_have_are_passed_over(tmp_path: Path) -> None:
    assert "parts" in tables(tmp_path, LIST, listKeys={"thing/newer": "name"}, openEnums=["thing/newer/@x"]).by_key
