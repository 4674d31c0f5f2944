"""What files said is known again by their bytes, and read only where somebody asks what it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from executor.engine import readings, source
from executor.engine.objects import Ref
from executor.engine.readings import Readings
from schemas.errors import KubevmmError
from tests.engine.objects import vm

if TYPE_CHECKING:
    from collections.abc import Callable

    from executor.engine.source import Declarations

NETWORK = "apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachineNetwork\nmetadata: {name: lan}\nspec: {network: {}}\n"
KEYS = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {vnc: hush}\n"
OTHER = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
NIC = "devices:\n  interfaces:\n  - {type: network, source: {networkRef: {name: lan}}}"
OBJECTS = "---\n".join([
    NETWORK, OTHER, vm(domain=NIC), vm("seeded", spec="cloudInit: {userData: '#cloud-config'}"), vm("plain"),
])  # fmt: skip


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were read, not only recognized."""
    out: list[str] = []
    unchecked = source.unchecked

    def counted(data: bytes, file: str, *more: str | None) -> Declarations:
        out.append(file)
        return unchecked(data, file, *more)  # type: ignore[arg-type]

    for module in (source, readings):
        monkeypatch.setattr(module, "unchecked", counted)
    return out


def _read(*files: str, namespace: str | None = None) -> Declarations:
    """Read *files* as a process does."""
    kept = Readings()
    found = source.read(files, namespace=namespace, readings=kept)
    kept.check(found)
    kept.save()
    return found


def test_what_was_read_once_says_the_same_and_is_not_read_again(write: Callable[..., str], parsed: list[str]) -> None:
    file = write(OBJECTS)
    once, again = _read(file), _read(file)
    assert parsed == [file]
    assert [each.ref for each in again.objects] == [each.ref for each in once.objects]
    assert again.skipped == once.skipped == 1
    for one, two in zip(once.objects, again.objects, strict=True):
        assert (two.digest, two.reach, two.seeded, two.file) == (one.digest, one.reach, one.seeded, one.file)
    assert parsed == [file]
    assert [each.object for each in again.objects] == [each.object for each in once.objects]
    assert again.objects[0].object is again.find(Ref("VirtualMachineNetwork", "default", "lan")).object  # type: ignore[union-attr]
    assert parsed == [file] * 2


def test_other_bytes_or_another_namespace_are_read(write: Callable[..., str], parsed: list[str]) -> None:
    file = write(vm())
    _read(file)
    assert [each.ref.namespace for each in _read(file, namespace="shop").objects] == ["shop"]
    assert len(parsed) == 2
    write(vm(domain="title: Shop"))
    assert _read(file).objects[0].object["spec"]["domain"]["title"] == "Shop"
    assert len(parsed) == 3


def test_what_a_file_says_does_not_depend_on_its_name(write: Callable[..., str], parsed: list[str]) -> None:
    _read(write(vm()))
    there = _read(write(vm(), "there.yaml"))
    assert len(parsed) == 1
    assert there.objects[0].file.endswith("there.yaml")


def test_files_with_secrets_are_always_read(write: Callable[..., str], parsed: list[str]) -> None:
    file = write(KEYS)
    assert [_read(file).secrets for _ in range(2)] == [{("default", "keys", "vnc"): "hush"}] * 2
    assert parsed == [file] * 2


@pytest.mark.parametrize(
    "text",
    [
        vm(domain="titel: Web"),
        f"{vm()}---\n{vm()}",
        f"{vm()}---\n{vm('two', domain='name: default_web-1')}",
    ],
)
def test_what_is_wrong_is_wrong_every_time(write: Callable[..., str], text: str) -> None:
    file = write(text)
    said = set()
    for _ in range(2):
        with pytest.raises(KubevmmError) as caught:
            _read(file)
        said.add(str(caught.value))
    assert len(said) == 1


def test_a_conflict_with_an_object_that_was_read_before_is_found(write: Callable[..., str]) -> None:
    one, two = write(vm(), "one.yaml"), write(vm("two", domain="name: default_web-1"), "two.yaml")
    _read(one)
    _read(two)
    with pytest.raises(KubevmmError, match="name one domain default_web-1"):
        _read(one, two)


def test_no_more_is_kept_than_fits(
    write: Callable[..., str], parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "LIMIT", 1)
    one, two = write(vm(), "one.yaml"), write(vm("two"), "two.yaml")
    for file in (one, two, two, one):
        _read(file)
    assert parsed == [one, two, one]
