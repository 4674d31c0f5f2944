"""Which changes are worth a reconcile."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from kube.store import Delta

    Predicate = Callable[[Delta], bool]


def any_change(delta: Delta) -> bool:  # noqa: ARG001  (a predicate as any other)
    """Pass everything."""
    return True


def spec_changed(delta: Delta) -> bool:
    """Pass what appeared or went, and changes of the spec, of labels, finalizers, owners, or of being deleted.

    A kind without a status subresource or generations passes whole.
    """
    old, new = delta.old, delta.new
    if old is None or new is None or not new.generation:
        return True
    return (
        old.generation != new.generation
        or old.labels != new.labels
        or old.finalizers != new.finalizers
        or old.owners != new.owners
        or old.deletion_timestamp != new.deletion_timestamp
    )


def lifecycle(delta: Delta) -> bool:
    """Pass what appeared, went, or began to be deleted."""
    old, new = delta.old, delta.new
    return old is None or new is None or old.deleting != new.deleting
