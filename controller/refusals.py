"""Placement Pods that the API server does not take, as by a quota: why, and when they are asked for again.

A quota that grows, or is used less, is waited for; of all else nobody tells, so that it is tried ever more seldom.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kube.resource import Resource
from schemas.quantities import amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kube.errors import ApiError
    from kube.object import Key, Object
    from kube.store import Delta

QUOTAS: Final = Resource("", "v1", "ResourceQuota", "resourcequotas")

QUOTA: Final = "QuotaExceeded"
REFUSED: Final = "PodRefused"
"""Reasons of the condition Scheduled."""

LONGEST: Final = 60.0
"""Seconds between two attempts, at most."""


@dataclass(frozen=True)
class Refusal:
    """Why there is no Pod, in a word and in the API server's own words; in ``again`` seconds it is tried again."""

    reason: str
    message: str
    again: float


def named_alike(pod: Object) -> Refusal:
    """Return why there can be no Pod where *pod*, which is not the guest's, has its name."""
    return Refusal(REFUSED, f"the Pod {pod.key.name} is there already, and not this guest's: delete it", LONGEST)


class Refusals:
    """Remembers which guests have no Pod for that reason."""

    def __init__(self) -> None:
        self._guests: dict[str, dict[Key, int]] = {}

    def note(self, guest: Key, error: ApiError) -> Refusal:
        """Note that the Pod of *guest* was refused once more."""
        there = self._guests.setdefault(guest.namespace, {})
        times = there[guest] = there.get(guest, 0) + 1
        text = str(error)
        reason = QUOTA if "exceeded quota" in text else REFUSED
        return Refusal(reason, text, min(2.0 ** (times - 1), LONGEST))

    def forget(self, guest: Key) -> None:
        """Note that *guest* has its Pod, or needs none."""
        there = self._guests.get(guest.namespace, {})
        there.pop(guest, None)
        if not there:
            self._guests.pop(guest.namespace, None)

    def of_quota(self, quota: Object) -> Iterable[Key]:
        """Map a quota to the guests of its namespace that may have waited for it."""
        return list(self._guests.get(quota.key.namespace, ()))


def gives(delta: Delta) -> bool:
    """Pass quotas that leave more than they did: they grew, are used less, or went."""
    if delta.old is None or delta.new is None:
        return delta.new is None
    old, new = _status(delta.old), _status(delta.new)
    left = _left(new)
    grown = any(left.get(name, 0) > before for name, before in _left(old).items())
    return grown or bool(old["hard"].keys() - new["hard"])


def _status(quota: Object) -> dict[str, Mapping[str, Any]]:
    status = quota.decode().get("status") or {}
    return {part: status.get(part) or {} for part in ("hard", "used")}


def _left(status: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    return {name: amount(most) - amount(status["used"].get(name, 0)) for name, most in status["hard"].items()}
