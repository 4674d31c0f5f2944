"""What verbs understand of names, durations, pictures and statistics, against a pretended host."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import pytest
import typer

from executor.cli.durations import seconds
from executor.cli.guest import nested
from executor.cli.tables import size, table
from executor.cli.targets import find, name_and, names
from executor.cli.verbs import GROUPS, command
from executor.hypervisor.errors import NotFound, Unsupported
from executor.hypervisor.handle import Affect
from executor.hypervisor.hypervisor import Hypervisor
from executor.node.devices import disk_document, format_of, free_target
from executor.node.load import load
from executor.node.picture import as_png
from executor.plan import mark
from schemas.errors import KubevmmError
from tests.cli.command import virtctl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.libvirt


def domain_xml(name: str, number: int) -> str:
    return (
        f"<domain type='test'><name>{name}</name><uuid>{number:08x}-1111-4111-8111-111111111111</uuid>"
        "<memory>65536</memory><os><type>hvm</type></os><devices>"
        "<disk type='file' device='disk'><source file='/a'/><target dev='vda' bus='virtio'/></disk></devices></domain>"
    )


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Hypervisor]:
    path = tmp_path / "node.xml"
    names_there = ("plain", "default_web", "other_web", "odd", "both", "default_both")
    path.write_text(f"<node>{''.join(domain_xml(name, 16 + n) for n, name in enumerate(names_there))}</node>")
    with Hypervisor(f"test://{path}") as hypervisor:
        marked = {"default_web": "default/web", "other_web": "other/web", "odd": "default/renamed"}
        for name, ref in (marked | {"default_both": "default/both"}).items():
            namespace, _, of = ref.partition("/")
            xml = mark.make(namespace, of, "u", {}).xml()
            domain = hypervisor.domains.by_name(name)
            domain.set_metadata(xml, namespace=mark.URI, prefix=mark.KEY, affect=Affect.CONFIG)
            domain.set_metadata(xml, namespace=mark.URI, prefix=mark.KEY, affect=Affect.LIVE)
        yield hypervisor


FOUND = {
    "one without a mark, by libvirt's name": ("plain", None, "plain"),
    "an object of default": ("web", None, "default_web"),
    "an object of the namespace asked for": ("web", "other", "other_web"),
    "an object whose domain is called otherwise": ("renamed", None, "odd"),
    "the object before a domain of that name": ("both", None, "default_both"),
}


@pytest.mark.parametrize(("name", "namespace", "domain"), FOUND.values(), ids=FOUND.keys())
def test_a_name_is_the_objects_and_else_libvirts(
    host: Hypervisor, name: str, namespace: str | None, domain: str
) -> None:
    assert find(host, name, namespace).name == domain


MISSING = {
    "nothing of that name": ("nosuch", None, "virtctl get"),
    "another namespace": ("web", "third", "web -n default"),
    "a domain that is an object of another name": ("odd", None, "renamed -n default"),
    "one that has no namespace": ("plain", "default", "leave out -n"),
}


@pytest.mark.parametrize(("name", "namespace", "hint"), MISSING.values(), ids=MISSING.keys())
def test_a_name_that_is_not_there_says_where_it_may_be(
    host: Hypervisor, name: str, namespace: str | None, hint: str
) -> None:
    with pytest.raises(NotFound) as caught:
        find(host, name, namespace)
    assert hint in str(caught.value.hint)


WORDS = {
    ("web-1",): ["web-1"],
    ("vm", "web-1"): ["web-1"],
    ("vm/web-1",): ["web-1"],
    ("VirtualMachine", "a", "b"): ["a", "b"],
    ("vm/a", "b"): ["a", "b"],
    ("vm",): ["vm"],
}


@pytest.mark.parametrize(("words", "expected"), WORDS.items(), ids=map(" ".join, WORDS))
def test_the_kind_may_stand_before_names(words: tuple[str, ...], expected: list[str]) -> None:
    assert names(words) == expected


def test_a_source_is_not_taken_for_a_kind() -> None:
    assert name_and(["vm", "web-1", "/images/a"], "SOURCE") == ("web-1", "/images/a")
    assert name_and(["vm", "vdb"], "TARGET") == ("vm", "vdb")
    assert name_and(["vm/web-1", "vdb"], "TARGET") == ("web-1", "vdb")


@pytest.mark.parametrize("words", [["vmnet/a"], ["vm/"]])
def test_what_is_no_guest_is_a_mistake_in_usage(words: list[str]) -> None:
    with pytest.raises(typer.BadParameter):
        names(words)


DURATIONS = {"90s": 90, "2m": 120, "1m30s": 90, "1h": 3600, "250ms": 0.25, "5": 5, "0.5": 0.5, "1.5m": 90}


@pytest.mark.parametrize(("text", "expected"), DURATIONS.items())
def test_durations_are_kubectls(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "s", "1x", "-1s", "1s2", "1 s", "inf", "nan"])
def test_what_is_no_duration_is_a_mistake_in_usage(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        seconds(text)


def test_a_picture_keeps_its_pixels() -> None:
    pixels = bytes(range(18))
    png = as_png(b"P6\n# a comment\n3 2\n255\n" + pixels)
    assert struct.unpack(">IIBB", png[16:26]) == (3, 2, 8, 2)
    begin = png.index(b"IDAT") + 4
    lines = zlib.decompress(png[begin : png.index(b"IEND") - 8])
    assert lines == b"\0" + pixels[:9] + b"\0" + pixels[9:]
    assert as_png(png) == png


@pytest.mark.parametrize("content", [b"", b"P5\n1 1\n255\n\0", b"P6\n3 2\n255\nshort", b"P6\n1 1\n65535\n123456"])
def test_a_picture_of_another_form_is_refused(content: bytes) -> None:
    with pytest.raises(Unsupported):
        as_png(content)


def test_load_is_what_grew_for_each_second_and_a_new_run_counts_from_zero() -> None:
    before = {"cpu.time": 10**9, "block.count": 1, "block.0.rd.bytes": 1000, "net.count": 1, "net.0.rx.bytes": 500}
    after = before | {"cpu.time": 2 * 10**9, "block.0.rd.bytes": 3000, "net.0.rx.bytes": 100, "balloon.current": 1024}
    found = load(before, after, 2.0)
    assert (found.cpu, found.disk_read, found.net_receive, found.memory) == (50.0, 1000.0, 50.0, 1 << 20)
    assert (found.disk_write, found.net_send, found.vcpus) == (None, None, None)


FORMATS = {"/a.qcow2": "qcow2", "/a.QCOW2": "qcow2", "/a.img": "raw", "/a": "raw", "pool/a.vmdk": "vmdk"}


@pytest.mark.parametrize(("source", "expected"), FORMATS.items())
def test_a_format_is_what_the_name_says_never_the_content(source: str, expected: str) -> None:
    assert format_of(source) == expected


@pytest.mark.parametrize("source", ["a", "./a", "../a", "a/b/c", "pool/", ""])
def test_a_source_is_absolute_or_a_pools_volume(source: str) -> None:
    with pytest.raises(KubevmmError):
        disk_document(source, "vda", "virtio")


def test_a_disk_gets_the_first_name_that_is_free(host: Hypervisor) -> None:
    domain = host.domains.by_name("plain")
    assert (free_target(domain, "virtio"), free_target(domain, "scsi")) == ("vdb", "sda")


def test_answers_of_the_agent_are_nested() -> None:
    flat = {"os.id": "debian", "fs.count": 2, "fs.0.name": "a", "fs.1.name": "b", "fs.1.disk.count": 0}
    assert nested(flat) == {"os": {"id": "debian"}, "fs": [{"name": "a"}, {"name": "b", "disk": []}]}


def test_tables_align_and_obey_no_escapes() -> None:
    assert table(("A", "B"), [("long", None), ("\x1b[1m", "x")]) == "A      B\nlong   -\n?[1m   x"
    assert [size(number) for number in (None, 0, 1023, 1536, 1 << 40)] == ["", "0", "1023", "1.5Ki", "1Ti"]


@pytest.mark.parametrize(
    ("group", "verb"),
    [(group, verb) for group in GROUPS for verb in command(group).commands],
)
def test_help_of_every_verb_of_a_group_shows_examples(group: str, verb: str) -> None:
    done = virtctl(group, verb, "--help")
    assert f"virtctl {group} {verb} ".encode() in done.stdout.partition(b"Examples:\n")[2]


def test_without_a_drive_there_is_nothing_to_eject(host: Hypervisor) -> None:
    done = virtctl("media", "eject", "plain", "--connect", host.connection.uri)
    assert done.returncode == 1
    assert b"no CD or floppy drive" in done.stderr
