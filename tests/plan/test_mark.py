"""The mark says whose a document is and what was applied, and no secret."""

from __future__ import annotations

import pytest

from executor.plan import actions, domain
from executor.plan import mark as marks
from executor.plan.actual import read
from tests.plan.guest import DEFINITION, mark_of, ours, spec

WITHOUT = DEFINITION.replace(DEFINITION[DEFINITION.index("  <metadata>") : DEFINITION.index("  <memory ")], "")


def test_a_mark_is_read_as_it_was_written() -> None:
    mark = marks.Mark(
        "default", "web-1", "1f", {"spec": {"domain": {"title": "<&'\"é>"}}}, (), ("cpu",), 7, (("a.b", "0123"),)
    )
    assert marks.read(mark.element()) == mark
    assert marks.read(f'<a xmlns="http://a"/>\n{mark.element()}') == mark


@pytest.mark.parametrize(
    "mark",
    [
        marks.Mark("default", "web-1", "1f"),
        marks.Mark("a-b", "c.d", "1f", {"spec": {"runStrategy": "Manual", "domain": {"title": "<&amp;'\"é>\t]]>"}}}),
        marks.Mark("a", "b", "1f", {}, (("spec", "graphics", 0, "passwd"),), ("cpu", "os"), 7, (("a.b", "<&>"),)),
        marks.Mark("a", "b", "1f", {"metadata": {"annotations": {"\r\n": "\u2028\x7f"}}}, (), ("cpu",)),
    ],
)
def test_a_mark_as_libvirt_hands_it_out_is_read_with_a_parser_and_without(mark: marks.Mark) -> None:
    as_set = mark.xml()
    indented = as_set.replace("><", ">\n    <")
    escaped = as_set.replace("é", "&#xE9;")
    for text in (as_set, indented, escaped, f"{as_set}\n", as_set.replace("<object>", "<!-- by hand --><object>", 1)):
        assert marks.read_element(text) == mark


def test_of_a_brief_mark_lists_have_all_that_they_show() -> None:
    domain = {"title": "&", "devices": {"disks": [{"device": "disk"}]}}
    metadata = {"name": "web-1", "annotations": {"<a>": ["&lt;", 1, None]}, "creationTimestamp": "2026-11-22T10:00:00Z"}
    mark = marks.Mark("default", "web-1", "1f", {"metadata": metadata, "spec": {"running": True, "domain": domain}})
    for text in (mark.xml(), mark.xml().replace('"web-1"}', "&quot;web-1&quot;}")):
        brief = marks.read_element(text, brief=True)
        assert brief is not None
        assert brief.applied == {"metadata": metadata, "spec": {"running": True}}


@pytest.mark.parametrize(
    "broken",
    [
        "", "<applied", '<applied namespace="a" name="b" uid="c"><object>{</object></applied>',
        '<applied namespace="a" name="b" uid="c"><object>&nothing;</object></applied>',
        '<applied namespace="a" name="b" uid="c"><object>[]</object></applied>', "<other><object>{}</object></other>",
        '<applied namespace="a" name="b" uid="c"><object>{}</object><pending guest="x">[]</pending></applied>',
    ],
)  # fmt: skip
def test_what_is_no_mark_is_none(broken: str) -> None:
    assert marks.read_element(broken) is None


def test_a_guest_without_a_mark_has_none() -> None:
    assert read(DEFINITION).mark is None
    assert read(WITHOUT).mark is None


@pytest.mark.parametrize("broken", ["{", "[]", "null", '{"spec":', "", "[" * 100_000])
def test_a_mark_that_cannot_be_read_is_none_or_says_nothing(broken: str) -> None:
    xml = f'<k:applied xmlns:k="{marks.URI}" name="n"><k:object>{broken}</k:object></k:applied>'
    mark = marks.read(xml)
    assert mark is None or mark.last("spec", "domain") is None


def test_secrets_are_left_out_and_known_to_have_been_there() -> None:
    wanted = spec()
    assert "old-secret" in wanted["devices"]["graphics"][0].values()
    mark = marks.read(mark_of(wanted).element())
    assert mark is not None
    assert "old-secret" not in repr(mark)
    assert "passwd" not in mark.applied["spec"]["domain"]["devices"]["graphics"][0]
    last = mark.last("spec", "domain")
    assert last is not None
    assert "(secret)" in last["devices"]["graphics"][0].values()


def test_what_was_applied_is_found_in_the_guest() -> None:
    there = ours(DEFINITION, spec())
    assert there.mark is not None
    assert there.mark.last("spec", "domain", "os") == spec()["os"]
    assert there.mark.last("spec", "network") is None


@pytest.mark.parametrize("dot", [".", "&#46;", "&#x2e;"])
@pytest.mark.parametrize("kind", ["applied", "operation", "held"])
def test_a_spec_writes_no_element_of_ours_however_it_spells_it(dot: str, kind: str) -> None:
    forged = f"<x xmlns='https://kubevmm{dot}io/{kind}/1' namespace='office' name='db' uid='u'/>"
    wanted = {"type": "kvm", "name": "shop_web", "memory": "1Gi", "metadata": f"{forged}{forged}<n xmlns='urn:nova'/>"}
    (step,) = domain.plan(wanted, None, mark=marks.make("shop", "web", "u", {}))
    assert isinstance(step, actions.Define)
    assert "office" not in step.xml
    assert step.xml.count("kubevmm.io/") == 1
    assert "urn:nova" in step.xml
