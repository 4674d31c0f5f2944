"""To libvirt's own parser, which the built-in test driver is all about, what comes back means what went in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.libvirt.judge import REPOSITORY, ROUTES, documents_below, root_of

if TYPE_CHECKING:
    from tests.libvirt.judge import Judge

# Of each kind that this driver has, so many are accepted by every libvirt since 9.0.
ACCEPTED = {"domain": 40, "domainsnapshot": 1, "interface": 3, "network": 10, "pool": 15, "volume": 6}

DOCUMENTS = {
    name: xml
    for name, xml in documents_below(REPOSITORY / "tests" / "fixtures" / "libvirt", REPOSITORY / "examples").items()
    if root_of(xml) in ACCEPTED
}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_comes_back_means_the_same_to_libvirt(builtin_judge: Judge, name: str, route: str) -> None:
    given = builtin_judge.verdict(DOCUMENTS[name])
    returned = builtin_judge.verdict(ROUTES[route](DOCUMENTS[name]))
    # A document that libvirt refuses (a newer one's, another driver's) must not become one that it accepts.
    assert returned.dump == given.dump, returned.refusal


@pytest.mark.parametrize("kind", ACCEPTED)
def test_libvirt_accepts_enough_documents_of_a_kind_to_judge_it(builtin_judge: Judge, kind: str) -> None:
    verdicts = {name: builtin_judge.verdict(xml) for name, xml in DOCUMENTS.items() if root_of(xml) == kind}
    refused = {name: verdict.refusal for name, verdict in verdicts.items() if verdict.dump is None}
    assert len(verdicts) - len(refused) >= ACCEPTED[kind], refused


@pytest.mark.parametrize(
    ("there", "instead"),
    [(b"<name>nat<", b"<name>other<"), (b"delay='5'", b"delay='6'"), (b"192.0.2.53", b"192.0.2.55")],
)
def test_the_judge_sees_what_differs(builtin_judge: Judge, there: bytes, instead: bytes) -> None:
    xml = DOCUMENTS["tests/fixtures/libvirt/network/nat.xml"]
    assert builtin_judge.verdict(xml) == builtin_judge.verdict(xml)
    assert builtin_judge.verdict(xml.replace(there, instead)) != builtin_judge.verdict(xml)
