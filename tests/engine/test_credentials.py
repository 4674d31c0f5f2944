"""A pool's Secret as libvirt's own: given to it, changed and taken back with the pool, and shown nowhere."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from executor.engine import apply as engine
from executor.engine import credentials, definitions, source
from executor.engine.objects import Ref
from executor.hypervisor.calls import hooked
from tests.cli.command import virtctl
from tests.engine.objects import apply, recorded
from tests.engine.test_definitions import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from executor.hypervisor.hypervisor import Hypervisor

pytestmark = pytest.mark.libvirt

VALUE = "hunter2-of-the-pool"
AUTH = {"chap": "auth: {type: chap, username: me, secret: {}}", "ceph": "auth: {type: ceph, username: me, secret: {}}"}
SOURCE = {
    "chap": "type: iscsi, source: {hosts: [{name: 192.0.2.1}], devices: [{path: 'iqn.2026-01.example:a'}], AUTH},"
    " target: {path: /dev/disk/by-path}",
    "ceph": "type: rbd, source: {hosts: [{name: 192.0.2.1}], names: [volumes], AUTH}",
}


def pool(kind: str = "chap", value: str = VALUE, *, name: str = "san", auth: str = "", ref: bool = True) -> str:
    document = SOURCE[kind].replace("AUTH", auth or AUTH[kind])
    secret = "secretRef: {name: login, key: password}, " if ref else ""
    return (
        f"apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachineStoragePool\nmetadata: {{name: {name}}}\n"
        f"spec: {{active: false, {secret}pool: {{{document}}}}}\n"
        f"---\napiVersion: v1\nkind: Secret\nmetadata: {{name: login}}\nstringData: {{password: '{value}'}}\n"
    )


@pytest.fixture
def host(qemu: Hypervisor) -> Iterator[Hypervisor]:
    yield qemu
    for each in qemu.pools.all():
        each.undefine()
    for secret in qemu.secrets.all():
        secret.undefine()


def values(host: Hypervisor) -> list[bytes]:
    return [secret.value() for secret in host.secrets.all()]


@pytest.mark.parametrize("calls", range(4))
def test_the_value_goes_to_libvirt_once_and_a_pool_left_half_made_is_finished(
    host: Hypervisor, write: Callable[..., str], calls: int
) -> None:
    file = write(pool())
    try:
        with hooked(Fault(calls)):
            apply(host, file)
    except ConnectionError:
        apply(host, file)
    assert recorded(host, file) == (["virtualmachinestoragepool/san unchanged"], [])
    (secret,) = host.secrets.all()
    assert secret.value() == VALUE.encode()
    assert f"uuid='{secret.identity}'" in host.pools.by_name("san").xml()


def test_a_key_of_ceph_is_what_its_base64_says(host: Hypervisor, write: Callable[..., str]) -> None:
    every = source.read([write(pool("ceph", base64.b64encode(bytes(range(28))).decode()))])
    (declared,) = every.objects
    wanted = credentials.put_in(declared.ref, declared.object["spec"], definitions.wanted_of(declared))
    found = credentials.look(host, declared, every, wanted)
    assert found is not None
    assert found.value == bytes(range(28))


def test_a_pool_that_libvirt_refuses_leaves_no_secret(host: Hypervisor, write: Callable[..., str]) -> None:
    (line,) = apply(host, write(pool("ceph")))
    assert "missing backend" in line
    assert host.secrets.all() == []


def test_another_value_is_a_change_and_so_is_one_set_behind_our_back(
    host: Hypervisor, write: Callable[..., str]
) -> None:
    apply(host, write(pool()))
    lines, calls = recorded(host, write(pool(value="another")))
    assert (lines, calls) == (["virtualmachinestoragepool/san configured"], ["secret.setValue"])
    host.secrets.all()[0].set_value(b"mine")
    assert apply(host, write(pool(value="another"))) == ["virtualmachinestoragepool/san configured"]
    assert values(host) == [b"another"]


def test_it_goes_with_the_pool_and_with_the_reference(host: Hypervisor, write: Callable[..., str]) -> None:
    apply(host, write(pool()))
    definitions.delete(host, Ref("VirtualMachineStoragePool", "default", "san"))
    assert values(host) == []
    apply(host, write(pool()))
    apply(host, write(pool(ref=False, auth="secretRef: x").replace("secretRef: x", AUTH["chap"])))
    assert values(host) == []


REFUSED = {
    "no such Secret": (pool().replace("name: login, key", "name: other, key"), "there is no Secret other"),
    "nobody to sign in as": (
        pool().replace(AUTH["chap"], "initiator: {iqn: {name: 'iqn.2026-01.example:b'}}"), "nothing says as whom"
    ),
    "somebody else's secret": (
        pool(auth="auth: {type: chap, username: me, secret: {usage: theirs}}"), "is not this object's"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_sign_in_is_one_line_and_changes_nothing(
    host: Hypervisor, write: Callable[..., str], text: str, words: str
) -> None:
    host.secrets.define("<secret><usage type='iscsi'><target>theirs</target></usage></secret>").set_value(b"theirs")
    (lines, calls) = recorded(host, write(text))
    assert len(lines) == 1
    assert words in lines[0]
    assert calls == []
    assert values(host) == [b"theirs"]


def test_the_value_is_shown_and_kept_nowhere(host: Hypervisor, write: Callable[..., str], tmp_path: Path) -> None:
    file = write(pool())
    uri = host.connection.uri
    said = b""
    for words in (
        ["diff", "-f", file],
        ["apply", "-f", file],
        ["get", "vmpool", "-o", "yaml"],
        ["describe", "vmpool/san"],
    ):
        done = virtctl(*words, "--connect", uri)
        said += done.stdout + done.stderr
    host.secrets.all()[0].set_value(b"changed-behind-our-back")
    done = virtctl("diff", "-f", file, "--connect", uri)
    assert done.returncode == 1
    assert b"san: secretRef: changed outside" in done.stdout
    said += done.stdout + done.stderr + host.pools.by_name("san").xml().encode()
    said += repr(list(engine.ordered(source.read([file])))).encode()
    said += b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*.json"))
    assert VALUE.encode() not in said
    assert b"changed-behind" not in said
