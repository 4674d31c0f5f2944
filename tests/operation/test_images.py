"""Images on a cluster: brought once into the pools that need them, checked, and found wanting by the node's name."""

from __future__ import annotations

import hashlib
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from controller.images import bringer
from tests.operation.conftest import eventually
from tests.operation.nodes import die, executors, hypervisors, libvirtds, ready
from tests.operation.test_disks import disk
from tests.operation.test_pools import pool
from tests.storage.webserver import Site, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from executor.hypervisor.hypervisor import Hypervisor
    from tests.operation.conftest import Cluster, Daemon

__all__ = ["executors", "hypervisors", "libvirtds"]

CONTENT = bytes(range(256)) * (4 << 12)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        found.files["/small.img"] = CONTENT
        yield found


def image(name: str, site: Site, pools: list[str], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kubevmm.io/v1alpha1",
        "kind": "VirtualMachineImage",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "source": {"http": {"url": f"{site.url}/small.img"}},
            "format": "raw",
            **({"poolRefs": [{"name": each} for each in pools]} if pools else {}),
            **spec,
        },
    }


def copies(found: dict[str, Any]) -> dict[tuple[str, str], str | None]:
    there = (found.get("status") or {}).get("copies") or ()
    return {(each["pool"], each["nodeName"]): each.get("state") for each in there}


@pytest.fixture
def pools(cluster: Cluster, executors: dict[str, Daemon], tmp_path: Path) -> Iterator[dict[str, str]]:
    """Make a pool for each node, and one for both; return their nodes."""
    assert executors
    own = {"pool-a": "many-a", "pool-b": "many-b"}
    made = [pool(name, tmp_path / name, nodeNames=[node]) for name, node in own.items()]
    cluster.apply(*made, pool("pool-both", tmp_path / "pool-both", shared=True))
    # One that comes later is brought to later, and asks again.
    cluster.kubectl("wait", "vmpool", *own, "pool-both", "--for=condition=Ready", "--timeout=60s")
    yield own
    cluster.kubectl("delete", "vmdisk,vmimage,vmpool", "--all", "--timeout=60s")


@pytest.mark.usefixtures("executors")
def test_an_image_lands_once_in_each_pool_that_it_names(
    cluster: Cluster, pools: dict[str, str], site: Site, tmp_path: Path
) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    kubectl = cluster.control_plane.program("kubectl")
    seen = tmp_path / "seen"
    states = r"jsonpath={.status.copies[*].state}{' '}{.status.phase}{'\n'}"
    with seen.open("w") as out:
        command = [kubectl, "--kubeconfig", cluster.control_plane.kubeconfig, "get", "vmimage", "--watch", "-o", states]
        watching = subprocess.Popen(command, stdout=out)
    cluster.apply(image("base", site, [*pools, "pool-both"], checksum=f"sha256:{digest}"))
    cluster.kubectl("wait", "vmimage/base", "--for=condition=Ready", "--timeout=60s")
    watching.terminate()
    watching.wait()
    found = cluster.get("vmimage", "base")
    both = cluster.get("vmpool", "pool-both")["status"]["executorNode"]
    wanted = {("pool-a", "many-a"), ("pool-b", "many-b"), ("pool-both", both)}
    assert copies(found) == dict.fromkeys(wanted, "Ready")
    assert found["status"]["phase"] == "Ready"
    assert (found["status"]["checksum"], found["status"]["virtualSize"]) == (f"sha256:{digest}", "4Mi")
    for name in (*pools, "pool-both"):
        assert (tmp_path / name / "base").read_bytes() == CONTENT
    # Each node asks once for all of its pools.
    assert len(site.asked) == 2
    assert "Downloading" in seen.read_text()
    version = found["metadata"]["resourceVersion"]
    cluster.kubectl("annotate", "vmpool", "pool-a", "looked=at")
    cluster.apply(disk("root", "pool-b", capacity=None, source={"imageRef": {"name": "base"}}))
    cluster.kubectl("wait", "vmdisk/root", "--for=condition=Ready", "--timeout=60s")
    assert (tmp_path / "pool-b" / "root").read_bytes() == CONTENT
    assert cluster.get("vmimage", "base")["metadata"]["resourceVersion"] == version, "nothing to do, and written"
    cluster.kubectl("delete", "vmimage", "base", "--timeout=60s")
    assert not any((tmp_path / name / "base").exists() for name in (*pools, "pool-both"))


@pytest.mark.usefixtures("executors", "pools")
def test_an_image_lands_where_a_disk_needs_it(cluster: Cluster, site: Site, tmp_path: Path) -> None:
    cluster.apply(image("asked", site, []))
    eventually(lambda: ready(cluster.find("vmimage", "asked"))["reason"] == "NoNodes")
    cluster.apply(disk("first", "pool-a", source={"imageRef": {"name": "asked"}}, capacity="32Mi"))
    cluster.kubectl("wait", "vmdisk/first", "--for=condition=Ready", "--timeout=60s")
    assert copies(cluster.get("vmimage", "asked")) == {("pool-a", "many-a"): "Ready"}
    assert not (tmp_path / "pool-b" / "asked").exists()


@pytest.mark.parametrize("begun", [False, True], ids=["while it got it", "while it put it into the pool"])
def test_another_node_of_a_shared_pool_takes_over_where_the_one_that_brings_an_image_is_down(
    cluster: Cluster, executors: dict[str, Daemon], site: Site, tmp_path: Path, begun: bool
) -> None:
    cluster.apply(pool("pool-both", tmp_path / "pool-both", shared=True))
    cluster.kubectl("wait", "vmpool/pool-both", "--for=condition=Ready", "--timeout=60s")
    first = cluster.get("vmpool", "pool-both")["status"]["executorNode"]
    other = next(name for name in executors if name != first)
    site.cuts.append(1000)
    site.hold.clear()
    cluster.apply(image("base", site, ["pool-both"], checksum=f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"))
    eventually(lambda: bool(site.asked) and ("pool-both", first) in copies(cluster.find("vmimage", "base")))
    die(cluster, first, executors[first])
    if begun:
        for name in ("base", "base.kubevmm-part"):
            (tmp_path / "pool-both" / name).write_bytes(CONTENT[:100])
    site.hold.set()
    eventually(
        lambda: copies(cluster.find("vmimage", "base")).get(("pool-both", other)) == "Ready",
        lambda: cluster.find("vmimage", "base"),
    )
    cluster.kubectl("wait", "vmimage/base", "--for=condition=Ready", "--timeout=60s")
    assert (tmp_path / "pool-both" / "base").read_bytes() == CONTENT
    assert not (tmp_path / "pool-both" / "base.kubevmm-part").exists()
    # Who comes back leaves it as it is.
    executors[first].start()
    eventually(lambda: ready(cluster.find("vmnode", first))["status"] == "True")
    assert ready(cluster.get("vmimage", "base"))["status"] == "True"
    assert (tmp_path / "pool-both" / "base").read_bytes() == CONTENT
    cluster.kubectl("delete", "vmimage", "base", "--timeout=60s")
    assert not (tmp_path / "pool-both" / "base").exists()
    cluster.kubectl("delete", "vmpool", "pool-both", "--timeout=60s")


BROUGHT = {
    "nobody yet": ([], "a", "a"),
    "it goes on": ([("b", True, "Downloading")], "a", "b"),
    "whole, and its node is down": ([("down", True, "Ready")], "a", "down"),
    "begun, and its node is down": ([("down", True, "Downloading")], "a", "a"),
    "who took over keeps it": ([("down", False, "Ready"), ("b", True, "Downloading")], "a", "b"),
    "nobody is up": ([("down", True, "Pending")], "down", "down"),
    "no pool yet": ([], "", ""),
}


@pytest.mark.parametrize("case", BROUGHT)
def test_in_a_shared_pool_one_node_brings_an_image(case: str) -> None:
    entries, executor, expected = BROUGHT[case]
    there = [{"nodeName": name, "desired": desired, "state": state} for name, desired, state in entries]
    assert bringer(there, executor, lambda name: name in {"a", "b"}) == expected


@pytest.mark.usefixtures("executors", "pools")
def test_an_image_that_fails_says_on_which_node_and_why(
    cluster: Cluster, hypervisors: dict[str, Hypervisor], site: Site, tmp_path: Path
) -> None:
    eventually((tmp_path / "pool-b").is_dir)
    cluster.kubectl("wait", "vmpool/pool-b", "--for=condition=Ready", "--timeout=30s")
    volume = "<volume><name>base</name><capacity>1024</capacity></volume>"
    hypervisors["many-b"].pools.by_name("pool-b").create_volume(volume)
    cluster.apply(
        image("base", site, ["pool-a", "pool-b"]), image("wrong", site, ["pool-a"], checksum="sha256:" + "0" * 64)
    )
    eventually(lambda: copies(cluster.find("vmimage", "base")).get(("pool-a", "many-a")) == "Ready")
    eventually(lambda: ready(cluster.find("vmimage", "base"))["reason"] == "Failed")
    assert (
        "many-b: virtualmachineimage/base: the pool pool-b has a volume base already"
        in (ready(cluster.get("vmimage", "base"))["message"])
    )
    eventually(
        lambda: "many-a: its checksum is" in ready(cluster.find("vmimage", "wrong"))["message"],
        lambda: cluster.find("vmimage", "wrong")["status"],
    )
    assert cluster.get("vmimage", "wrong")["status"]["phase"] == "Failed"
    assert not (tmp_path / "pool-a" / "wrong").exists()
