"""The plan for a volume: made, grown, never made anew; what libvirt cannot change of it is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from analyser.codec.encode import encode
from analyser.compare.normal import Size, scalar
from executor.plan import actions
from executor.plan.merge import merge, path_text
from schemas.errors import InputError
from schemas.table import table

if TYPE_CHECKING:
    from executor.plan.merge import Path

FIRST: Final = (
    ("allocation",),
    ("physical",),
    ("key",),
    ("target", "timestamps"),
    ("target", "permissions"),
    ("source",),
)
"""What says how a volume is made, or what libvirt finds out about it: it is not kept to later."""


def plan(
    pool: str, desired: dict[str, Any], actual: dict[str, Any] | None, *, copied: str | None = None
) -> list[actions.Action]:
    """Return what must be done so that the volume *actual* of *pool* (None: there is none) becomes *desired*.

    *desired* has a name and a capacity; *copied* is the volume whose data a new one gets. A volume only ever grows:
    what else differs is Unchangeable, and nothing is done then. Raises InputError for a capacity that is none.
    """
    root = table().roots["volume"]
    name = str(desired.get("name", ""))
    if actual is None:
        capacity(desired)
        node = merge(None, desired, None, root.type).node
        text = encode(node, root.type, root.element, table().namespaces, path=("spec", "volume"), libvirt_order=True)
        return [actions.CreateVolume(pool, name, text, copied)]
    changes = merge(actual, desired, desired, root.type).changes
    fixed = [change.path for change in changes if not _first(change.path) and change.path != ("capacity",)]
    wanted = capacity(desired) if any(change.path == ("capacity",) for change in changes) else None
    if wanted is not None and wanted < capacity(actual):
        fixed.append(("capacity",))
    if fixed:
        return [actions.Unchangeable(tuple(map(path_text, fixed)))]
    return [] if wanted is None else [actions.ResizeVolume(pool, name, wanted)]


def delete(pool: str, actual: dict[str, Any] | None) -> list[actions.Action]:
    """Return how the volume *actual* of *pool* goes away, with its data."""
    return [] if actual is None else [actions.DeleteVolume(pool, str(actual.get("name", "")))]


def capacity(volume: dict[str, Any]) -> int:
    """Return how many bytes *volume* holds. Raises InputError where it does not say."""
    field = table().roots["volume"].type.by_key["capacity"]
    size = scalar(volume.get("capacity"), field)
    if not isinstance(size, Size):
        raise InputError("a volume needs a capacity, such as 20Gi", path="spec.volume.capacity")
    return size.bytes


def _first(path: Path) -> bool:
    return any(path[: len(prefix)] == prefix for prefix in FIRST)
