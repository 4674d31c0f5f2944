"""kubectl's JSONPath: the same templates give the same text."""

from __future__ import annotations

import pytest

from executor.cli import jsonpath

DATA = {
    "kind": "List",
    "items": [
        {
            "metadata": {"name": "a", "labels": {"app.kubernetes.io/name": "web", "a-b": "dash"}},
            "status": {"ready": True, "cpus": 2, "conditions": [{"type": "Ready", "status": "True"}]},
        },
        {"metadata": {"name": "b"}, "status": {"ready": False, "conditions": [{"type": "Ready", "status": "False"}]}},
    ],
}

RENDERED = {
    "{.kind}": "List",
    "kind: {.kind}!": "kind: List!",
    "{$.kind}": "List",
    "{.items[*].metadata.name}": "a b",
    "{.items[0].metadata.name}": "a",
    "{.items[-1:].metadata.name}": "b",
    "{.items[0]['metadata']['name']}": "a",
    "{..name}": "a b",
    "{.items[*].status.ready}": "true false",
    "{.items[0].status.cpus}": "2",
    "{.items[0].metadata.labels.app\\.kubernetes\\.io/name}": "web",
    "{.items[0].metadata.labels.a-b}": "dash",
    "{.items[0].metadata.labels}": '{"app.kubernetes.io/name":"web","a-b":"dash"}',
    '{.items[?(@.metadata.name=="b")].status.ready}': "false",
    '{.items[*].status.conditions[?(@.type=="Ready")].status}': "True False",
    '{range .items[*]}{.metadata.name}{"\\t"}{@.status.ready}{"\\n"}{end}': "a\ttrue\nb\tfalse\n",
    "{range .items[*]}{range .status.conditions[*]}{.type}{'='}{.status}{';'}{end}{end}": "Ready=True;Ready=False;",
    "{.nosuch.thing}": "",
    "no expression": "no expression",
}


@pytest.mark.parametrize(("text", "expected"), RENDERED.items())
def test_a_template_gives_what_kubectl_prints(text: str, expected: str) -> None:
    assert jsonpath.template(text).render(DATA) == expected


WRONG = {
    "{.kind": "not closed",
    "{range .items[*]}{.metadata}": "without {end}",
    "{end}": "without {range}",
    "{.items[}": "cannot read",
    "{.items[?(@.a==)]}": "jsonpath",
    '{"open}': "not closed",
}


@pytest.mark.parametrize(("text", "said"), WRONG.items())
def test_what_is_no_template_is_one_line_that_says_where(text: str, said: str) -> None:
    with pytest.raises(jsonpath.JsonPathError) as caught:
        jsonpath.template(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["{.kind}", ".kind", "kind", " {.kind} ", "$.kind", "{$['kind']}"])
def test_a_path_may_leave_out_its_braces(text: str) -> None:
    assert jsonpath.path(text).values(DATA) == ["List"]


@pytest.mark.parametrize("text", ["{.}", "{@}", "{$}"])
def test_a_dot_is_all_of_it(text: str) -> None:
    assert jsonpath.path(text).values(3) == [3]
