"""Where status goes on a node by itself: what happened to the log, what libvirt cannot know to a small file."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from executor.engine import noted
from executor.engine.status import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from executor.engine.objects import Ref
    from executor.hypervisor.hypervisor import Hypervisor

logger = logging.getLogger(__name__)


class NodeSink:
    """A `Sink` that keeps only what went wrong, and what is not there yet; `virtctl get` asks libvirt for the rest."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        self._hypervisor = hypervisor

    def last(self, ref: Ref) -> Mapping[str, Any] | None:
        """Return what was kept of the status of *ref*."""
        return noted.last(self._hypervisor, ref)

    def put(self, ref: Ref, status: Mapping[str, Any]) -> None:
        """Keep of *status* what `virtctl get` could not find out by itself."""
        own = noted.own(status)
        if all(each["reason"] == Progress.reason for each in own["conditions"]) and status.get("created") is not False:
            noted.forget(self._hypervisor, ref)
        else:
            noted.save(self._hypervisor, ref, status)

    def stale(self, ref: Ref) -> bool:  # noqa: ARG002  (a sink as any other)
        """Nothing is said but by `put`."""
        return False

    def progress(self, ref: Ref, what: str, done: int, whole: int | None) -> None:
        """Keep nothing of it: whoever wants to see it runs `virtctl apply`."""

    def drop(self, ref: Ref) -> None:
        """Keep nothing of *ref*."""
        noted.forget(self._hypervisor, ref)

    def event(self, ref: Ref, reason: str, message: str, *, warning: bool = False) -> None:
        """Write a line to the log."""
        level = logging.WARNING if warning else logging.INFO
        logger.log(
            level, "%s", message, extra={"object": f"{ref.kind.lower()}/{ref.namespace}/{ref.name}", "reason": reason}
        )
