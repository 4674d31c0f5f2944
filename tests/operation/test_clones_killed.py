"""Clones while the controller is killed: each is made exactly once. A cluster of its own, in which nothing else clones.

KUBEVMM_FAULT_SEEDS says how many kills there are.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

from controller.operationstatus import OVER
from tests.operation.conftest import eventually
from tests.operation.test_clones import golden, made
from tests.operation.test_guests import NODE
from tests.operation.test_operations import operation, phase, wait

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness.libvirtd import Libvirtd
    from tests.operation.conftest import Cluster

SEEDS = int(os.environ.get("KUBEVMM_FAULT_SEEDS", "3"))
WRITES = 6
"""Of a controller that clones a guest with one disk: the owner, begun, the disk, where it is, the guest, done."""


def test_a_controller_that_is_killed_at_any_request_clones_once(
    cluster: Cluster, libvirtd: Libvirtd, tmp_path: Path
) -> None:
    controller = cluster.controller()
    cluster.executor(NODE, libvirtd)
    golden(cluster, tmp_path / "stack")
    killed = 0
    for seed in range(SEEDS):
        source = random.Random(seed)  # noqa: S311  (to be had again)
        name = f"copy-{seed}"
        point = f"{source.choice(['before', 'after'])}:{source.randint(1, WRITES)}"
        controller.stop()
        dying = cluster.daemon(f"dying-{seed}", "tests.operation.controllerfaults", point, "--no-elect", "--port", "0")
        process = dying.process
        assert process is not None
        mode = source.choice(["Full", "Linked"])
        cluster.apply(operation(f"clone-{seed}", "Clone", "golden", clone={"target": name, "mode": mode}))
        # Writes may come together, so that the last of them is not reached.
        eventually(
            lambda process=process, seed=seed: process.poll() is not None or phase(cluster, f"clone-{seed}") in OVER
        )
        killed += process.poll() is not None
        dying.kill()
        controller.start()
        said = wait(cluster, f"clone-{seed}")
        assert said["message"].startswith(f"cloned to {name}"), (point, said)
        assert made(cluster, "vm") == sorted(["golden", name])
        assert made(cluster, "vmdisk") == sorted(["root", f"{name}-vda"])
        assert cluster.get("vmdisk", f"{name}-vda")["spec"]["source"]["diskRef"]["name"] == "root"
        assert phase(cluster, f"clone-{seed}") == "Succeeded"
        cluster.kubectl("delete", "vm", name, "--timeout=60s")
        cluster.kubectl("delete", "vmdisk", f"{name}-vda", "--timeout=60s")
    assert killed > SEEDS // 2
    cluster.kubectl("delete", "vm,vmdisk,vmpool", "--all", "--timeout=60s")
