"""Whatever guest libvirt's test driver takes is adopted by our mark alone, and given back as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from analyser.yamlwriter import dump
from executor.engine import ownership, store
from executor.engine.objects import Ref
from executor.hypervisor.errors import LibvirtError
from tests.cli.command import ROOT
from tests.engine.objects import recorded

if TYPE_CHECKING:
    from collections.abc import Callable

    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor

FIXTURES = sorted((ROOT / "tests" / "fixtures" / "libvirt" / "domain").glob("*.xml"))
REF = Ref("VirtualMachine", "default", "guest")


def _defined(node: Hypervisor, name: str) -> Domain | None:
    """Define the fixture *name* as a guest of the test driver; None where the driver does not take it."""
    text = (ROOT / "tests" / "fixtures" / "libvirt" / "domain" / name).read_text(encoding="utf-8")
    start = text.index("<domain")
    kind = text.index("type=", start)
    quote = text[kind + 5]
    end = text.index(quote, kind + 6)
    try:
        return node.domains.define(f"{text[:kind]}type={quote}test{text[end:]}")
    except LibvirtError:
        return None


def test_most_of_the_fixtures_are_taken_by_the_test_driver(node: Hypervisor) -> None:
    assert sum(_defined(node, path.name) is not None for path in FIXTURES) > len(FIXTURES) // 2


@pytest.mark.parametrize("name", [path.name for path in FIXTURES])
def test_a_guest_is_adopted_by_the_mark_alone_and_released_as_it_was(
    node: Hypervisor, write: Callable[..., str], name: str
) -> None:
    domain = _defined(node, name)
    if domain is None:
        return  # counted above
    before = domain.xml(inactive=True, secure=True)
    file = write(dump(ownership.object_of(domain, REF)))
    assert recorded(node, file) == (["virtualmachine/guest adopted"], ["domain.setMetadata"])
    assert recorded(node, file) == (["virtualmachine/guest unchanged"], [])
    ownership.release(node, store.find(node, REF))
    assert domain.xml(inactive=True, secure=True) == before
