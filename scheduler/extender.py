"""The extender's verbs over HTTP, as kube-scheduler calls them (k8s.io/kube-scheduler/extender/v1)."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import web

from scheduler import metrics
from scheduler.judge import Judge
from scheduler.windows import FEWEST, Windows

if TYPE_CHECKING:
    from scheduler.caches import Caches
    from scheduler.judge import Verdict

logger = logging.getLogger(__name__)

GUEST: Final = "VirtualMachine"
"""The kind that a placement Pod's controlling owner has."""

LARGEST: Final = 64 << 20
"""Bytes of a request: a Pod and the names of all nodes."""

_FURTHER: Final = "none of the {} nodes looked at so far can run the guest: looking at others"
_ABSENT: Final = "reports nothing: no executor runs there"


class _Owner(msgspec.Struct):
    kind: str = ""
    name: str = ""
    controller: bool = False


class _Metadata(msgspec.Struct, rename="camel"):
    uid: str = ""
    namespace: str = "default"
    owner_references: list[_Owner] | None = None


class _Pod(msgspec.Struct):
    metadata: _Metadata


class _Arguments(msgspec.Struct, rename={"pod": "Pod", "nodenames": "NodeNames", "victims": "NodeNameToMetaVictims"}):
    pod: _Pod
    nodenames: list[str] | None = None
    victims: dict[str, Any] | None = None


class _Filtered(msgspec.Struct, rename="pascal"):
    """What a node has not does not come by ending what runs there: nobody is to be preempted for it."""

    node_names: list[str]
    failed_and_unresolvable_nodes: dict[str, str]


class _Failed(msgspec.Struct, rename="pascal"):
    """No answer: kube-scheduler tries the Pod again after a moment, whatever happens in the cluster or does not."""

    error: str


class _Priority(msgspec.Struct, rename="pascal", gc=False):
    host: str
    score: int


_DECODER: Final = msgspec.json.Decoder(_Arguments)


class Extender:
    """Answers from *caches* alone; nothing is asked of anybody while kube-scheduler waits."""

    def __init__(self, caches: Caches) -> None:
        self._caches = caches
        self._judge = Judge(caches.places)
        self._windows = Windows()

    def app(self) -> web.Application:
        """Return the application with all verbs."""
        app = web.Application(client_max_size=LARGEST)
        verbs = (self.filter, self.prioritize, self.preempt)
        app.add_routes([web.post(f"/{verb.__name__}", verb) for verb in verbs])
        return app

    async def filter(self, request: web.Request) -> web.Response:
        """Answer which of the nodes can run the guest, and of each other one why not."""
        began = time.monotonic()
        arguments = await _arguments(request)
        names = arguments.nodenames or []
        pod = arguments.pod.metadata
        owner = _owner(pod)
        verdict = self._verdict(pod)
        problem = ""
        if verdict:
            fits, fails = self._sorted_out(verdict, names)
            if not fits and self._more(verdict, pod.uid, names):
                problem = _FURTHER.format(len(names))
        elif owner:
            # It may be in the cache a moment later, and that is no event of kube-scheduler's.
            fits, fails, problem = [], {}, f"there is no {GUEST} {owner} yet"
        else:
            fits, fails = [], dict.fromkeys(names, f"the Pod is no {GUEST}'s")
        metrics.REFUSED.inc(len(fails))
        metrics.SECONDS.labels("filter").observe(time.monotonic() - began)
        return _json(_Failed(problem) if problem else _Filtered(fits, fails))

    async def prioritize(self, request: web.Request) -> web.Response:
        """Answer how well each of the nodes suits the guest."""
        began = time.monotonic()
        arguments = await _arguments(request)
        names = arguments.nodenames or []
        verdict = self._verdict(arguments.pod.metadata)
        scores = verdict.scores(self._caches.nodes, names) if verdict else [0] * len(names)
        # Only what one node has above another decides, and who is not in the answer has nothing: of hundreds of nodes,
        # most suit a guest alike.
        least = min(scores, default=0)
        body = [_Priority(name, score - least) for name, score in zip(names, scores, strict=True) if score > least]
        metrics.SECONDS.labels("prioritize").observe(time.monotonic() - began)
        return _json(body)

    async def preempt(self, request: web.Request) -> web.Response:
        """Answer on which of the nodes where others would make room the guest could then run."""
        began = time.monotonic()
        arguments = await _arguments(request)
        victims = arguments.victims or {}
        verdict = self._verdict(arguments.pod.metadata)
        fits = self._sorted_out(verdict, list(victims))[0] if verdict else []
        metrics.SECONDS.labels("preempt").observe(time.monotonic() - began)
        return _json({"NodeNameToMetaVictims": {name: victims[name] for name in fits}})

    def _more(self, verdict: Verdict, pod: str, names: list[str]) -> bool:
        """Say whether the guest, which can run on none of *names*, can on others that may be shown next."""
        if len(names) < FEWEST or not pod:
            return False
        others = self._caches.nodes.keys() - set(names)
        if len(verdict.refusals(self._caches.nodes, others, _ABSENT)) == len(others):
            self._windows.end(pod)
            return False
        return self._windows.goes_on(pod, len(names), len(self._caches.nodes))

    def _sorted_out(self, verdict: Verdict, names: list[str]) -> tuple[list[str], dict[str, str]]:
        """Return those of *names* on which the guest can run, and of each other one why not."""
        fails = verdict.refusals(self._caches.nodes, names, _ABSENT)
        return [name for name in names if name not in fails] if fails else names, fails

    def _verdict(self, pod: _Metadata) -> Verdict | None:
        """Return what is to be said of the Pod's guest, None where none is known."""
        found = self._caches.demand(pod.namespace, _owner(pod))
        return self._judge.of(found) if found is not None else None


def _owner(pod: _Metadata) -> str:
    """Return the name of the Pod's guest, empty where it is no guest's."""
    return next((each.name for each in pod.owner_references or () if each.controller and each.kind == GUEST), "")


async def _arguments(request: web.Request) -> _Arguments:
    try:
        return _DECODER.decode(await request.read())
    except msgspec.MsgspecError as error:
        raise web.HTTPBadRequest(text=f"not ExtenderArgs: {error}\n") from None


def _json(body: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")
