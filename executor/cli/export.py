"""`virtctl export`: one guest as YAML, managed or not."""

from __future__ import annotations

import sys

import typer

from executor.cli.targets import DEFAULT_NAMESPACE, Connect, Name, Namespace, hypervisor_at, only_name


def export(name: Name, namespace: Namespace = None, connect: Connect = "") -> None:
    """Write a guest as a VirtualMachine, from what libvirt has now.

    As import writes it, for one guest, to standard output: its whole definition, without what only holds while it runs.
    Passwords are left out, so that an apply on this node leaves them as they are. A guest that is not managed goes by
    libvirt's name; nothing is changed.

    \b
    Examples:
      virtctl export web-1 > web-1.yaml
      virtctl export vm web-1 --connect qemu+ssh://node-2/system
    """
    from analyser.names import object_name
    from analyser.yamlwriter import dump
    from executor.engine import ownership, store
    from executor.engine.drive import without_seed
    from executor.engine.objects import Ref
    from schemas.errors import KubevmmError

    wanted = only_name(name)
    with hypervisor_at(connect) as hypervisor:
        ref = Ref("VirtualMachine", namespace or DEFAULT_NAMESPACE, wanted)
        guest = store.lookup(hypervisor, ref)
        domain = guest.domain if guest is not None else store.by_name(hypervisor, wanted)
        if domain is None:
            raise KubevmmError(f"{ref}: no such guest", hint="`virtctl get vm -A --unmanaged` lists all")
        obj = ownership.object_of(domain, Ref(ref.kind, ref.namespace, object_name(ref.name)))
        del obj["metadata"]["creationTimestamp"]
        if guest is not None:
            obj["metadata"] = {key: value for key, value in guest.object["metadata"].items() if key in _KEPT}
            obj["spec"] = {**guest.object["spec"], "domain": obj["spec"]["domain"]}
            obj = without_seed(obj)
    sys.stdout.write(dump(obj))
    raise typer.Exit(0)


_KEPT = ("name", "namespace", "labels", "annotations")
