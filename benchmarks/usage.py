"""What processes use, what the API server was asked by whom, and how long it took by its own account."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from kube.session import Session

AGENTS: Final = {"kubevmm-controller": "controller", "kubevmm-extender": "extender", "kubevmm-executor": "executors"}
MUTATING: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_BUCKET: Final = re.compile(rb'apiserver_request_duration_seconds_bucket\{(.*?),?le="([^"]+)"(.*?)\} (\S+)')
_VERB: Final = re.compile(rb'verb="(POST|PUT|PATCH|APPLY|DELETE)"')


class Use(NamedTuple):
    """What a process has used: seconds of processor time, and MiB of memory that are its own."""

    seconds: float
    memory: float


def use(pid: int) -> Use:
    """Return what the process *pid* has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return Use(seconds, sum(int(lines[key].split()[0]) for key in ("Private_Clean", "Private_Dirty")) / 1024)


def busy() -> float:
    """Return the seconds of processor time that all processes of this machine have used, on all of its cores."""
    fields = [int(each) for each in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    # User, nice, system, and what interrupts took; not idle, and not waiting.
    return sum(fields[:3] + fields[5:7]) / os.sysconf("SC_CLK_TCK")


class Request(NamedTuple):
    """What was asked of the API server: by which part, a verb, and of what kind, with its subresource."""

    part: str
    verb: str
    kind: str

    @property
    def writes(self) -> bool:
        """Whether it changes an object, other than an event or a node's Lease."""
        return self.verb in MUTATING and self.kind not in ("events", "leases")


class _About(msgspec.Struct):
    resource: str = ""
    subresource: str = ""


class _Entry(msgspec.Struct, rename="camel"):
    stage: str
    verb: str
    user_agent: str = ""
    object_ref: _About = msgspec.field(default_factory=_About)


class Audit:
    """The API server's audit log at *path*, read on from where it was read last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0
        self._decoder = msgspec.json.Decoder(_Entry)

    def read(self) -> Counter[Request]:
        """Return how often what was asked since; what a benchmark itself asked is left out."""
        found: Counter[Request] = Counter()
        with self.path.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                entry = self._decoder.decode(line)
                agent = entry.user_agent.partition("/")[0]
                if entry.stage == "ResponseComplete" and agent != "benchmark":
                    kind = "/".join(filter(None, (entry.object_ref.resource, entry.object_ref.subresource)))
                    found[Request(AGENTS.get(agent, agent), entry.verb, kind)] += 1
        return found


class Latency(NamedTuple):
    """How many requests took at most how many seconds: what the API server counts in buckets."""

    buckets: Counter[float]

    def __sub__(self, before: Latency) -> Latency:  # type: ignore[override]
        return Latency(Counter({bound: n - before.buckets[bound] for bound, n in self.buckets.items()}))

    def quantile(self, part: float) -> float:
        """Return within how many seconds *part* of them were answered, as Prometheus' histogram_quantile has it."""
        bounds = sorted(self.buckets)
        wanted = part * self.buckets[bounds[-1]]
        low, below = 0.0, 0
        for bound in bounds:
            count = self.buckets[bound]
            if count >= wanted:
                if bound == float("inf") or count == below:
                    return low
                return low + (bound - low) * (wanted - below) / (count - below)
            low, below = bound, count
        return low


async def writing(session: Session) -> Latency:
    """Return how long the API server took for requests that write (apiserver_request_duration_seconds)."""
    text = await session.request("GET", "/metrics", timeout=60)
    found: Counter[float] = Counter()
    for before, bound, after, count in _BUCKET.findall(text):
        if _VERB.search(before + after):
            found[float(bound)] += int(float(count))
    return Latency(found)
