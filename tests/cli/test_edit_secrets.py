"""`virtctl edit` of objects with secrets that nobody is shown: they stay as they are."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from executor.hypervisor.hypervisor import Hypervisor
from tests.cli.command import lines, virtctl
from tests.engine.test_credentials import VALUE, pool
from tests.harness.libvirtd import Libvirtd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Edit = Callable[..., tuple[int, str, str, str]]

pytestmark = pytest.mark.libvirt

PASSWORD, KEY = "inline12", "from-one"
GUEST = f"""apiVersion: kubevmm.io/v1alpha1
kind: VirtualMachine
metadata: {{name: screen}}
spec:
  runStrategy: Manual
  CLOUDINIT
  domain:
    type: qemu
    memory: 64Mi
    os: {{type: {{arch: x86_64, machine: q35, value: hvm}}}}
    devices:
      graphics:
      - {{type: vnc, passwd: {PASSWORD}}}
      - {{type: spice, passwdSecretRef: {{name: login, key: screen}}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: login}}
stringData: {{screen: {KEY}, userData: "#cloud-config"}}
"""
CLOUDINIT = {
    "none": "evictionStrategy: None",
    "a password in it": 'cloudInit: {userData: "#cloud-config\\npassword: verysecret"}',
    "from a Secret": "cloudInit: {secretRef: {name: login}}",
}


@pytest.fixture(scope="module")
def libvirtd() -> Iterator[Libvirtd]:
    with Libvirtd() as daemon:
        yield daemon


@pytest.fixture
def host(libvirtd: Libvirtd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hypervisor]:
    monkeypatch.setenv("KUBEVMM_STATE", str(tmp_path / "state"))
    with Hypervisor(libvirtd.uri) as hypervisor:
        yield hypervisor
        virtctl("delete", "vm", "--all", "--connect", libvirtd.uri)
        virtctl("delete", "vmpool", "--all", "--connect", libvirtd.uri)


@pytest.fixture
def apply(host: Hypervisor, tmp_path: Path) -> Callable[[str], list[str]]:
    def applied(text: str, verb: str = "apply") -> list[str]:
        path = tmp_path / "objects.yaml"
        path.write_text(text, encoding="utf-8")
        done = virtctl(verb, "-f", path, "--connect", host.connection.uri)
        return lines(done.stdout) + [line for line in lines(done.stderr) if line.startswith("error")]

    return applied


@pytest.fixture
def edit(host: Hypervisor, tmp_path: Path) -> Edit:
    """Edit an object by Python statements about ``text``; return exit code, both outputs, and what was seen first."""

    def edited(what: str, step: str) -> tuple[int, str, str, str]:
        seen = tmp_path / "seen"
        seen.unlink(missing_ok=True)
        editor = tmp_path / "editor.py"
        editor.write_text(
            "import pathlib, sys\npath = pathlib.Path(sys.argv[-1])\ntext = path.read_text()\n"
            f"seen = pathlib.Path({str(seen)!r})\nif not seen.exists():\n    seen.write_text(text)\n    {step}\n"
            "path.write_text(text)\n"
        )
        env = {"EDITOR": f"{sys.executable} {editor}", "VISUAL": None, "KUBE_EDITOR": None, "TMPDIR": str(tmp_path)}
        done = virtctl("edit", what, "--connect", host.connection.uri, env=env)
        return done.returncode, done.stdout.decode(), done.stderr.decode(), seen.read_text()

    return edited


def passwords(host: Hypervisor) -> list[bool]:
    xml = host.domains.by_name("default_screen").xml(secure=True)
    return [f"passwd='{value}'" in xml for value in (PASSWORD, KEY)]


@pytest.mark.parametrize("cloudinit", CLOUDINIT.values(), ids=CLOUDINIT.keys())
def test_what_is_not_shown_stays_and_the_file_says_nothing_else_afterwards(
    host: Hypervisor, apply: Callable[..., list[str]], edit: Edit, cloudinit: str
) -> None:
    guest = GUEST.replace("CLOUDINIT", cloudinit)
    assert apply(guest) == ["virtualmachine/screen created"]
    disks = host.domains.by_name("default_screen").xml().count(".iso'")
    for before, after in (("64Mi", "72Mi"), ("72Mi", "80Mi")):
        code, out, err, seen = edit("vm/screen", f"text = text.replace('memory: {before}', 'memory: {after}')")
        assert (code, out) == (0, "virtualmachine/screen edited\n"), err
        assert "(secret 1)" in seen
        assert not [value for value in (PASSWORD, KEY, "verysecret") if value in seen + out + err]
        assert passwords(host) == [True, True]
        assert host.domains.by_name("default_screen").xml().count(".iso'") == disks
    assert apply(guest.replace("64Mi", "80Mi"), "diff") == []


def test_a_password_may_be_taken_away_and_set_anew(
    host: Hypervisor, apply: Callable[..., list[str]], edit: Edit
) -> None:
    apply(GUEST.replace("CLOUDINIT", CLOUDINIT["none"]))
    assert edit("vm/screen", "text = text.replace('passwd: \"(secret 1)\"', 'passwd: another')")[0] == 0
    assert "passwd='another'" in host.domains.by_name("default_screen").xml(secure=True)
    assert edit("vm/screen", "text = text.replace('passwd: \"(secret 1)\"', 'keymap: de')")[0] == 0
    assert "passwd='another'" not in host.domains.by_name("default_screen").xml(secure=True)
    assert passwords(host) == [False, True]


WRONG = {
    "its place": ("text = text.replace('runStrategy: Manual', 'nodeName: (secret 1)')", "has no place here"),
    "a seed that nobody knows": ("text = text.replace('cloudInit: {}', 'cloudInit: {hostname: other}')", "apply that"),
}


@pytest.mark.parametrize(("step", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_would_lose_or_show_a_secret_is_refused(
    host: Hypervisor, apply: Callable[..., list[str]], edit: Edit, step: str, said: str
) -> None:
    apply(GUEST.replace("CLOUDINIT", CLOUDINIT["a password in it"]))
    before = host.domains.by_name("default_screen").xml(secure=True)
    code, out, err, _ = edit("vm/screen", step)
    assert (code, out) == (1, "")
    assert said in err
    assert host.domains.by_name("default_screen").xml(secure=True) == before


def test_a_pool_keeps_what_it_signs_in_with(host: Hypervisor, apply: Callable[..., list[str]], edit: Edit) -> None:
    apply(pool())
    code, out, err, seen = edit("vmpool/san", "text = text.replace('username: me', 'username: you')")
    assert (code, out) == (0, "virtualmachinestoragepool/san edited\n"), err
    assert VALUE not in seen
    assert [secret.value() for secret in host.secrets.all()] == [VALUE.encode()]
