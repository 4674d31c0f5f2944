"""What a pool signs in with at its source: libvirt's own secret, made from the Secret that the object names.

The value goes to libvirt and nowhere else: neither into the pool's document, nor into what is kept of the object.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from analyser.codec.encode import encode
from executor.engine.source import missing_secret
from executor.hypervisor.errors import Conflict, NotFound
from executor.plan import actual
from executor.plan.domain import Difference
from executor.plan.merge import Cause
from schemas.errors import InputError
from schemas.table import table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from executor.engine.objects import Ref
    from executor.engine.source import Declarations, Declared
    from executor.hypervisor.definitions import Secret
    from executor.hypervisor.hypervisor import Hypervisor

PATH: Final = "spec.secretRef"

_NAMES: Final = uuid.UUID("5a2e4c7d-90b1-5e0f-8a34-6c1f7be20d59")
"""What the UUIDs of secrets are made in, where the pool does not name one."""

# By how one signs in: libvirt's word for the use of a secret, and the key that holds its name there.
_USAGE: Final[Mapping[str, tuple[str, str]]] = {"chap": ("iscsi", "target"), "ceph": ("ceph", "name")}


def put_in(ref: Ref, spec: Mapping[str, Any], pool: dict[str, Any]) -> dict[str, Any]:
    """Return *pool*, the document that the object asks for, with the secret that its ``secretRef`` stands for.

    Raises InputError where the pool does not say how it signs in.
    """
    if not spec.get("secretRef"):
        return pool
    source = pool.get("source") or {}
    auth = source.get("auth") or {}
    if auth.get("type") not in _USAGE:
        raise InputError(
            f"{ref}: secretRef says with what the pool signs in, and nothing says as whom",
            path="spec.pool.source.auth",
            hint=f"give it a type ({' or '.join(_USAGE)}), a username, and an empty secret",
        )
    if any((auth.get("secret") or {}).values()):
        return pool
    return {**pool, "source": {**source, "auth": {**auth, "secret": {"uuid": _uuid(ref)}}}}


@dataclass(frozen=True)
class Credential:
    """A pool's secret: its document, its value, and what libvirt has of it (None: nothing)."""

    document: dict[str, Any]
    value: bytes = field(repr=False)
    found: Secret | None

    @property
    def same(self) -> bool:
        """Whether libvirt has it with this value."""
        return self.found is not None and self.found.value() == self.value

    def set(self, hypervisor: Hypervisor) -> None:
        """Give it to libvirt, unless it has it."""
        if self.same:
            return
        root = table().roots["secret"]
        xml = encode(self.document, root.type, root.element, table().namespaces, path=("secret",), libvirt_order=True)
        secret = self.found or hypervisor.secrets.define(xml)
        secret.set_value(self.value)

    def differences(self, *, known: bool) -> list[Difference]:
        """Return that libvirt has another value, and neither of them."""
        return [] if self.same else [Difference("secretRef", None, None, Cause.OUTSIDE if known else Cause.FIRST)]


def look(hypervisor: Hypervisor, declared: Declared, every: Declarations, pool: Mapping[str, Any]) -> Credential | None:
    """Return the secret of *pool*, the document that *declared* asks for; None where it needs none.

    Raises InputError where the input does not have the Secret, Conflict where libvirt's is somebody else's.
    """
    ref, wanted = declared.ref, (declared.object.get("spec") or {}).get("secretRef")
    if not wanted:
        return None
    name, key = str(wanted.get("name")), str(wanted.get("key"))
    text = every.secrets.get((ref.namespace, name, key))
    if not text:
        raise missing_secret(ref, name, key, PATH)
    auth = pool["source"]["auth"]
    kind, place = _USAGE[auth["type"]]
    value = text.encode()
    if auth["type"] == "ceph":
        # A keyring has the key in base64, and libvirt takes it as it is behind that.
        with contextlib.suppress(binascii.Error, ValueError):
            value = base64.b64decode(text.strip(), validate=True)
    usage = str(auth["secret"].get("usage") or f"kubevmm {ref.namespace}/{ref.name}")
    identity = str(auth["secret"].get("uuid") or _uuid(ref))
    document = {
        "ephemeral": False, "private": False, "uuid": identity, "description": _description(ref),
        "usage": {"type": kind, place: usage},
    }  # fmt: skip
    return Credential(document, value, _found(hypervisor, ref, identity, kind, usage))


def _found(hypervisor: Hypervisor, ref: Ref, identity: str, kind: str, usage: str) -> Secret | None:
    for secret in hypervisor.secrets.all():
        there, _ = actual.document(secret.xml())
        used = there.get("usage") or {}
        if secret.identity == identity or (used.pop("type", None) == kind and usage in used.values()):
            if there.get("description") != _description(ref):
                raise Conflict(
                    f"{ref}: libvirt's secret {secret.identity} is there already, and is not this object's",
                    hint="leave out secretRef to sign in with it, or name no secret in pool.source.auth",
                )
            return secret
    return None


def known(hypervisor: Hypervisor, ref: Ref, obj: Mapping[str, Any]) -> str | None:
    """Return what the Secret said from which libvirt's was made for the pool *ref*, *obj*; None where there is none."""
    for secret in hypervisor.secrets.all():
        if actual.document(secret.xml())[0].get("description") == _description(ref):
            value = secret.value()
            ceph = obj["spec"]["pool"]["source"]["auth"]["type"] == "ceph"
            return base64.b64encode(value).decode() if ceph else value.decode(errors="replace")
    return None


def forget(hypervisor: Hypervisor, ref: Ref) -> None:
    """Take the secret of the pool *ref* from libvirt, if there is one."""
    for secret in hypervisor.secrets.all():
        if actual.document(secret.xml())[0].get("description") == _description(ref):
            with contextlib.suppress(NotFound):
                secret.undefine()


def _uuid(ref: Ref) -> str:
    return str(uuid.uuid5(_NAMES, f"{ref.kind}/{ref.namespace}/{ref.name}"))


def _description(ref: Ref) -> str:
    return f"KubeVMM: {ref.namespace}/{ref}"
