"""What `virtctl fit` reads: the guests of an estate, and a cluster's nodes with what runs there, by file or asked."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import InputError, KubevmmError
from schemas.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from analyser.files import Source
    from executor.cli.cluster.server import Server
    from scheduler.fit import Guest, Node
    from scheduler.places import Place

HINT: Final = "`kubectl get vmnode,node,pod,vmdisk -A -o yaml` writes one"
_ALL: Final = "all nodes and Pods are read: somebody who may can write them to a file, for --nodes"
_OVER: Final = frozenset({"Succeeded", "Failed"})
_LABEL: Final = "kubevmm.io/vm"
"""What placement Pods have."""


@dataclass
class Estate:
    """Guests that are to be placed, and where their disks are."""

    guests: list[Guest] = field(default_factory=list)
    disks: dict[tuple[str, str], Place] = field(default_factory=dict)


@dataclass
class Cluster:
    """Nodes with what their Pods take, the guests that have a placement Pod there already, and disks."""

    nodes: list[Node]
    there: dict[str, str]
    disks: dict[tuple[str, str], Place]


def estate(parts: Iterable[Estate]) -> Estate:
    """Return all *parts* as one."""
    out = Estate()
    for part in parts:
        out.guests += part.guests
        out.disks |= part.disks
    return out


def read(source: Source) -> Estate:
    """Return the guests and disks in one file. Raises InputError."""
    from analyser import documents, files, yamlreader
    from scheduler.places import place

    out = Estate()
    text = yamlreader.decode(files.read(source), str(source))
    for document in yamlreader.iter_documents(text, file=str(source)):
        for obj in documents.objects(document):
            kind = obj.get("kind") if obj.get("apiVersion") == documents.GROUP else None
            if kind not in ("VirtualMachine", "VirtualMachineDisk"):
                continue
            metadata = obj.get("metadata") or {}
            namespace, name = str(metadata.get("namespace") or "default"), str(metadata.get("name"))
            try:
                if kind == "VirtualMachine":
                    out.guests.append(_guest(f"{namespace}/{name}", obj))
                else:
                    out.disks[namespace, name] = place(obj, namespace)
            except (TypeError, ValueError, AttributeError, KeyError):
                raise InputError(
                    f"{namespace}/{name} cannot be understood",
                    file=str(source),
                    hint="`virtctl validate` says what is wrong",
                ) from None
    return out


def _guest(name: str, obj: Mapping[str, Any]) -> Guest:
    from scheduler.constraints import constraints
    from scheduler.demand import demand
    from scheduler.fit import PODS, Guest
    from schemas.requests import requests

    spec = obj.get("spec") or {}
    wanted = requests(spec.get("domain") or {})
    wanted["cpu"] *= 1000
    return Guest(name, demand(obj), {**wanted, PODS: 1}, str(spec.get("nodeName") or ""), constraints(spec))


def from_file(path: Path) -> Cluster:
    """Return what a file says. Raises InputError."""
    from analyser import documents, files, yamlreader

    text = yamlreader.decode(files.read(files.Source(path, Path(path.name))), str(path))
    found = [obj for document in yamlreader.iter_documents(text, file=str(path)) for obj in documents.objects(document)]
    try:
        made = cluster(found)
    except (TypeError, ValueError, AttributeError, KeyError):
        raise InputError("an object in it cannot be understood", file=str(path), hint=HINT) from None
    if not made.nodes:
        raise InputError("no VirtualMachineNode and no Node", file=str(path), hint=HINT)
    return made


def from_server(context: str, kubeconfig: str) -> Cluster:
    """Return what the API server of *context* has. Raises KubevmmError."""
    from executor.cli.cluster.server import ask
    from executor.cluster.resources import RESOURCES
    from kube.errors import Forbidden
    from kube.resource import Resource

    asked = {
        "Node": Resource("", "v1", "Node", "nodes", namespaced=False),
        "Pod": Resource("", "v1", "Pod", "pods"),
        **{kind: RESOURCES[kind] for kind in ("VirtualMachineNode", "VirtualMachineDisk")},
    }

    async def work(server: Server) -> list[dict[str, Any]]:
        try:
            # A list's items do not say what they are.
            return [
                {**each.decode(), "kind": kind}
                for kind, resource in asked.items()
                for each in await server.client.list(resource)
            ]
        except Forbidden as error:
            raise KubevmmError(str(error), hint=_ALL) from None

    return cluster(ask(context, kubeconfig, None, work))


def cluster(objects: Iterable[Mapping[str, Any]]) -> Cluster:
    """Return what *objects* say: VirtualMachineNodes, Nodes, Pods and VirtualMachineDisks, in any order."""
    from scheduler.constraints import machine
    from scheduler.fit import Node
    from scheduler.places import place
    from scheduler.supply import supply

    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for each in objects:
        by_kind.setdefault(str(each.get("kind")), []).append(each)
    ours, theirs = ({_name(each): each for each in by_kind.get(kind, ())} for kind in ("VirtualMachineNode", "Node"))
    nodes: dict[str, Node] = {}
    for name in sorted(ours.keys() | theirs.keys()):
        known = theirs.get(name) or ours[name]
        room = (known.get("status") or {}).get("allocatable") or {}
        has = supply(ours[name]) if name in ours else None
        nodes[name] = Node(name, has, dict(_amounts(room)), machine(known))
    there: dict[str, str] = {}
    for pod in by_kind.get("Pod", ()):
        spec, metadata = pod.get("spec") or {}, pod.get("metadata") or {}
        node = nodes.get(str(spec.get("nodeName")))
        if node is None or (pod.get("status") or {}).get("phase") in _OVER:
            continue
        node.taken.update(taken(spec))
        for owner in metadata.get("ownerReferences") or ():
            if owner.get("kind") == "VirtualMachine" and _LABEL in (metadata.get("labels") or {}):
                there[f"{metadata.get('namespace')}/{owner.get('name')}"] = node.name
    disks = {}
    for each in by_kind.get("VirtualMachineDisk", ()):
        namespace = str((each.get("metadata") or {}).get("namespace") or "default")
        disks[namespace, _name(each)] = place(each, namespace)
    return Cluster(list(nodes.values()), there, disks)


def taken(spec: Mapping[str, Any]) -> dict[str, int]:
    """Return what a Pod takes of its node, as kube-scheduler counts it: thousandths of a CPU, bytes, and itself."""
    total: dict[str, int] = {}
    for each in spec.get("containers") or ():
        _add(total, _requests(each))
    most: dict[str, int] = {}
    beside: dict[str, int] = {}
    for each in spec.get("initContainers") or ():
        if each.get("restartPolicy") == "Always":
            # It runs on beside all that come after it.
            _add(beside, _requests(each))
            now = dict(beside)
        else:
            now = dict(_requests(each))
            _add(now, beside)
        most = {name: max(most.get(name, 0), now.get(name, 0)) for name in most.keys() | now.keys()}
    _add(total, beside)
    out = {name: max(total.get(name, 0), most.get(name, 0)) for name in total.keys() | most.keys()}
    out |= _requests(spec)
    _add(out, dict(_amounts(spec.get("overhead") or {})))
    return {**out, "pods": 1}


def _requests(of: Mapping[str, Any]) -> dict[str, int]:
    return dict(_amounts((of.get("resources") or {}).get("requests") or {}))


def _add(to: dict[str, int], more: Mapping[str, int]) -> None:
    for name, count in more.items():
        to[name] = to.get(name, 0) + count


def _amounts(quantities: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield CPUs in thousandths, and all else whole."""
    for name, value in quantities.items():
        text = str(value)
        if text.endswith("m"):
            yield name, int(text[:-1]) if name == "cpu" else int(text[:-1]) // 1000
        elif name == "cpu":
            with contextlib.suppress(ValueError):
                text = str(int(float(text) * 1000)) if "." in text else str(in_bytes(text) * 1000)
            yield name, int(text)
        else:
            yield name, in_bytes(value)


def _name(obj: Mapping[str, Any]) -> str:
    return str((obj.get("metadata") or {}).get("name"))
