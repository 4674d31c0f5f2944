"""To QEMU's driver, which checks and completes what it is given, what comes back means what went in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.libvirt.judge import REPOSITORY, ROUTES, documents_below, root_of

if TYPE_CHECKING:
    from tests.harness.libvirtd import Libvirtd
    from tests.libvirt.judge import Judge

# Of each kind, so many are accepted by every libvirt since 9.0 with QEMU since 6.2, whatever else is installed.
ACCEPTED = {
    "domain": 35,
    "domaincheckpoint": 1,
    "domainsnapshot": 2,
    "filter": 2,
    "network": 9,
    "pool": 8,
    "secret": 7,
}

DOCUMENTS = {
    name: xml
    for name, xml in documents_below(REPOSITORY / "tests" / "fixtures" / "libvirt", REPOSITORY / "examples").items()
    if root_of(xml) in ACCEPTED
}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_comes_back_means_the_same_to_libvirt(qemu_judge: Judge, name: str, route: str) -> None:
    given = qemu_judge.verdict(DOCUMENTS[name])
    returned = qemu_judge.verdict(ROUTES[route](DOCUMENTS[name]))
    # A document that libvirt refuses (a newer one's, another driver's) must not become one that it accepts.
    assert returned.dump == given.dump, returned.refusal


@pytest.mark.parametrize("kind", ACCEPTED)
def test_libvirt_accepts_enough_documents_of_a_kind_to_judge_it(
    qemu_judge: Judge, libvirtd: Libvirtd, kind: str
) -> None:
    verdicts = {name: qemu_judge.verdict(xml) for name, xml in DOCUMENTS.items() if root_of(xml) == kind}
    refused = {name: verdict.refusal for name, verdict in verdicts.items() if verdict.dump is None}
    # A session's libvirtd has no store for filters.
    least = 0 if kind == "filter" and not libvirtd.system else ACCEPTED[kind]
    assert len(verdicts) - len(refused) >= least, refused


@pytest.mark.parametrize(
    ("there", "instead"),
    [(b"<name>nat<", b"<name>other<"), (b"delay='5'", b"delay='6'"), (b"192.0.2.53", b"192.0.2.55")],
)
def test_the_judge_sees_what_differs(qemu_judge: Judge, there: bytes, instead: bytes) -> None:
    xml = DOCUMENTS["tests/fixtures/libvirt/network/nat.xml"]
    assert qemu_judge.verdict(xml) == qemu_judge.verdict(xml)
    assert qemu_judge.verdict(xml.replace(there, instead)) != qemu_judge.verdict(xml)
