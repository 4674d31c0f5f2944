"""The API server as the agent's sink: the status of objects, and Events."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from executor.cluster.resources import RESOURCES
from executor.cluster.source import GUESTS
from kube.apply import apply_status
from kube.errors import ApiError, Conflict, NotFound
from kube.recorder import Recorder
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from executor.cluster.link import Link
    from executor.cluster.source import ApiSource
    from executor.engine.objects import Ref
    from kube.object import Object

logger = logging.getLogger(__name__)

MANAGER: Final = "kubevmm-executor"
"""The field manager; for what several nodes write in one object, with the node's name behind it."""

COMPONENT: Final = "kubevmm.io/executor"


class ApiSink:
    """A `Sink` for what *source* of the node *node* has, through *link*."""

    def __init__(self, node: str, source: ApiSource, link: Link) -> None:
        self._node = node
        self._source = source
        self._link = link
        self.recorder = Recorder(link.client, COMPONENT, node)

    def last(self, ref: Ref) -> Mapping[str, Any] | None:
        """Return what the API server has of the status."""
        found = self._source.find(ref)
        status = found.decode().get("status") if found is not None else None
        if ref.kind == GUESTS or status is None:
            return dict(status) if status is not None else None
        return next((each for each in status.get("nodes") or () if each.get("nodeName") == self._node), None)

    def put(self, ref: Ref, status: Mapping[str, Any]) -> None:
        """Write the status. Raises KubevmmError where the API server does not take it."""
        found = self._source.find(ref)
        if found is None:
            return
        if ref.kind == GUESTS:
            body, manager = guest_status(status, found.generation), MANAGER
        else:
            body, manager = {"nodes": [node_state(self._node, status)]}, f"{MANAGER}-{self._node}"[:128]
        try:
            self._link.call(apply_status(self._link.client, RESOURCES[ref.kind], found, body, manager=manager))
        except (NotFound, Conflict) as error:
            logger.debug("%s: is gone, or is another one by now: %s", ref, error)
        except ApiError as error:
            raise KubevmmError(f"{ref}: the API server does not take the status: {error}") from None

    def progress(self, ref: Ref, what: str, done: int, whole: int | None) -> None:
        """Do nothing yet."""

    def drop(self, ref: Ref) -> None:
        """Do nothing: the status goes with the object."""

    def event(self, ref: Ref, reason: str, message: str, *, warning: bool = False) -> None:
        """Write an Event about the object, and a line to the log."""
        level = logging.WARNING if warning else logging.INFO
        name = f"{ref.kind.lower()}/{ref.namespace}/{ref.name}"
        logger.log(level, "%s", message, extra={"object": name, "reason": reason})
        found = self._source.find(ref)
        if found is not None:
            self._link.post(lambda: self._record(ref, found, reason, message, warning=warning))

    def _record(self, ref: Ref, found: Object, reason: str, message: str, *, warning: bool) -> None:
        self.recorder.event(
            RESOURCES[ref.kind], found, reason, message, action="Reconcile", type="Warning" if warning else "Normal"
        )


def guest_status(status: Mapping[str, Any], generation: int) -> dict[str, Any]:
    """Return the status of a guest as the API has it; which node it is on is the controller's to say."""
    out = {key: value for key, value in status.items() if key != "nodeName"}
    observed = out.setdefault("observedGeneration", generation)
    out["conditions"] = [{"observedGeneration": observed, **each} for each in out.get("conditions") or ()]
    return out


def node_state(node: str, status: Mapping[str, Any]) -> dict[str, Any]:
    """Return how one of several nodes stands to an object: its entry in ``status.nodes``."""
    conditions = {each["type"]: each for each in status.get("conditions") or ()}
    failed = next((each for each in conditions.values() if each["status"] == "False"), None)
    synchronized = conditions.get("Synchronized") or {}
    if synchronized.get("status") == "False":
        state = "Failed"
    elif failed is not None:
        state = "Inactive"
    else:
        state = "Active"
    out: dict[str, Any] = {"nodeName": node, "state": state}
    if failed is not None and failed.get("message"):
        out["message"] = failed["message"]
    mine: Mapping[str, Any] = next(iter(status.get("nodes") or ()), {})
    return {**{key: value for key, value in mine.items() if key not in ("state", "message")}, **out}
