"""What of an object its mark does not have: secrets, which whoever changes it without seeing them must not take away.

Each has a word in its place, which stands for the value that the guest has.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from executor.engine import credentials, guests, resolve
from executor.engine.objects import walked
from schemas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from executor.engine.objects import Ref
    from executor.engine.source import Declarations
    from executor.engine.store import Guest
    from executor.hypervisor.hypervisor import Hypervisor

Path: TypeAlias = "tuple[str | int, ...]"

_DOMAIN: Final = ("spec", "domain")


@dataclass(frozen=True)
class Withheld:
    """``object`` with words in place of ``values``, which are by these words; ``secrets`` are those of its Secrets.

    ``texts`` are the keys of its cloudInit that nobody has any more.
    """

    object: dict[str, Any] = field(repr=False)
    values: dict[str, str] = field(default_factory=dict, repr=False)
    secrets: dict[tuple[str, str, str], str] = field(default_factory=dict, repr=False)
    texts: tuple[str, ...] = ()

    def put_back(self, declared: Declarations) -> None:
        """Put into *declared*, what became of the object, what it is without.

        Raises InputError where its cloudInit was changed, of which that is not known.
        """
        for each in declared.objects:
            for path, node in walked(each.object):
                for key, value in node.items():
                    if isinstance(value, str) and value in self.values:
                        if not path[:2] == _DOMAIN:
                            raise InputError(f"{value} stands for a secret, which has no place here", path=key)
                        node[key] = self.values[value]
            self._seed(declared)
        for place, value in self.secrets.items():
            declared.secrets.setdefault(place, value)

    def _seed(self, declared: Declarations) -> None:
        before = (self.object.get("spec") or {}).get("cloudInit")
        if before is None or not (self.texts or before.get("secretRef")):
            return
        for each in declared.objects:
            now = (each.object.get("spec") or {}).get("cloudInit")
            if now == before:
                declared.settled.add(each.ref)
            elif now is not None:
                raise InputError(
                    f"{each.ref}: what its Secret says is not at hand, to make another disk of",
                    path="spec.cloudInit",
                    hint="change it in its file, and apply that",
                )


def of_pool(hypervisor: Hypervisor, ref: Ref, obj: dict[str, Any]) -> Withheld:
    """Return *obj*, the storage pool *ref*, for somebody who changes it."""
    wanted = (obj.get("spec") or {}).get("secretRef")
    if not wanted:
        return Withheld(obj)
    value = credentials.known(hypervisor, ref, obj)
    if value is None:
        return Withheld(obj)
    return Withheld(obj, secrets={(ref.namespace, str(wanted.get("name")), str(wanted.get("key"))): value})


def of(guest: Guest, obj: dict[str, Any]) -> Withheld:
    """Return *obj*, the object that *guest* is, for somebody who changes it.

    Raises InputError where it cannot be told which of the guest's secrets is which of the object's.
    """
    mark = guest.mark
    if mark is None:
        return Withheld(obj)
    texts = tuple(str(path[2]) for path in mark.secrets if path[:2] == ("spec", "cloudInit"))
    paths = [path for path in mark.secrets if path[:2] == _DOMAIN]
    if not paths:
        return Withheld(obj, texts=texts)
    shown, there = copy.deepcopy(obj), {"spec": {"domain": guests.observe(guest.domain).inactive}}
    values: dict[str, str] = {}
    secrets: dict[tuple[str, str, str], str] = {}
    for path, value in _paired(paths, there):
        node = _at(shown, path[:-1])
        if node is None or value is None:
            continue
        wanted = node.get(f"{path[-1]}{resolve.SECRET}")
        if wanted:
            secrets[guest.ref.namespace, str(wanted.get("name")), str(wanted.get("key"))] = value
        else:
            word = f"(secret {len(values) + 1})"
            values[word] = value
            node[str(path[-1])] = word
    return Withheld(shown, values, secrets, texts)


def _paired(paths: Sequence[Path], there: dict[str, Any]) -> Iterator[tuple[Path, str | None]]:
    """Yield each of *paths* with what *there* is of it; lists have other places there, and the same order."""
    for form in dict.fromkeys(map(_form, paths)):
        mine = sorted((path for path in paths if _form(path) == form), key=_places)
        found = [
            str(node[form[-1]])
            for path, node in walked(there)
            if form[-1] in node and _form((*path, form[-1])) == form
        ]  # fmt: skip
        if found and len(found) != len(mine):
            raise InputError(
                f"the guest has {len(found)} secrets there, and the object {len(mine)}: they cannot be told apart",
                path=".".join(form),
                hint="edit the object's file, with -f",
            )
        values: list[str | None] = [*found] or [None] * len(mine)
        yield from zip(mine, values, strict=True)


def _form(path: Path) -> tuple[str, ...]:
    return tuple(step for step in path if isinstance(step, str))


def _places(path: Path) -> tuple[int, ...]:
    return tuple(step for step in path if isinstance(step, int))


def _at(node: Any, path: Path) -> dict[str, Any] | None:
    for step in path:
        try:
            node = node[step]
        except (KeyError, IndexError, TypeError):
            return None
    return node if isinstance(node, dict) else None
