"""What happens to the guests of a run, drawn from its seed: which there are, and one act after the other on each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.operation.campaign.guests import Build, Guest
from tests.operation.campaign.stage import NODES

if TYPE_CHECKING:
    import random

LONGEST = 4
"""Acts on one guest at most, beside those that make it and take it away."""

# What can be done to a guest in a state, and the state that it is in then.
FOLLOWS = {
    "running": {
        "title": "running", "memory": "running", "Restart": "running", "Reset": "running", "SoftReboot": "running",
        "Pause": "paused", "Save": "saved", "Stop": "held", "PowerOff": "held", "halt": "off", "destroy": "running",
        "evict": "running", "drain": "running", "shut": "shut",
    },
    "paused": {"Resume": "running", "Restart": "running", "PowerOff": "held", "title": "paused"},
    "saved": {"Restore": "running", "Start": "running", "bump": "saved"},
    "held": {"Start": "running", "title": "held", "bump": "held"},
    "off": {"run": "running", "title": "off"},
    "shut": {"uncordon": "running"},
    "new": {"run": "running"},
}  # fmt: skip

OPERATIONS = {
    "Restart", "Reset", "SoftReboot", "Pause", "Resume", "Save", "Restore", "Stop", "Start", "PowerOff",
}  # fmt: skip

POLITE = {"halt", "SoftReboot"}
"""What needs a guest that hears its power button."""

PLACED = {"evict", "drain", "shut", "bump"}
"""What needs a guest with a Pod. In a drain it leaves its node if it can, else it shuts down; one that is off stays."""


def draw(chance: random.Random, number: int) -> list[Guest]:
    """Return the guests of run *number*, each with what happens to it."""
    return [_guest(chance, f"r{number}-{word}") for word in ("ann", "ben", "cyd", "dan")[: chance.randint(2, 4)]]


def _guest(chance: random.Random, name: str) -> Guest:
    build = Build(
        name,
        node="" if chance.random() < 0.6 else chance.choice(NODES),
        polite=chance.random() < 0.7,
        rooted=chance.random() < 0.3,
        halted=chance.random() < 0.15,
    )
    acts = ["create"]
    state = "new" if build.halted else "running"
    for _ in range(chance.randint(1, LONGEST)):
        ways = [act for act in FOLLOWS[state] if _can(build, act)]
        act = chance.choice(ways)
        acts.append(act)
        state = FOLLOWS[state][act]
    if state == "shut":
        acts.append("uncordon")
    acts.append("delete")
    return Guest(build, acts, early=chance.random() < 0.4)


def _can(build: Build, act: str) -> bool:
    if act in POLITE:
        return build.polite
    if act in PLACED:
        return not build.node and (act in ("evict", "bump") or build.stays == (act == "shut"))
    return True
