"""What a shell completes besides verbs and options: kinds, and the names of what is on the node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_GUEST: Final = "VirtualMachine"


def guests(ctx: Any, incomplete: str) -> list[str]:
    """Return the guests whose names begin so, as ``web-1`` or ``vm/web-1``, as somebody began."""
    kind, slash, begun = incomplete.rpartition("/")
    found = _names(ctx, [_GUEST]).get(_GUEST, []) if not slash or _name_of(kind) == _GUEST else []
    return _begins(found, begun, f"{kind}/" if slash else "")


def objects(ctx: Any, incomplete: str) -> list[str]:
    """Return what may follow: a kind, or, behind one or after ``KIND/``, the names of its objects."""
    from executor.engine.objects import KINDS

    kind, slash, begun = incomplete.rpartition("/")
    said = [word for name in ("what", "words") for word in ctx.params.get(name) or ()]
    wanted = _name_of(kind) if slash else _name_of(said[0]) if said else None
    if wanted is None:
        return [] if said or slash else _begins(["all", *(each.short for each in KINDS)], incomplete)
    return _begins(_names(ctx, [wanted]).get(wanted, []), begun, f"{kind}/" if slash else "")


def _name_of(word: str) -> str | None:
    from executor.engine.objects import kind_of

    kind = kind_of(word)
    return kind.name if kind is not None else None


def _begins(names: Iterable[str], begun: str, before: str = "") -> list[str]:
    return [f"{before}{name}" for name in dict.fromkeys(names) if name.startswith(begun)]


def _names(ctx: Any, kinds: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of all objects, managed or not, by kind; none where libvirt does not answer: a shell waits."""
    from executor.cli.targets import SYSTEM
    from executor.engine.listing import Query, listing
    from executor.hypervisor.hypervisor import Hypervisor
    from schemas.errors import KubevmmError

    namespace = ctx.params.get("namespace")
    try:
        with Hypervisor(ctx.params.get("connect") or _uri() or SYSTEM, readonly=True, events=False) as hypervisor:
            return {
                kind: list(_listed(listing(hypervisor, Query(kind, namespace, unmanaged=True)).objects))
                for kind in kinds
            }
    except KubevmmError:
        return {}


def _uri() -> str:
    import os

    return os.environ.get("LIBVIRT_DEFAULT_URI", "")


def _listed(objects: Iterable[dict[str, Any]]) -> Iterator[str]:
    return (str(each["metadata"]["name"]) for each in objects)
