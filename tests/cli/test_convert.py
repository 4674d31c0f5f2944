"""`virtctl convert` as a user runs it."""

from __future__ import annotations

import ctypes
import gzip
import resource
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.cli.command import EXAMPLES, GUEST, lines, virtctl

if TYPE_CHECKING:
    from pathlib import Path

XML = "<domain type='kvm'>\n  <name>{name}</name>\n  <title>{title}</title>\n</domain>\n"


def domain(name: str, title: str = "a guest") -> str:
    return XML.format(name=name, title=title)


def test_a_file_of_xml_goes_to_standard_output_as_yaml() -> None:
    done = virtctl("convert", GUEST)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachine\n")


def test_there_and_back_through_pipes_gives_the_same_bytes() -> None:
    yaml = virtctl("convert", "-", stdin=GUEST.read_bytes()).stdout
    assert virtctl("convert", "-", stdin=yaml).stdout == GUEST.read_bytes()


def test_to_names_the_form_whatever_the_input_is() -> None:
    yaml = virtctl("convert", GUEST).stdout
    assert virtctl("convert", "-", "--to", "yaml", stdin=yaml).stdout == yaml
    assert virtctl("convert", GUEST, "--to", "xml").stdout == GUEST.read_bytes()


def test_one_file_goes_to_one_file(tmp_path: Path) -> None:
    target = tmp_path / "new" / "web.yaml"
    done = virtctl("convert", GUEST, "-o", target)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert target.read_bytes() == virtctl("convert", GUEST).stdout
    assert [path.name for path in target.parent.iterdir()] == ["web.yaml"]


@pytest.mark.parametrize("existing", [True, False])
def test_one_file_goes_into_a_folder(tmp_path: Path, existing: bool) -> None:
    folder = tmp_path / "out"
    if existing:
        folder.mkdir()
    assert virtctl("convert", GUEST, "-o", f"{folder}/").returncode == 0
    assert [path.name for path in folder.iterdir()] == ["web-1.yaml"]


def test_a_folder_goes_to_a_folder_file_by_file(tmp_path: Path) -> None:
    source = tmp_path / "in"
    for place in ("a.xml", "deep/er/b.xml", "deep/c.yaml", "packed/d.xml.gz"):
        (source / place).parent.mkdir(parents=True, exist_ok=True)
    (source / "a.xml").write_text(domain("a"))
    (source / "deep/er/b.xml").write_text(domain("b"))
    (source / "deep/c.yaml").write_bytes(virtctl("convert", "-", stdin=domain("c").encode()).stdout)
    (source / "packed/d.xml.gz").write_bytes(gzip.compress(domain("d").encode()))
    (source / "notes.txt").write_text("not for us")
    assert virtctl("convert", source, "-o", tmp_path / "out").returncode == 0
    found = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert found == ["a.yaml", "deep/c.xml", "deep/er/b.yaml", "packed/d.yaml"]
    assert (tmp_path / "out/deep/c.xml").read_text() == domain("c")


def test_the_number_of_processes_changes_nothing(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for number in range(150):
        (source / f"{number}.xml").write_text(domain(f"guest-{number}"))
    (source / "77.xml").write_text("<domain>")
    said = set()
    for jobs in ("1", "2"):
        done = virtctl("convert", source, "-o", tmp_path / jobs, "-j", jobs)
        assert done.returncode == 1
        said.add(done.stderr)
    assert len(said) == 1
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / jobs).iterdir()} for jobs in ("1", "2"))
    assert one == two
    assert len(one) == 149


def test_two_inputs_that_would_be_one_output_are_named(tmp_path: Path) -> None:
    for name in ("a.xml", "a.xml.gz"):
        (tmp_path / name).write_text(domain("a"))
    done = virtctl("convert", tmp_path, "-o", tmp_path / "out")
    assert done.returncode == 1
    assert "would overwrite" in lines(done.stderr)[0]


def test_several_documents_stay_in_one_file() -> None:
    yaml = virtctl("convert", "-", stdin=(domain("a") + domain("b")).encode()).stdout
    assert yaml.count(b"kind: VirtualMachine\n") == 2
    assert yaml.count(b"---\n") == 1
    assert virtctl("convert", "-", stdin=yaml).stdout.decode() == domain("a") + domain("b")


def test_a_list_of_objects_is_its_items() -> None:
    text = (
        '{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "kubevmm.io/v1alpha1", "kind": "VirtualMachine",'
        ' "metadata": {"name": "a"}, "spec": {"domain": {"type": "kvm", "name": "a", "title": "a guest"}}}]}'
    )
    assert virtctl("convert", "-", stdin=text.encode()).stdout.decode() == domain("a")


ENCODINGS = [
    ("utf-8", "<?xml version='1.0' encoding='utf-8'?>\n"),
    ("utf-8-sig", ""),
    ("utf-16", "<?xml version='1.0' encoding='utf-16'?>\n"),
    ("utf-16-le", "<?xml version='1.0' encoding='utf-16'?>\n"),
    ("latin-1", "<?xml version='1.0' encoding='ISO-8859-1'?>\n"),
    ("cp1252", "<?xml version='1.0' encoding='windows-1252'?>\n"),
]


@pytest.mark.parametrize(("encoding", "declaration"), ENCODINGS, ids=[name for name, _ in ENCODINGS])
def test_every_encoding_of_xml_is_read(encoding: str, declaration: str) -> None:
    yaml = virtctl("convert", "-", stdin=(declaration + domain("a", "Gäste")).encode(encoding))
    assert "title: Gäste\n" in yaml.stdout.decode()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_yaml_with_a_byte_order_mark_is_read(encoding: str) -> None:
    yaml = virtctl("convert", "-", stdin=domain("a", "Gäste").encode()).stdout.decode()
    assert virtctl("convert", "-", stdin=yaml.encode(encoding)).stdout.decode() == domain("a", "Gäste")


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_output_is_utf8_whatever_the_locale(locale: str) -> None:
    env = {"LC_ALL": locale, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    assert "Gäste".encode() in virtctl("convert", "-", stdin=domain("a", "Gäste").encode(), env=env).stdout


def test_one_bad_input_among_good_ones_is_named_and_the_others_are_done(tmp_path: Path) -> None:
    for name in ("a", "c"):
        (tmp_path / f"{name}.xml").write_text(domain(name))
    (tmp_path / "b.xml").write_text("<domain>\n  <name>b</nam>\n</domain>")
    done = virtctl("convert", tmp_path, "-o", tmp_path / "out")
    assert done.returncode == 1
    said = lines(done.stderr)
    assert said[0].startswith(f"error: {tmp_path}/b.xml:2:")
    assert said[-1] == "1 of 3 failed"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.yaml", "c.yaml"]


BAD = {
    "truncated": b"<domain><name>x</name>",
    "external entity": b"<!DOCTYPE d [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><domain><name>&e;</name></domain>",
    "no document": b"",
    "binary": bytes(range(256)),
    "unknown root": b"<domian/>",
    "deep": b"<domain>" * 100_000,
    "no such encoding": b"<?xml version='1.0' encoding='nonsense'?><domain/>",
    "not that encoding": b"<?xml version='1.0' encoding='utf-8'?><domain><name>\xff</name></domain>",
    "damaged gzip": b"\x1f\x8b" + bytes(100),
    "duplicate key": b"apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachine\nkind: VirtualMachine\n",
    "tab": b"a:\n\t- b",
    "a list": b"- a\n- b\n",
    "somebody else's object": b"apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n",
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_bad_input_is_one_line_that_names_it(data: bytes) -> None:
    done = virtctl("convert", "-", stdin=data)
    assert done.returncode == 1
    assert done.stdout == b""
    errors = [line for line in lines(done.stderr) if not line.startswith("hint: ")]
    assert len(errors) == 1
    assert errors[0].startswith("error: <stdin>")


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("nowhere", "dangling"):
        done = virtctl("convert", tmp_path / name)
        assert (done.returncode, lines(done.stderr)) == (1, [f"error: {tmp_path / name}: no such file or folder"])


def test_a_dangling_link_in_a_folder_fails_alone(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(domain("a"))
    (tmp_path / "b.xml").symlink_to(tmp_path / "nowhere")
    done = virtctl("convert", tmp_path, "-o", tmp_path / "out")
    assert (done.returncode, [path.name for path in (tmp_path / "out").iterdir()]) == (1, ["a.yaml"])
    assert f"{tmp_path}/b.xml" in lines(done.stderr)[0]


def _obey_permissions() -> None:
    """Give up, before virtctl starts, what lets root read everything; others have nothing to give up."""
    drop, override, read_search = 24, 1, 2  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    for capability in (override, read_search):
        ctypes.CDLL(None).prctl(drop, capability, 0, 0, 0)


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o000)
    for verb, start in (("convert", f"error: {tmp_path}/closed: "), ("validate", f"{tmp_path}/closed:1:1: ")):
        done = virtctl(verb, tmp_path, preexec_fn=_obey_permissions)
        assert done.returncode == 1
        assert f"{start}cannot be read: Permission denied" in lines(done.stderr + done.stdout)


def test_nothing_to_convert_is_said(tmp_path: Path) -> None:
    done = virtctl("convert", tmp_path)
    assert (done.returncode, lines(done.stderr)[0]) == (1, "error: nothing to convert")


def test_several_inputs_do_not_fit_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    done = virtctl("convert", EXAMPLES, "-o", tmp_path / "out")
    assert (done.returncode, (tmp_path / "out").read_text()) == (1, "mine")


def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = virtctl("convert", GUEST, "-o", tmp_path / "file" / "web.yaml")
    assert done.returncode == 1
    assert str(tmp_path / "file") in lines(done.stderr)[0]


def test_what_does_not_fit_on_the_disk_leaves_what_was_there(tmp_path: Path) -> None:
    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    (tmp_path / "web.yaml").write_text("before")
    done = virtctl("convert", GUEST, "-o", tmp_path / "web.yaml", preexec_fn=no_room)
    assert (done.returncode, len(lines(done.stderr))) == (1, 1)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"web.yaml": "before"}


def test_a_device_is_written_to_and_stays_a_device(tmp_path: Path) -> None:
    pipe = virtctl("convert", GUEST, "-o", "/dev/stdout")
    assert (pipe.returncode, pipe.stdout) == (0, virtctl("convert", GUEST).stdout)
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    done = virtctl("convert", GUEST, "-o", full)
    assert done.returncode == 1
    assert "No space left on device" in lines(done.stderr)[0]
    assert full.is_char_device()


def test_an_example_estate_converts_but_for_its_broken_file(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "openstack" / "nodes", tmp_path / "nodes")
    done = virtctl("convert", tmp_path / "nodes", "-o", tmp_path / "out")
    errors = [line for line in lines(done.stderr) if line.startswith("error: ")]
    assert (done.returncode, len(errors)) == (1, 1)
    assert "instance-0000000e.xml:84:" in errors[0]
