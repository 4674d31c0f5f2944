"""A control group of the tests' own for the Pods of one node, in every hierarchy, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from tests.harness.errors import HarnessError

ROOT = Path("/sys/fs/cgroup")
# What kubelet asks for, by the names that the first version's hierarchies have.
NEEDED = ("cpu", "cpuacct", "cpuset", "memory", "pids")


def make(name: str) -> None:
    """Make the group ``name`` in all hierarchies; raises `HarnessError` where this machine does not let us."""
    for hierarchy in hierarchies():
        try:
            (hierarchy / name).mkdir(exist_ok=True)
        except OSError as error:
            raise HarnessError(
                f"no control group can be made in {hierarchy} ({error.strerror}), so no kubelet can run here",
                hint="run as root, on a machine or in a container whose /sys/fs/cgroup can be written"
                " (docker: --privileged --cgroupns=private)",
            ) from error
        if (controllers := hierarchy / "cgroup.controllers").exists():
            wanted = " ".join(f"+{controller}" for controller in controllers.read_text(encoding="ascii").split())
            for group in (hierarchy, hierarchy / name):
                with contextlib.suppress(OSError):
                    (group / "cgroup.subtree_control").write_text(wanted, encoding="ascii")


def hierarchies() -> list[Path]:
    """Return the hierarchies that are mounted: one of the second version, or those of the first that kubelet needs."""
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    first = [ROOT / controller for controller in NEEDED]
    if missing := [path.name for path in first if not path.is_dir()]:
        raise HarnessError(
            f"the control groups {', '.join(missing)} are not mounted below {ROOT}, so no kubelet can run here",
            hint="mount them, or boot with cgroup version 2",
        )
    # runc keeps its processes in systemd's as well, where it is mounted.
    return [path for path in sorted(ROOT.iterdir()) if path.is_dir() and (path / "cgroup.procs").exists()]


def remove(name: str, *, timeout: float = 20.0) -> None:
    """End what is left in the group ``name`` and remove it from all hierarchies, with the groups below it."""
    deadline = time.monotonic() + timeout
    for hierarchy in hierarchies():
        while (hierarchy / name).exists():
            for folder, _, _ in os.walk(hierarchy / name, topdown=False):
                _end_all_in(Path(folder))
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()
            if time.monotonic() > deadline:
                raise HarnessError(f"the control group {hierarchy / name} cannot be removed")
            time.sleep(0.02)


def _end_all_in(group: Path) -> None:
    with contextlib.suppress(OSError):
        for pid in (group / "cgroup.procs").read_text(encoding="ascii").split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
