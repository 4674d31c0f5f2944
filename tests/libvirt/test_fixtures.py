"""The documents of tests/fixtures/libvirt are what they say: valid, of the kind that their folder names, each its own.

One folder for each of libvirt's grammars. All are printed as virsh prints them, but for those whose names say that they
are written by hand.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import libvirt
import pytest
from lxml import etree

from tests.harness.errors import HarnessError

FIXTURES = Path(__file__).parents[1] / "fixtures" / "libvirt"
DOCUMENTS = {str(path.relative_to(FIXTURES)): path for path in sorted(FIXTURES.rglob("*.xml"))}
GRAMMARS = Path("/usr/share/libvirt/schemas")

# What the grammar knows since this libvirt (11.3.0 is 11003000); the others since 9.0 at least.
SINCE = {"domain/newer-devices.xml": 11003000, "domain/launch-security-sev-snp.xml": 10005000}


@cache
def grammar(kind: str) -> etree.RelaxNG:
    path = GRAMMARS / f"{kind}.rng"
    if not path.exists():
        raise HarnessError(f"{path} is missing", hint="`make test` installs it (package libvirt0)")
    return etree.RelaxNG(etree.parse(path))


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if SINCE.get(name, 0) <= libvirt.getVersion()])
def test_a_fixture_is_valid_by_libvirts_grammar(name: str) -> None:
    checked = grammar(DOCUMENTS[name].parent.name)
    assert checked.validate(etree.parse(DOCUMENTS[name])), checked.error_log


def test_every_grammar_of_documents_that_people_write_has_a_fixture() -> None:
    assert {path.parent.name for path in DOCUMENTS.values()} == {
        "domain",
        "domainbackup",
        "domaincheckpoint",
        "domainsnapshot",
        "interface",
        "network",
        "networkport",
        "nodedev",
        "nwfilter",
        "nwfilterbinding",
        "secret",
        "storagepool",
        "storagevol",
    }


@pytest.mark.parametrize("path", ["name", "uuid"])
def test_no_two_fixtures_of_a_kind_are_the_same_to_libvirt(path: str) -> None:
    roots = [etree.parse(document).getroot() for document in DOCUMENTS.values()]
    seen = Counter((root.tag, text.lower().replace("-", "")) for root in roots if (text := root.findtext(path)))
    assert [what for what, count in seen.items() if count > 1] == []
