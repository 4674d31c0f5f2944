"""What an object refers to, put in: names, the UUID, networks, disks, secrets. What comes out is a libvirt document."""

from __future__ import annotations

import copy
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from executor.engine import drive
from executor.engine.objects import Ref, walked
from executor.engine.source import missing_secret
from schemas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from executor.engine.source import Declarations

_NAMES: Final = uuid.UUID("7f6b0c0e-3d0c-5b0a-9a53-8a4f1d5b2c11")
"""What the UUIDs of guests are made in, where neither spec nor API server gives one."""

SECRET: Final = "SecretRef"  # noqa: S105  (how keys end that name a Secret)


@dataclass(frozen=True)
class Resolved:
    """``spec.domain`` with all references put in, and the key paths (from the object's root) of what is secret."""

    domain: dict[str, Any] = field(repr=False)
    secrets: tuple[tuple[str | int, ...], ...] = ()
    given_uuid: bool = False
    """Whether the object itself says which UUID the guest has."""


def names(obj: Mapping[str, Any], ref: Ref) -> tuple[str, str | None]:
    """Return the domain's name, and its UUID as far as *obj* says it."""
    domain = (obj.get("spec") or {}).get("domain") or {}
    given = domain.get("uuid") or (obj.get("metadata") or {}).get("uid")
    return str(domain.get("name") or f"{ref.namespace}_{ref.name}"), canonical(given) if given else None


def stable_uuid(ref: Ref) -> str:
    """Return the UUID that the object *ref* always has where nobody gives it one."""
    return str(uuid.uuid5(_NAMES, f"{ref.namespace}/{ref.name}"))


def resolve(obj: Mapping[str, Any], ref: Ref, declared: Declarations) -> Resolved:
    """Return the domain that *obj* stands for. Raises InputError where a reference leads nowhere."""
    domain = (obj.get("spec") or {}).get("domain") or {}
    name, given = names(obj, ref)
    whole = declared.find(ref)
    if whole is not None and whole.object is obj and not whole.refers:
        # Nothing is put in, so that nothing need be copied.
        return Resolved({"name": name, "uuid": given or stable_uuid(ref), **domain}, (), given is not None)
    domain = copy.deepcopy(domain)
    domain = {"name": name, "uuid": given or stable_uuid(ref), **domain}
    secrets: list[tuple[str | int, ...]] = []
    for path, node in list(walked(domain, ("spec", "domain"))):
        for key in [key for key in node if isinstance(key, str) and key.endswith(SECRET)]:
            plain = key.removesuffix(SECRET)
            wanted = node[key] or {}
            value = declared.secrets.get((ref.namespace, str(wanted.get("name")), str(wanted.get("key"))))
            if value is None:
                raise missing_secret(
                    ref, str(wanted.get("name")), str(wanted.get("key")), ".".join(map(str, (*path, key)))
                )
            node[plain] = value
            secrets.append((*path, plain))
    for path, node in walked(domain.get("devices") or {}, ("spec", "domain", "devices")):
        if "networkRef" in node:
            node["network"] = named(node["networkRef"], ref, declared, "VirtualMachineNetwork", "network", path)
        if "diskRef" in node:
            node.update(volume(node["diskRef"], ref, declared, path))
    return Resolved(domain, tuple(secrets), given is not None)


def as_written(obj: dict[str, Any]) -> dict[str, Any]:
    """Return the object with its references alone where `resolve` put what they stand for beside them."""
    out = copy.deepcopy(drive.without_seed(obj))
    for _, node in list(walked((out.get("spec") or {}).get("domain") or {})):
        if "networkRef" in node:
            node.pop("network", None)
        if "diskRef" in node:
            node.pop("pool", None)
            node.pop("volume", None)
    return out


def canonical(text: Any) -> str:
    """Return a UUID as libvirt prints it. Raises InputError for what is none."""
    try:
        return str(uuid.UUID(str(text).strip()))
    except ValueError:
        raise InputError(f"{text} is no UUID", path="spec.domain.uuid") from None


def named(
    wanted: Mapping[str, Any], ref: Ref, declared: Declarations, kind: str, part: str, path: tuple[str | int, ...]
) -> str:
    """Return libvirt's name of the object that *wanted* refers to: what its spec says, or else its own."""
    name = wanted.get("name")
    if not name:
        raise InputError("a reference needs a name", path=".".join(map(str, path)))
    target = Ref(kind, str(wanted.get("namespace") or ref.namespace), str(name))
    found = declared.find(target)
    return str((found.object["spec"].get(part) or {}).get("name") or name) if found is not None else str(name)


def volume(wanted: Mapping[str, Any], ref: Ref, declared: Declarations, path: tuple[str | int, ...]) -> dict[str, str]:
    """Return pool and volume of the disk that *wanted* refers to. Raises InputError where there is none."""
    target = Ref("VirtualMachineDisk", ref.namespace, str(wanted.get("name")))
    found = declared.find(target)
    if found is not None and found.object["spec"].get("poolRef"):
        spec = found.object["spec"]
        pool = named(spec["poolRef"], target, declared, "VirtualMachineStoragePool", "pool", path)
        return {"pool": pool, "volume": str((spec.get("volume") or {}).get("name") or target.name)}
    raise InputError(
        f"{ref}: there is no {target} with a poolRef in {ref.namespace}",
        path=".".join(map(str, path)),
        hint="give its file with -f, too, or name pool and volume in the disk's source",
    )
