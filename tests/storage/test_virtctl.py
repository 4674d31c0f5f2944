"""Images and disks by virtctl, as a person uses it; and a linked clone that boots."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from executor.engine import disks, ownership, store
from executor.engine.cloning import clone
from executor.engine.objects import Ref
from executor.hypervisor.calls import hooked
from executor.hypervisor.errors import Unavailable
from executor.storage import partial
from tests.cli.command import VIRTCTL, environment, lines, virtctl
from tests.engine.objects import apply
from tests.harness.guest import document, guest_files
from tests.hypervisor.guests import eventually, real
from tests.node.conftest import Machine
from tests.storage import pictures
from tests.storage.objects import DATA, Killed, Killing, content, digest, disk, disk_of, image, ready, status
from tests.storage.pictures import MIB

if TYPE_CHECKING:
    from collections.abc import Callable

    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.pools import Pool
    from tests.harness.libvirtd import Libvirtd
    from tests.storage.webserver import Site

    Run = Callable[..., subprocess.CompletedProcess[bytes]]

pytestmark = pytest.mark.libvirt


GUEST = (
    "---\napiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachine\nmetadata: {name: web-1}\nspec:\n  domain:\n"
    "    type: qemu\n    memory: 64Mi\n    os: {type: {arch: x86_64, machine: q35, value: hvm}}\n    devices:\n"
    "      disks:\n      - type: volume\n        device: disk\n        source: {diskRef: {name: root}}\n"
    "        target: {dev: vda, bus: virtio}\n"
)


@pytest.fixture
def run(libvirtd: Libvirtd) -> Run:
    def ran(*arguments: str | Path, stdin: bytes = b"", code: int = 0) -> subprocess.CompletedProcess[bytes]:
        done = virtctl(*arguments, stdin=stdin, env={"LIBVIRT_DEFAULT_URI": libvirtd.uri})
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done

    return ran


def test_an_image_is_uploaded_from_a_file_and_from_standard_input(run: Run, pool: Pool, tmp_path: Path) -> None:
    path = pictures.made(tmp_path / "it", "qcow2", DATA)
    assert lines(run("image", "upload", "debian", path, "--pool", "images").stdout) == [
        "virtualmachineimage/debian created"
    ]
    wanted = ("--pool", "images", "--format", "raw", "--checksum", digest(DATA))
    run("image", "upload", "piped", "-", *wanted, stdin=DATA)
    assert content(pool, "piped") == DATA
    assert disk_of(content(pool), tmp_path) == DATA
    again = run("image", "upload", "piped", "-", *wanted, stdin=DATA, code=1)
    assert b"it is there already" in again.stderr
    refused = run("image", "upload", "evil", "-", "--pool", "images", stdin=pictures.qcow2(backing=b"/x"), code=1)
    assert b"error: it has a backing file" in refused.stderr
    table = lines(run("get", "vmimage").stdout)
    cells = [re.split(r"\s{3,}", row) for row in table]
    assert [[row[0], row[2], row[3]] for row in cells] == [
        ["NAME", "PHASE", "READY"],
        ["debian", "Ready", "True"],
        ["evil", "Failed", "False"],
        ["piped", "Ready", "True"],
    ]
    assert lines(run("delete", "vmimage", "evil", "debian", "piped").stdout) == [
        f"virtualmachineimage/{name} deleted" for name in ("evil", "debian", "piped")
    ]
    assert pool.volumes() == []


def opened(pid: int) -> list[str]:
    """Return the names of the files that a process has open, also of those that have none any more."""
    found = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        # It may be closed meanwhile.
        with contextlib.suppress(OSError):
            found.append(str(each.readlink()))
    return found


def test_an_upload_that_is_killed_leaves_nothing_and_starts_anew(
    run: Run, pool: Pool, libvirtd: Libvirtd, tmp_path: Path
) -> None:
    arguments = ("image", "upload", "it", "-", "--format", "raw", "--pool", "images", "--connect", libvirtd.uri)
    with subprocess.Popen([*VIRTCTL, *arguments], stdin=subprocess.PIPE, env=environment()) as process:
        assert process.stdin is not None
        process.stdin.write(DATA[: MIB // 2])
        process.stdin.flush()
        eventually(lambda: any("/scratch/" in name for name in opened(process.pid)), what="the upload")
        process.kill()
    assert [path for path in (tmp_path / "state").rglob("*") if path.is_file() and path.stat().st_size] == []
    assert pool.volumes() == []
    run("image", "upload", "it", "-", "--format", "raw", "--pool", "images", stdin=DATA)
    assert content(pool, "it") == DATA


def test_a_download_that_is_killed_is_no_image_and_another_process_goes_on(
    run: Run, pool: Pool, site: Site, libvirtd: Libvirtd, tmp_path: Path
) -> None:
    data = pictures.content(12 * MIB)
    site.files["/it"] = data
    site.cuts = [10 * MIB]
    site.hold.clear()
    arguments = (
        "image",
        "import",
        "it",
        f"{site.url}/it",
        "--format",
        "raw",
        "--checksum",
        digest(data),
        "--pool",
        "images",
    )
    with subprocess.Popen([*VIRTCTL, *arguments, "--connect", libvirtd.uri], env=environment()) as process:
        eventually(lambda: [*(tmp_path / "state").rglob("*.note")], what="what has come to be noted")
        process.kill()
    site.hold.set()
    assert pool.volumes() == []
    assert run("get", "vmimage").stdout == b""
    run(*arguments)
    assert content(pool, "it") == data
    first, second = (asked.get("Range") for _, asked in site.asked)
    assert first is None
    assert partial.STEP <= int(str(second).removeprefix("bytes=").rstrip("-")) <= 10 * MIB
    assert [path for path in (tmp_path / "state").rglob("scratch/*") if path.is_file()] == []


def test_an_applied_image_gets_the_file_that_it_waits_for(run: Run, pool: Pool, write: Callable[..., str]) -> None:
    file = write(image("upload: {}", more=f", checksum: '{digest(DATA)}', format: raw"))
    assert b"waits for `virtctl image upload debian FILE -n default`" in run("apply", "-f", file).stderr
    assert b"its checksum is" in run("image", "upload", "debian", "-", stdin=DATA[:-1], code=1).stderr
    assert run("diff", "-f", file, code=1).stdout == b"  + virtualmachineimage/debian: is not there yet\n"
    run("image", "upload", "debian", "-", stdin=DATA)
    run("diff", "-f", file)
    assert lines(run("apply", "-f", file).stdout) == ["virtualmachineimage/debian unchanged"]
    assert content(pool) == DATA


def test_an_image_is_imported_from_the_web_a_file_and_a_disk(
    run: Run, pool: Pool, site: Site, write: Callable[..., str], tmp_path: Path
) -> None:
    path = pictures.made(tmp_path / "sources" / "it", "qcow2", DATA)
    site.files["/it"] = path.read_bytes()
    run("image", "import", "web", f"{site.url}/it", "--pool", "images", "--checksum", digest(path.read_bytes()))
    run("image", "import", "local", path, "--pool", "images")
    run("apply", "-f", write(disk("imageRef: {name: web}")))
    run("image", "import", "copy", "vmdisk/root", "--pool", "images")
    for name in ("web", "local", "copy"):
        assert disk_of(content(pool, name), tmp_path) == DATA
    assert b"not below a folder" in run("image", "import", "evil", "/etc/shadow", "--pool", "images", code=1).stderr
    assert b"neither a URL" in run("image", "import", "evil", "it", "--pool", "images", code=2).stderr
    assert b"which pools" in run("image", "import", "evil", f"{site.url}/it", code=1).stderr
    assert b"cannot be an image's name" in run("image", "import", "../x", f"{site.url}/it", code=1).stderr


def test_disks_are_shown_compared_and_deleted(
    run: Run, pool: Pool, qemu: Hypervisor, write: Callable[..., str], tmp_path: Path
) -> None:
    path = pictures.made(tmp_path / "sources" / "it", "qcow2", DATA)
    text = image(f"file: {{path: '{path}'}}") + disk("imageRef: {name: debian}, clone: Linked") + GUEST
    file = write(text)
    run("diff", "-f", file, code=1)
    assert [line.split()[1] for line in lines(run("apply", "-f", file).stdout)] == ["created"] * 3
    run("diff", "-f", file)
    assert {line.split()[1] for line in lines(run("apply", "-f", file).stdout)} == {"unchanged"}
    # The format is what was made, whatever anybody writes into it.
    assert "<driver name='qemu' type='qcow2'/>" in qemu.domains.by_name("default_web-1").xml()
    qemu.domains.by_name("default_web-1").start()
    larger = write(text.replace("clone: Linked}", "clone: Linked}, capacity: 4Mi"))
    shown = run("diff", "-f", larger, code=1).stdout.decode()
    assert "virtualmachinedisk/root: capacity: spec changed\n  - 1Mi\n  + 4194304 bytes\n" in shown
    run("apply", "-f", larger)
    assert qemu.domains.by_name("default_web-1").block_info("vda")[0] == 4 * MIB
    found = json.loads(run("get", "vmdisk", "root", "-o", "json").stdout)["status"]
    assert found["usedBy"] == [{"kind": "domain", "name": "default_web-1"}]
    described = run("describe", "vmdisk", "root").stdout.decode()
    assert re.search(r"Capacity: +4Mi", described)
    assert re.search(r"Used by: +domain/default_web-1", described)
    refused = run("delete", "-f", file, "--force", code=0)
    assert [line.split()[1] for line in lines(refused.stdout)] == ["deleted"] * 3
    assert pool.volumes() == []
    run("apply", "-f", larger)
    busy = run("delete", "vmdisk", "root", code=1)
    assert b"the guest default_web-1 has its volume images/root" in busy.stderr
    assert run("delete", "vmimage", "nosuch", code=1).stderr.startswith(b"error: virtualmachineimage/nosuch: not found")


@pytest.mark.usefixtures("pool")
def test_a_guest_does_not_get_to_write_to_what_a_linked_clone_is_based_on(
    run: Run, qemu: Hypervisor, write: Callable[..., str], tmp_path: Path
) -> None:
    path = pictures.made(tmp_path / "sources" / "it", "qcow2", DATA)
    linked = disk("diskRef: {name: root}, clone: Linked", name="linked")
    text = image(f"file: {{path: '{path}'}}") + disk("imageRef: {name: debian}") + linked
    run("apply", "-f", write(text))
    refused = run("apply", "-f", write(text + GUEST), code=1)
    assert b"a linked clone is based on the disk" in refused.stderr
    assert qemu.domains.all() == []
    run("apply", "-f", write(text + GUEST.replace("diskRef: {name: root}", "diskRef: {name: linked}")))


@pytest.mark.usefixtures("pool")
def test_volumes_of_nobody_are_shown_where_asked_for(run: Run, pool: Pool) -> None:
    pool.create_volume("<volume><name>loose</name><capacity>1048576</capacity></volume>")
    run("image", "upload", "debian", "-", "--format", "raw", "--pool", "images", stdin=DATA)
    assert run("get", "vmdisk").stdout == b""
    assert [line.split()[:2] for line in lines(run("get", "vmdisk", "--unmanaged").stdout)[1:]] == [
        ["<unmanaged>", "loose"]
    ]


def test_what_a_guest_wrote_into_its_raw_disk_is_not_cloned(
    run: Run, pool: Pool, qemu: Hypervisor, tmp_path: Path
) -> None:
    run("image", "upload", "root", "-", "--format", "raw", "--pool", "images", stdin=DATA)
    one = f"<disk type='file' device='disk'><source file='{pool.volume('root').path()}'/><target dev='vda'/></disk>"
    qemu.domains.define(real("web-1", devices=one))
    evil = tmp_path / "evil"
    evil.write_bytes(pictures.qcow2(backing=b"/etc/passwd"))
    with evil.open("rb") as file:
        pool.volume("root").upload(file)
    for more in ((), ("--linked",)):
        assert b"its content claims to be qcow2" in run("clone", "web-1", "web-2", *more, code=1).stderr
    assert [each.name for each in pool.volumes()] == ["root"]


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("managed", [False, True])
def test_a_guest_is_cloned_with_its_disks(
    run: Run, pool: Pool, qemu: Hypervisor, tmp_path: Path, linked: bool, managed: bool
) -> None:
    run("image", "upload", "root.qcow2", pictures.made(tmp_path / "it", "qcow2", DATA), "--pool", "images")
    source = pool.volume("root.qcow2").path()
    devices = (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{source}'/>"
        "<target dev='vda' bus='virtio'/></disk><disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"
        "<interface type='user'><mac address='52:54:00:00:00:07'/></interface>"
    )
    domain = qemu.domains.define(re.sub(r"\s*<graphics .*?/>", "", real("web-1", devices=devices)))
    if managed:
        ownership.adopt(qemu, "web-1", "default")
    domain.start()
    assert b"the guest web-1 runs" in run("clone", "web-1", "web-2", code=1).stderr
    domain.destroy()
    said = run("clone", "vm", "web-1", "web-2", *(["--linked"] if linked else []))
    assert lines(said.stdout) == ["virtualmachine/web-2 created"]
    assert (b"must not run" in said.stderr) == linked
    made = qemu.domains.by_name("web-2")
    assert made.uuid != domain.uuid
    xml = made.xml(inactive=True)
    assert "52:54:00:00:00:07" not in xml
    assert "<interface type='user'>" in xml
    volume = pool.volume("web-2-vda.qcow2")
    assert f"<source file='{volume.path()}'/>" in xml
    assert ("backingStore" in volume.xml()) == linked
    assert ("<kubevmm:applied " in xml) == managed
    assert [line.split()[0] for line in lines(run("get", "vmdisk").stdout)] == ["NAME", "web-2-vda"]
    made.start()
    assert b"already" in run("clone", "web-1", "web-2", code=1).stderr
    assert b"has its volume" in run("delete", "vmdisk", "web-2-vda", code=1).stderr
    assert b"cannot be a guest's name" in run("clone", "web-1", "../x", code=1).stderr
    made.destroy()
    started = run("start", "web-1", code=1 if linked else 0)
    assert (b"is based on its disk vda, and would be spoilt" in started.stderr) == linked
    assert domain.active != linked


def test_a_clone_that_fails_leaves_nothing(run: Run, pool: Pool, qemu: Hypervisor, tmp_path: Path) -> None:
    outside = tmp_path / "outside.img"
    outside.write_bytes(DATA)
    run("image", "upload", "root", "-", "--format", "raw", "--pool", "images", stdin=DATA)
    one = f"<disk type='file' device='disk'><source file='{pool.volume('root').path()}'/><target dev='vda'/></disk>"
    two = f"<disk type='file' device='disk'><source file='{outside}'/><target dev='vdb'/></disk>"
    qemu.domains.define(real("web-1", devices=one + two))
    assert b"no volume of a pool" in run("clone", "web-1", "web-2", code=1).stderr
    assert [each.name for each in pool.volumes()] == ["root"]
    assert [each.name for each in qemu.domains.all()] == ["web-1"]


@pytest.mark.parametrize("lost", [True, False])
@pytest.mark.parametrize("before", [True, False])
def test_a_clone_that_is_killed_at_any_call_is_made_good(
    pool: Pool, qemu: Hypervisor, tmp_path: Path, write: Callable[..., str], before: bool, lost: bool
) -> None:
    path = pictures.made(tmp_path / "sources" / "it", "qcow2", DATA)
    apply(qemu, write(image(f"file: {{path: '{path}'}}", name="root")))
    one = f"<disk type='file' device='disk'><driver type='qcow2'/><source file='{pool.volume('root').path()}'/>"
    qemu.domains.define(real("web-1", devices=f"{one}<target dev='vda'/></disk>"))
    origin = store.Guest(qemu.domains.by_name("web-1"), None)
    at = 0
    while True:
        try:
            with hooked(Killing(at, before=before, lost=lost)):
                clone(qemu, origin, "web-2", namespace="default")
        except (Killed, Unavailable):
            assert ready(status(qemu, "VirtualMachineDisk"))[0] == "False"
            clone(qemu, origin, "web-2", namespace="default")
            at += 1
        else:
            break
        finally:
            assert ready(status(qemu, "VirtualMachineDisk"))[0] == "True"
            assert disk_of(content(pool, "web-2-vda"), tmp_path) == DATA
            assert sorted(each.name for each in pool.volumes()) == ["root", "web-2-vda"]
            qemu.domains.by_name("web-2").undefine()
            disks.delete(qemu, Ref("VirtualMachineDisk", "default", "web-2-vda"))
    assert at == 2


def test_what_is_left_of_a_clone_that_was_deleted_is_not_written_over(
    run: Run, pool: Pool, qemu: Hypervisor, tmp_path: Path
) -> None:
    run("image", "upload", "root", pictures.made(tmp_path / "it", "qcow2", DATA), "--pool", "images")
    one = f"<disk type='file' device='disk'><driver type='qcow2'/><source file='{pool.volume('root').path()}'/>"
    qemu.domains.define(real("web-1", devices=f"{one}<target dev='vda'/></disk>"))
    run("clone", "web-1", "web-2")
    qemu.domains.by_name("web-2").undefine()
    said = run("clone", "web-1", "web-2", code=1).stderr
    assert b"web-2-vda" in said
    assert lines(run("get", "vmdisk", "-o", "name").stdout) == ["virtualmachinedisk/web-2-vda"]
    assert pool.volume("web-2-vda").name == "web-2-vda"


def test_a_linked_clone_boots_and_what_it_writes_stays_its_own(
    run: Run, pool: Pool, qemu: Hypervisor, libvirtd: Libvirtd, tmp_path: Path
) -> None:
    folder = libvirtd.folder / "guest"
    folder.mkdir(mode=0o755)
    run("image", "upload", "base", "-", "--format", "raw", "--pool", "images", stdin=DATA)
    source = f"<source file='{pool.volume('base').path()}'/>"
    devices = f"<disk type='file' device='disk'>{source}<target dev='vda' bus='virtio'/></disk>"
    qemu.domains.define(document("golden", *guest_files(folder), devices=devices))
    run("clone", "golden", "test-1", "--linked")
    machine = Machine(libvirtd.uri, qemu.domains.by_name("test-1"), tmp_path)
    try:
        assert "vda" in machine.boot().disks
        machine.typed("head -c 15 /dev/vda; echo '|read'", rb"000000000000000\|read")
        machine.typed("echo written | dd of=/dev/vda conv=notrunc; sync; head -c 7 /dev/vda", rb"\nwritten")
        machine.virtctl("disk", "resize", "test-1", "vda", "2Mi")
        machine.typed("cat /sys/block/vda/size", rb"\n4096\r?\n")
    finally:
        machine.let_go()
        machine.domain.destroy()
    eventually(lambda: not machine.domain.active, what="the end of the guest")
    assert content(pool, "base") == DATA
