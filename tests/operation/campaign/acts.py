"""What is done to a guest, one act at a time, and whether libvirt shows that it has come about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import libvirt

from tests.operation.campaign import verdict
from tests.operation.campaign.api import manifest
from tests.operation.campaign.stories import FOLLOWS, OPERATIONS, PLACED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.operation.campaign.guests import Guest
    from tests.operation.campaign.record import Stand
    from tests.operation.campaign.stage import Stage

STARTS = {"run", "Restart", "Restore", "Start", "destroy", "evict", "drain", "uncordon"}
"""Acts after which a guest has been started once more."""

BOOTS = 1.5
"""Seconds after which a guest's firmware has made way for its system, most of the time."""

OVER = {"Succeeded", "Failed"}


class Acts:
    """Does what the stories say on *stage*."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._api = stage.api
        self._record = stage.record
        self.stands: Mapping[str, list[Stand]] = {}
        """How each domain stood when it was looked at last."""
        self._operations: list[dict[str, Any]] | None = None
        self._cordoned: tuple[str, Guest] | None = None
        """The node that takes no Pods, and the guest for which that is so."""

    def look(self) -> None:
        """Look at all that there is."""
        self.stands, self._operations = self._record.look(), None

    @property
    def operations(self) -> list[dict[str, Any]]:
        """All operations, as the API server has them."""
        if self._operations is None:
            self._operations = self._api.list("virtualmachineoperations")
        return self._operations

    def begin(self, guest: Guest, act: str) -> bool:
        """Have *act* done; return False where it is too early for that."""
        if act in OPERATIONS:
            self._goal(guest, act)
            self._operate(guest, act)
            return True
        return bool(getattr(self, f"_{act}")(guest))

    def may_begin(self, guest: Guest, act: str) -> bool:
        """Say whether all has come about that *act* stands on."""
        before = guest.acts[guest.done - 1] if guest.done else ""
        if not before or act == "title":
            return True
        if act in OPERATIONS and before in OPERATIONS:
            # They come one after the other by themselves.
            return act != "SoftReboot" or self._hears(guest)
        if self.wrong(guest):
            return False
        if act in OPERATIONS:
            return self._hears(guest)
        return self.over(guest) and self._hears(guest) and (act not in PLACED or self._said(guest))

    def _said(self, guest: Guest) -> bool:
        """Say whether the status is as libvirt is: an eviction goes by that."""
        found = self._api.find("virtualmachines", guest.build.name)
        return not list(verdict.of_status(guest, found, self.stands.get(guest.domain, [])))

    def _hears(self, guest: Guest) -> bool:
        """Say whether the guest is past its firmware, which hears no power button."""
        began = [each.at for each in self._record.of(guest.domain) if each.what in ("started", "QEMU:RESET")]
        return not began or self._record.now() - began[-1] > BOOTS

    def wrong(self, guest: Guest) -> str:
        """Return in what libvirt differs from what is wanted of *guest*, empty for nothing."""
        starts = self._record.starts(guest.domain)
        if starts < guest.goal.starts:
            return f"was started {starts} times, and is to have been {guest.goal.starts} times"
        return wrong(guest, self.stands.get(guest.domain, []))

    def open_nodes(self) -> bool:
        """Let a node take Pods again whose guest has left it; return whether all do."""
        if self._cordoned is not None:
            node, guest = self._cordoned
            if guest.goal.state == "shut" or self.wrong(guest):
                return False
            self._api.node(node, cordoned=False)
            self._cordoned = None
        return True

    def over(self, guest: Guest) -> bool:
        """Say whether nothing is asked of the guest any more."""
        found = [each for each in self.operations if verdict.of(each, guest)]
        done = {each["metadata"]["name"] for each in found if (each.get("status") or {}).get("phase") in OVER}
        return len(done) == len(found) and guest.operations.keys() <= done

    def _goal(self, guest: Guest, act: str) -> None:
        state = guest.goal.state
        guest.goal.state = FOLLOWS[state][act]
        if act in STARTS:
            guest.goal.starts += 1
            self._record.ask(guest.domain, 1)

    def _create(self, guest: Guest) -> bool:
        build = guest.build
        guest.goal.state = "new" if build.halted else "running"
        guest.goal.starts = 0 if build.halted else 1
        self._record.ask(guest.domain, guest.goal.starts)
        spec = build.spec(self._stage.kernel, self._stage.disk)
        self._api.create("virtualmachines", manifest("VirtualMachine", build.name, "default", spec=spec))
        guest.uid = str(self._api.find("virtualmachines", build.name)["metadata"]["uid"])
        return True

    def _title(self, guest: Guest) -> bool:
        guest.goal.title = f"act {guest.done}"
        self._merge(guest, {"domain": {"title": guest.goal.title}})
        return True

    def _memory(self, guest: Guest) -> bool:
        guest.goal.memory = 24 if guest.goal.memory == 16 else 16
        self._merge(guest, {"domain": {"memory": f"{guest.goal.memory}Mi"}})
        return True

    def _halt(self, guest: Guest) -> bool:
        self._goal(guest, "halt")
        self._merge(guest, {"runStrategy": "Halted"})
        return True

    def _run(self, guest: Guest) -> bool:
        self._goal(guest, "run")
        self._merge(guest, {"runStrategy": "Always"})
        return True

    def _destroy(self, guest: Guest) -> bool:
        self._goal(guest, "destroy")
        (stand,) = [each for each in self._record.look()[guest.domain] if each.active]
        stand.domain.destroy()
        return True

    def _evict(self, guest: Guest) -> bool:
        pod = self._pod(guest)
        if pod is None:
            return False
        self._goal(guest, "evict")
        self._api.evict(pod)
        return True

    def _bump(self, guest: Guest) -> bool:
        pod = self._pod(guest)
        if pod is not None:
            self._api.evict(pod)
        return pod is not None

    def _drain(self, guest: Guest) -> bool:
        return self._cordon(guest, "drain")

    def _shut(self, guest: Guest) -> bool:
        return self._cordon(guest, "shut")

    def _cordon(self, guest: Guest, act: str) -> bool:
        pod = self._pod(guest)
        if pod is None or self._cordoned is not None:
            return False
        node = pod["spec"]["nodeName"]
        self._cordoned = node, guest
        self._goal(guest, act)
        self._api.node(node, cordoned=True)
        self._api.evict(pod)
        return True

    def _uncordon(self, guest: Guest) -> bool:
        assert self._cordoned is not None
        self._goal(guest, "uncordon")
        self._api.node(self._cordoned[0], cordoned=False)
        self._cordoned = None
        return True

    def _pod(self, guest: Guest) -> dict[str, Any] | None:
        """Return the guest's Pod, None while there is none that is to stay and has a node."""
        pods = self._api.list("pods", f"kubevmm.io/vm={guest.build.name}")
        there = [each for each in pods if "deletionTimestamp" not in each["metadata"] and each["spec"].get("nodeName")]
        return there[0] if there else None

    def _delete(self, guest: Guest) -> bool:
        guest.goal.state = "absent"
        guest.told = [each for each in self.operations if verdict.of(each, guest)]
        self._api.delete("virtualmachines", guest.build.name, guest.uid)
        return True

    def _operate(self, guest: Guest, kind: str) -> None:
        name = f"{guest.build.name}-{guest.done:02}-{kind.lower()}"
        guest.operations[name] = kind
        spec = {"type": kind, "virtualMachineRef": {"name": guest.build.name, "uid": guest.uid}}
        self._api.create("virtualmachineoperations", manifest("VirtualMachineOperation", name, "default", spec=spec))

    def _merge(self, guest: Guest, spec: Mapping[str, Any]) -> None:
        self._api.merge("virtualmachines", guest.build.name, {"spec": spec})


def wrong(guest: Guest, stands: list[Stand]) -> str:
    """Return in what *stands* differs from what is wanted of *guest*, empty for nothing."""
    goal = guest.goal
    try:
        if goal.state in ("absent", "new"):
            alive = [each for each in stands if each.active or goal.state == "absent"]
            return f"is on {alive[0].node}" if alive else ""
        if len(stands) != 1:
            return f"is on {[each.node for each in stands]}"
        (stand,) = stands
        state = stand.state if stand.active else "saved" if stand.domain.hasManagedSaveImage() else "off"
        if state != {"held": "off", "shut": "off"}.get(goal.state, goal.state):
            return f"is {state} ({stand.reason})"
        document = stand.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        live = stand.domain.XMLDesc() if stand.active else document
        for text in (document, live):
            if f"<title>{goal.title}</title>" not in text:
                return f"has the title {re.findall('<title>(.*)</title>', text)}"
        if f">{goal.memory * 1024}</memory>" not in document:
            return f"has the memory {re.findall('<memory.*</memory>', document)}"
        return "has an open operation" if "kubevmm-operation" in document + live else ""
    except libvirt.libvirtError as error:
        # It went, or ended, as it was looked at.
        return str(error)
