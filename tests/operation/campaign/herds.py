"""A replica set of a run: scaled up and down, and never a guest made that was not asked for, as libvirt counts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.operation.campaign.api import manifest
from tests.operation.campaign.guests import Build

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping

    from tests.operation.campaign.record import Record, Stand
    from tests.operation.campaign.stage import Stage

SETS = "virtualmachinereplicasets"


@dataclass
class Herd:
    """The set *name*, which is to have ``sizes`` guests, one after the other."""

    name: str
    sizes: list[int]
    done: int = 0
    """How many of the sizes were asked for."""
    made: int = 0
    """How many guests were asked for in all."""
    uid: str = ""

    def __str__(self) -> str:
        return f"replica set {self.name}: {self.sizes} (begun: {self.done})"

    @property
    def size(self) -> int:
        """How many guests there are to be by now."""
        return self.sizes[self.done - 1] if self.done else 0

    def mine(self, domain: str) -> bool:
        """Say whether the domain is one of its guests'."""
        return domain.startswith(f"default_{self.name}-")

    def begin(self, stage: Stage) -> None:
        """Ask for the next size."""
        size = self.sizes[self.done]
        self.made += max(size - self.size, 0)
        if self.done:
            stage.api.merge(SETS, self.name, {"spec": {"replicas": size}})
        else:
            labels = {"herd": self.name}
            spec = Build(self.name).spec(stage.kernel, stage.disk)
            template = {"metadata": {"labels": labels}, "spec": spec}
            body = {"replicas": size, "selector": {"matchLabels": labels}, "template": template}
            stage.api.create(SETS, manifest("VirtualMachineReplicaSet", self.name, "default", spec=body))
            self.uid = str(stage.api.find(SETS, self.name)["metadata"]["uid"])
        self.done += 1

    def end(self, stage: Stage) -> None:
        """Have it deleted, and its guests with it."""
        stage.api.delete(SETS, self.name, self.uid)
        self.sizes.append(0)
        self.done = len(self.sizes)

    def wrong(self, stands: Mapping[str, list[Stand]], record: Record) -> str:
        """Return in what libvirt differs from what is wanted, empty for nothing."""
        there = {domain: found for domain, found in stands.items() if self.mine(domain)}
        running = [domain for domain, found in there.items() if [each.state for each in found] == ["running"]]
        if len(running) != self.size or len(there) != self.size:
            return f"{self.name}: {running} of {list(there)} run, there are to be {self.size}"
        idle = [domain for domain in running if not record.starts(domain)]
        return f"{self.name}: {idle} were not started" if idle else ""

    def miscounted(self, record: Record) -> Iterator[str]:
        """Yield what libvirt counted otherwise than it was asked for."""
        seen = {each.uuid for each in record.told if self.mine(each.name)}
        if len(seen) != self.made:
            yield f"{self.name}: {len(seen)} guests were made, {self.made} were asked for"

    def misstated(self, found: Mapping[str, Any]) -> Iterator[str]:
        """Yield what the object *found* says otherwise than it is."""
        status = found.get("status") or {}
        said = status.get("replicas"), status.get("readyReplicas")
        if said != (self.size, self.size):
            yield f"{self.name}: has {self.size} guests, its status says {said}"


def draw(chance: random.Random, number: int) -> list[Herd]:
    """Return the replica sets of run *number*: seldom one."""
    if chance.random() > 0.25:
        return []
    return [Herd(f"r{number}-set", [chance.randint(1, 3) for _ in range(chance.randint(1, 3))])]
