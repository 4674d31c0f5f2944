"""metav1.Conditions: set one, and keep since when it has been so."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Condition = dict[str, Any]


def timestamp(now: dt.datetime | None = None) -> str:
    """Return a moment, by default this one, as a ``metav1.Time``."""
    return (now or dt.datetime.now(tz=dt.UTC)).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(
    before: Iterable[Mapping[str, Any]],
    kind: str,
    status: bool | None,
    reason: str,
    message: str = "",
    *,
    generation: int,
    now: dt.datetime | None = None,
) -> Condition:
    """Return the condition of the type *kind*; ``lastTransitionTime`` is that of *before* if its status is the same.

    *status* None means Unknown.
    """
    word = {True: "True", False: "False", None: "Unknown"}[status]
    old = find(before, kind)
    since = old["lastTransitionTime"] if old is not None and old.get("status") == word else timestamp(now)
    return {
        "type": kind,
        "status": word,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": since,
    }


def find(conditions: Iterable[Mapping[str, Any]], kind: str) -> Mapping[str, Any] | None:
    """Return the condition of the type *kind*, None if there is none."""
    return next((found for found in conditions if found.get("type") == kind), None)


def is_true(conditions: Iterable[Mapping[str, Any]], kind: str) -> bool:
    """Return whether there is a condition of the type *kind*, and it is True."""
    found = find(conditions, kind)
    return found is not None and found.get("status") == "True"
