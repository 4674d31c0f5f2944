"""An image is got once, judged, and lands whole in each of its pools, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from executor.engine import images, landing, obtaining, source, state
from executor.engine.listing import Query, listing
from executor.engine.objects import Ref
from executor.hypervisor.calls import Recorder, hooked
from tests.engine.objects import apply, recorded
from tests.storage import pictures
from tests.storage.objects import DATA, content, digest, disk_of, image, ready, status, struck
from tests.storage.pictures import MIB

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from executor.hypervisor.hypervisor import Hypervisor
    from executor.hypervisor.pools import Pool
    from tests.storage.webserver import Site

pytestmark = pytest.mark.libvirt


@pytest.fixture
def qcow2(tmp_path: Path) -> bytes:
    return pictures.made(tmp_path / "made", "qcow2", DATA).read_bytes()


def test_an_image_comes_from_the_web_into_all_its_pools_once(
    qemu: Hypervisor, pools: tuple[Pool, Pool], site: Site, write: Callable[..., str], qcow2: bytes, tmp_path: Path
) -> None:
    site.files["/debian"] = qcow2
    site.cuts = [len(qcow2) // 2]
    for algorithm in ("sha256", "sha512"):
        file = write(
            image(
                f"http: {{url: '{site.url}/debian'}}", name=algorithm,
                more=f", checksum: '{digest(qcow2, algorithm)}'", pools="{name: images}, {name: more}",
            )
        )  # fmt: skip
        assert apply(qemu, file) == [f"virtualmachineimage/{algorithm} created"]
    assert len(site.asked) == 3
    for pool in pools:
        assert sorted(each.name for each in pool.volumes()) == ["sha256", "sha512"]
        assert disk_of(content(pool, "sha256"), tmp_path) == DATA
    assert recorded(qemu, file) == (["virtualmachineimage/sha512 unchanged"], [])
    assert len(site.asked) == 3
    found = listing(qemu, Query("VirtualMachineImage", names=("sha256",))).objects[0]["status"]
    assert (found["phase"], found["format"], found["virtualSize"], found["checksum"]) == (
        "Ready", "qcow2", "1Mi", digest(qcow2),
    )  # fmt: skip
    assert [copy["pool"] for copy in found["copies"]] in (["images", "more"], ["more", "images"])
    assert ready(found) == ("True", "Ready")


def test_a_part_that_turns_out_to_be_of_another_file_is_got_anew(
    qemu: Hypervisor, pool: Pool, site: Site, write: Callable[..., str]
) -> None:
    site.files["/it"] = DATA
    file = write(image(f"http: {{url: '{site.url}/it'}}", more=f", format: raw, checksum: '{digest(DATA)}'"))
    # Of a server that does not tell the versions of its file apart.
    with obtaining.part_of(qemu, source.read([file]).objects[0]) as part:
        part.begin(site.etag, len(DATA))
        part.write(DATA[::-1][: MIB // 2])
    assert apply(qemu, file) == ["virtualmachineimage/debian created"]
    assert content(pool) == DATA
    assert [asked.get("Range") for _, asked in site.asked] == [f"bytes={MIB // 2}-", None]


FORMATS = {"raw": (", format: raw", "raw"), "vmdk": ("", "qcow2"), "vdi": (", format: vdi", "qcow2")}


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_of_the_node_lands_in_a_form_that_guests_take(
    qemu: Hypervisor, pool: Pool, write: Callable[..., str], tmp_path: Path, form: str
) -> None:
    more, becomes = FORMATS[form]
    path = pictures.made(tmp_path / "sources" / "it", form, DATA)
    assert apply(qemu, write(image(f"file: {{path: '{path}'}}", more=more))) == ["virtualmachineimage/debian created"]
    assert status(qemu)["format"] == becomes
    back = content(pool)
    assert (back if becomes == "raw" else disk_of(back, tmp_path)) == DATA


def test_an_iso_is_raw(qemu: Hypervisor, pool: Pool, write: Callable[..., str], tmp_path: Path) -> None:
    iso = bytearray(MIB)
    iso[32769:32774] = b"CD001"
    path = tmp_path / "sources" / "it"
    path.write_bytes(iso)
    assert apply(qemu, write(image(f"file: {{path: '{path}'}}", more=", format: raw"))) == [
        "virtualmachineimage/debian created"
    ]
    assert content(pool) == bytes(iso)


HOSTILE = {
    "a backing file": (pictures.qcow2(backing=b"/etc/shadow"), "", "backing file"),
    "an external data file": (pictures.qcow2(features=4), "", "another file"),
    "16 EiB": (pictures.qcow2(size=(1 << 64) - 1), "", "a guest sees"),
    "a qcow2 that is none": (b"hello" * 1000, ", format: qcow2", "its content is not"),
    "outer extents": (pictures.DESCRIPTOR.encode(), "", "vmdk descriptor"),
    "a header in what is said to be raw": (pictures.qcow2(backing=b"/etc/shadow"), ", format: raw", "claims to be"),
    "another checksum": (DATA, f", format: raw, checksum: 'sha256:{'0' * 64}'", "its checksum is"),
    "no format": (DATA, "", "claims no format"),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("way", ["http", "file"])
def test_what_must_not_be_used_is_one_line_and_a_condition_and_nothing_is_changed(
    qemu: Hypervisor, pool: Pool, site: Site, write: Callable[..., str], tmp_path: Path, case: str, way: str
) -> None:
    data, more, message = HOSTILE[case]
    site.files["/it"] = data
    path = tmp_path / "sources" / "it"
    path.write_bytes(data)
    source = f"http: {{url: '{site.url}/it'}}" if way == "http" else f"file: {{path: '{path}'}}"
    (line,), calls = recorded(qemu, write(image(source, more=more)))
    assert message in line
    assert "\n" not in line
    assert calls == []
    assert pool.volumes() == []
    found = status(qemu)
    assert found["phase"] == "Failed"
    assert ready(found) == ("False", "Refused")
    assert message in found["conditions"][0]["message"]


OUTSIDE = {
    "a file of another folder": ("file: {path: /etc/shadow}", "", "not below a folder"),
    "a way out": ("file: {path: /var/lib/libvirt/images/../../../../etc/shadow}", "", "not below a folder"),
    "a file by URL": ("http: {url: 'file:///etc/shadow'}", "", "no URL of a web server"),
    "a password in the URL": ("http: {url: 'http://me:secret@127.0.0.1/'}", "", "user or a password"),
    "a volume of another folder": ("upload: {}", ", volume: {name: ../../etc/evil}", "cannot be a volume's name"),
    "a hidden volume": ("upload: {}", ", volume: {name: .evil}", "cannot be a volume's name"),
    "a volume with two lines": ("upload: {}", ', volume: {name: "a\\nb"}', "cannot be a volume's name"),
    "a backing store": ("upload: {}", ", volume: {backingStore: {path: /etc/shadow}}", "not named by its path"),
    "no pool of the node's": ("upload: {}", ", poolRefs: [{name: nosuch}]", "nosuch"),
    "an unknown Secret": ("http: {url: 'http://127.0.0.1/', secretRef: {name: nosuch}}", "", "no Secret nosuch"),
    "a checksum that is none": ("http: {url: 'http://127.0.0.1/'}", ", checksum: 'md5:0'", "is no checksum"),
    "a registry": ("registry: {image: debian}", "", "from registry"),
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_what_reaches_outside_is_one_line_and_changes_nothing(
    qemu: Hypervisor, pool: Pool, write: Callable[..., str], case: str
) -> None:
    source, more, message = OUTSIDE[case]
    text = image(source, more=more)
    if "poolRefs" in more:
        text = text.replace(", poolRefs: [{name: images}]", "")
    (line,), calls = recorded(qemu, write(text))
    assert message in line
    assert "secret@" not in line
    assert calls == []
    assert pool.volumes() == []


def test_a_redirect_to_a_file_changes_nothing(
    qemu: Hypervisor, pool: Pool, site: Site, write: Callable[..., str]
) -> None:
    site.redirects["/it"] = "file:///etc/shadow"
    (line,), calls = recorded(qemu, write(image(f"http: {{url: '{site.url}/it'}}")))
    assert "leads on to what is not taken" in line
    assert calls == []
    assert pool.volumes() == []


@pytest.mark.usefixtures("pool")
def test_a_qcow2_that_unpacks_to_more_than_the_pool_has_is_refused(
    qemu: Hypervisor, write: Callable[..., str], tmp_path: Path
) -> None:
    bomb = bytearray(pictures.qcow2(size=32 << 40, entries=65536, l1=1 << 16))
    bomb += bytes((12 << 16) - len(bomb))
    for number in range(65536):
        at = (1 << 16) + 8 * number
        bomb[at : at + 8] = ((1 << 63) | (10 << 16)).to_bytes(8, "big")
    for number in range(8192):
        at = (10 << 16) + 8 * number
        bomb[at : at + 8] = ((1 << 63) | (11 << 16)).to_bytes(8, "big")
    path = tmp_path / "sources" / "it"
    path.write_bytes(bomb)
    (line,), calls = recorded(qemu, write(image(f"file: {{path: '{path}'}}")))
    assert "it unpacks to" in line
    assert calls == []


def test_an_image_from_a_disk_stands_alone(
    qemu: Hypervisor, pool: Pool, write: Callable[..., str], tmp_path: Path
) -> None:
    base = pictures.made(tmp_path / "sources" / "it", "qcow2", DATA)
    disk = (
        "---\napiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachineDisk\nmetadata: {name: linked}\n"
        "spec: {poolRef: {name: images}, source: {imageRef: {name: debian}, clone: Linked}}\n"
    )
    first = write(image(f"file: {{path: '{base}'}}") + disk)
    assert apply(qemu, first) == ["virtualmachineimage/debian created", "virtualmachinedisk/linked created"]
    second = write(image("diskRef: {name: linked}", name="golden"), "second.yaml")
    assert apply(qemu, second) == ["virtualmachineimage/golden created"]
    assert "backingStore" not in pool.volume("golden").xml()
    assert disk_of(content(pool, "golden"), tmp_path) == DATA
    assert recorded(qemu, second) == (["virtualmachineimage/golden unchanged"], [])


def test_an_upload_is_waited_for(qemu: Hypervisor, pool: Pool, write: Callable[..., str]) -> None:
    file = write(image("upload: {}"))
    assert recorded(qemu, file) == (["virtualmachineimage/debian created"], [])
    assert recorded(qemu, file) == (["virtualmachineimage/debian unchanged"], [])
    assert ready(status(qemu)) == ("False", "WaitingForUpload")
    assert status(qemu)["phase"] == "Pending"
    assert images.delete(qemu, Ref("VirtualMachineImage", "default", "debian")) == "deleted"
    assert listing(qemu, Query("VirtualMachineImage")).objects == []
    assert pool.volumes() == []


def test_somebody_elses_volume_stays_and_is_taken_only_without_a_source(
    qemu: Hypervisor, pool: Pool, write: Callable[..., str], tmp_path: Path
) -> None:
    pool.create_volume("<volume><name>debian</name><capacity>1048576</capacity></volume>")
    path = tmp_path / "sources" / "it"
    path.write_bytes(DATA)
    (line,), calls = recorded(qemu, write(image(f"file: {{path: '{path}'}}", more=", format: raw")))
    assert "which is not managed" in line
    assert calls == []
    without = write(image("").replace("source: {}, ", ""))
    assert recorded(qemu, without) == (["virtualmachineimage/debian adopted"], [])
    assert recorded(qemu, without) == (["virtualmachineimage/debian unchanged"], [])


def test_a_volume_that_is_gone_is_brought_again_and_a_new_source_is_refused(
    qemu: Hypervisor, pool: Pool, write: Callable[..., str], tmp_path: Path
) -> None:
    path = pictures.made(tmp_path / "sources" / "it", "qcow2", DATA)
    file = write(image(f"file: {{path: '{path}'}}"))
    apply(qemu, file)
    pool.volume("debian").delete()
    assert ready(status(qemu))[0] == "False"
    assert apply(qemu, file) == ["virtualmachineimage/debian created"]
    (line,), calls = recorded(qemu, write(image("upload: {}")))
    assert "source cannot change" in line
    assert calls == []
    (line,), calls = recorded(qemu, write(image(f"file: {{path: '{path}'}}", more=f", checksum: 'sha256:{'0' * 64}'")))
    assert "has the checksum" in line
    assert calls == []


@pytest.mark.parametrize("lost", [True, False])
@pytest.mark.parametrize("before", [True, False])
def test_a_kill_at_any_call_leaves_nothing_that_looks_whole_and_the_next_pass_converges(
    qemu: Hypervisor, pool: Pool, write: Callable[..., str], tmp_path: Path, before: bool, lost: bool
) -> None:
    path = pictures.made(tmp_path / "sources" / "it", "qcow2", DATA)
    file = write(image(f"file: {{path: '{path}'}}"))
    with hooked(Recorder()) as recorder:
        apply(qemu, file)
    steps = [call.method for call in recorder.changes]
    assert steps == ["createXML", "upload", "createXMLFrom", "delete"]
    for at in range(len(steps)):
        images.delete(qemu, Ref("VirtualMachineImage", "default", "debian"))
        assert pool.volumes() == []
        struck(qemu, file, at, before=before, lost=lost)
        pool.settle()
        assert all(kept.new for _, kept in state.every(qemu, "VirtualMachineImage") if "pool" in kept.facts)
        assert ready(status(qemu))[0] == "False"
        if at % 2:
            # Deleted as it is, it leaves nothing either.
            images.delete(qemu, Ref("VirtualMachineImage", "default", "debian"))
            assert pool.volumes() == []
        assert apply(qemu, file) == ["virtualmachineimage/debian created"]
        assert disk_of(content(pool), tmp_path) == DATA
        assert recorded(qemu, file) == (["virtualmachineimage/debian unchanged"], [])


def test_what_changes_between_judging_and_landing_is_thrown_away(
    qemu: Hypervisor, pool: Pool, write: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sources" / "it"
    path.write_bytes(DATA)
    fill = landing._fill  # noqa: SLF001  (the moment between the two)

    def changed(*arguments: Any) -> None:
        path.write_bytes(pictures.qcow2(backing=b"/etc/shadow").ljust(MIB, b"\0"))
        fill(*arguments)

    monkeypatch.setattr(landing, "_fill", changed)
    (line,) = apply(qemu, write(image(f"file: {{path: '{path}'}}", more=", format: raw")))
    assert "somebody changed the file" in line
    assert pool.volumes() == []
    assert next(iter(state.every(qemu, "VirtualMachineImage")))[1].facts["trouble"]["reason"] == "Refused"
