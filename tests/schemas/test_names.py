"""Keys in YAML: camelCase, English plurals, namespaces."""

from __future__ import annotations

import pytest

from schemas.grammar.names import camel_case, plural, split_namespace


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("on_poweroff", "onPoweroff"),
        ("suspend-to-mem", "suspendToMem"),
        ("ia64_be", "ia64Be"),
        ("mixed-case_Name", "mixedCaseName"),
        ("pcihole64", "pcihole64"),
        ("maxCpus", "maxCpus"),
        ("a.b", "aB"),
        ("vnd--odd", "vndOdd"),
    ],
)
def test_names_lose_their_separators(name: str, key: str) -> None:
    assert camel_case(name) == key


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("disk", "disks"),
        ("interface", "interfaces"),
        ("address", "addresses"),
        ("alias", "aliases"),
        ("box", "boxes"),
        ("watch", "watches"),
        ("latency", "latencies"),
        ("array", "arrays"),
        ("key", "keys"),
        ("redirdev", "redirdevs"),
    ],
)
def test_what_repeats_goes_by_its_plural(one: str, many: str) -> None:
    assert plural(one) == many


@pytest.mark.parametrize(
    ("name", "parts"),
    [("disk", ("", "disk")), ("{http://example.org/a}b", ("http://example.org/a", "b")), ("{}b", ("", "b"))],
)
def test_a_namespace_is_told_from_the_name(name: str, parts: tuple[str, str]) -> None:
    assert split_namespace(name) == parts
