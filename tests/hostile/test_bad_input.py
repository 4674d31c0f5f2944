"""Bad input through the real command: one clear line with the file, exit 1, nothing else touched, memory bounded."""

from __future__ import annotations

import ctypes
import gzip
import os
import re
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.command import VIRTCTL, environment, virtctl
from tests.hostile import memory
from tests.hostile.inputs import GOOD, SMALL, large

if TYPE_CHECKING:
    from pathlib import Path

MEGABYTE = 1 << 20
MOST_MEMORY = 400 * MEGABYTE
# Where the file's name ends in an error, its line may follow.
ERROR = re.compile(r"error: (?P<file>.*?\.(?:xml|yaml)(?:\.gz)?)(?::[0-9]+(?::[0-9]+)?)?: (?P<message>.+)")


def errors_by_file(stderr: str) -> dict[str, str]:
    """Return the error of each file, after holding each to one line (and at most one hint behind it)."""
    found: dict[str, str] = {}
    before = ""
    *lines, summary = stderr.splitlines()
    for line in lines:
        if line.startswith("hint: "):
            assert before.startswith("error: "), stderr
        else:
            match = ERROR.fullmatch(line)
            assert match is not None, line
            assert match["file"] not in found, line
            assert len(line) < 600, line
            found[match["file"]] = match["message"]
        before = line
    assert re.fullmatch(r"[0-9]+ of [0-9]+ failed", summary), stderr
    return found


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def test_each_bad_input_is_one_line_and_the_good_ones_are_converted_all_the_same(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    good = {"a-good.xml": "a-good.yaml", "m-good.xml": "m-good.yaml", "z-good.xml": "z-good.yaml"}
    for name in good:
        (source / name).write_bytes(GOOD)
    for name, (data, _) in SMALL.items():
        (source / name).write_bytes(data)
    before = {path: path.read_bytes() for path in source.iterdir()}
    done = virtctl("convert", source, "-o", out, "--jobs", "2")
    assert done.returncode == 1
    assert done.stdout == b""
    said = errors_by_file(done.stderr.decode())
    wanted = {str(source / name): word for name, (_, word) in SMALL.items()}
    assert said.keys() == wanted.keys()
    assert {file: word for file, word in wanted.items() if word not in said[file]} == {}
    assert everything(out) == set(good.values())
    assert {path: path.read_bytes() for path in source.iterdir()} == before


@pytest.mark.parametrize("name", ["external-entity.xml", "deep.xml", "truncated.yaml", "laughs.yaml", "nothing.xml.gz"])
def test_bad_input_leaves_the_output_that_was_there(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(SMALL[name][0])
    (tmp_path / "before").write_text("before")
    done = virtctl("convert", tmp_path / name, "-o", tmp_path / "before")
    assert done.returncode == 1
    assert done.stderr.decode().startswith(f"error: {tmp_path / name}:")
    assert everything(tmp_path) == {name, "before"}
    assert (tmp_path / "before").read_text() == "before"


def test_validate_names_each_bad_input_and_goes_on(tmp_path: Path) -> None:
    for name, (data, _) in SMALL.items():
        (tmp_path / name).write_bytes(data)
    done = virtctl("validate", tmp_path)
    assert done.returncode == 1
    named = {line.partition(":")[0] for line in done.stdout.decode().splitlines()}
    ours = {str(tmp_path / name) for name in SMALL if name != "not-ours.yaml"}
    assert named == ours


def test_what_would_fill_the_memory_is_refused_within_bounds(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    (source / "good.xml").write_bytes(GOOD)
    wanted = {str(source / name): word for name, word in large(source).items()}
    code, stderr, most = measured("convert", source, "-o", out, "--jobs", "1")
    assert code == 1
    said = errors_by_file(stderr)
    assert said.keys() == wanted.keys()
    assert {file: word for file, word in wanted.items() if word not in said[file]} == {}
    assert everything(out) == {"good.yaml"}
    assert most <= MOST_MEMORY


def measured(*arguments: str | Path) -> tuple[int, str, int]:
    """Run virtctl; return its exit code, what it said on standard error, and the most memory that it had, in bytes."""
    command = [sys.executable, memory.__file__, *VIRTCTL, *map(str, arguments)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    return done.returncode, done.stderr, int(done.stdout)


def test_memory_is_measured_without_that_of_the_process_that_asks(tmp_path: Path) -> None:
    (tmp_path / "good.xml").write_bytes(GOOD)
    ballast = b"x" * MOST_MEMORY
    code, _, most = measured("convert", tmp_path / "good.xml", "-o", tmp_path / "good.yaml")
    assert code == 0
    assert 10 * MEGABYTE < most < len(ballast) // 2


def test_more_memory_than_the_process_may_have_is_one_line_and_the_next_input_is_done(tmp_path: Path) -> None:
    def little() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))

    (tmp_path / "a.xml").write_bytes(b"<domain>" + b"<a/>" * 3_900_000 + b"</domain>")
    (tmp_path / "b.xml").write_bytes(GOOD)
    done = virtctl("convert", tmp_path, "-o", tmp_path / "out", "--jobs", "1", preexec_fn=little)
    assert done.returncode == 1
    assert errors_by_file(done.stderr.decode()) == {str(tmp_path / "a.xml"): "does not fit into memory"}
    assert everything(tmp_path / "out") == {"b.yaml"}


def few_rights() -> None:
    """Give up, before virtctl starts, what lets root read and write everything; others have nothing to give up."""
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def test_what_may_not_be_read_fails_alone_and_what_may_not_be_written_is_named(tmp_path: Path) -> None:
    source = tmp_path / "in"
    (source / "closed").mkdir(parents=True)
    (source / "closed" / "hidden.xml").write_bytes(GOOD)
    (source / "shut.xml").write_bytes(GOOD)
    (source / "open.xml").write_bytes(GOOD)
    os.mkfifo(source / "pipe.xml")
    (source / "endless.xml").symlink_to("/dev/zero")
    (source / "dangling.xml").symlink_to(tmp_path / "nowhere")
    (source / "circle").symlink_to(source)
    (source / "shut.xml").chmod(0)
    (source / "closed").chmod(0)
    missing, within = tmp_path / "missing.xml", source / "closed" / "hidden.xml"
    try:
        out = tmp_path / "out"
        done = virtctl("convert", missing, within, source, "-o", out, preexec_fn=few_rights)
        assert done.returncode == 1
        lines = done.stderr.decode().splitlines()
        assert lines == [
            f"error: {missing}: no such file or folder",
            f"error: {within}: cannot be read: Permission denied",
            f"error: {source}/dangling.xml: cannot be read: No such file or directory",
            f"error: {source}/endless.xml: is not a file",
            f"error: {source}/pipe.xml: is not a file",
            f"error: {source}/shut.xml: cannot be read: Permission denied",
            f"error: {source}/closed: cannot be read: Permission denied",
            "7 of 8 failed",
        ]
        assert everything(out) == {"open.yaml"}
        out.chmod(0o500)
        done = virtctl("convert", source / "open.xml", "-o", f"{out}/again/", preexec_fn=few_rights)
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 2)
        assert f"error: {out}/again/open.yaml: cannot be written: Permission denied" in done.stderr.decode()
        assert everything(out) == {"open.yaml"}
    finally:
        (source / "closed").chmod(0o700)


def test_a_full_disk_keeps_whole_files_alone(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    out.mkdir()
    for number in range(200):
        text = GOOD.replace(b"good", b"guest-%03d" % number).replace(
            b"</name>", b"</name><title>" + b"x" * 3000 + b"</title>"
        )
        (source / f"{number:03}.xml").write_bytes(text)
    # A disk of its own, in a mount namespace of its own: it goes when the command ends.
    script = 'mount -t tmpfs -o size=256k none "$1" && shift && "$@"; code=$?; ls -lA "$0"; exit $code'
    command = [
        "unshare",
        "--mount",
        "--map-root-user",
        "sh",
        "-c",
        script,
        out,
        out,
        *VIRTCTL,
        "convert",
        source,
        "-o",
        out,
    ]
    done = subprocess.run(list(map(str, command)), env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    *errors, summary = done.stderr.splitlines()
    written = [line.split()[-1] for line in done.stdout.splitlines() if line.startswith("-")]
    assert all(
        re.fullmatch(rf"error: {out}/[0-9]+\.yaml: cannot be written: No space left on device", line) for line in errors
    )
    assert summary == f"{len(errors)} of 200 failed"
    assert len(written) + len(errors) == 200
    assert 10 < len(written) < 190
    assert all(name.endswith(".yaml") and not name.startswith(".") for name in written)
    sizes = {line.split()[4] for line in done.stdout.splitlines() if line.startswith("-")}
    assert len(sizes) == 1
    assert len(list(source.iterdir())) == 200


CLASHES = {
    "the same input twice": (["a.xml", "a.xml"], [], {"a.yaml"}),
    "plain and zipped": (["a.xml", "a.xml.gz"], [], {"a.yaml"}),
    "two endings of YAML": (["a.yaml", "a.yml"], [], {"a.xml"}),
    "both made into one form": (["a.xml", "a.yaml"], ["--to", "yaml"], {"a.yaml"}),
}


@pytest.mark.parametrize(("names", "options", "written"), CLASHES.values(), ids=CLASHES.keys())
def test_an_output_never_overwrites_another(
    tmp_path: Path, names: list[str], options: list[str], written: set[str]
) -> None:
    yaml = virtctl("convert", "-", stdin=GOOD).stdout
    for name in set(names):
        data = GOOD if ".xml" in name else yaml
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    done = virtctl("convert", *(tmp_path / name for name in names), "-o", f"{tmp_path}/out/", *options)
    error, summary = done.stderr.decode().splitlines()
    assert (done.returncode, summary) == (1, "1 of 2 failed")
    assert error.startswith(f"error: {tmp_path / names[1]}: would overwrite")
    assert everything(tmp_path / "out") == written


def test_an_output_never_overwrites_an_input(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(GOOD)
    (tmp_path / "a.yaml").write_bytes(virtctl("convert", "-", stdin=GOOD.replace(b"good", b"better")).stdout)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    done = virtctl("convert", tmp_path, "-o", tmp_path)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        f"error: {tmp_path}/a.xml: would overwrite another input, {tmp_path}/a.yaml",
        f"error: {tmp_path}/a.yaml: would overwrite another input, {tmp_path}/a.xml",
        "2 of 2 failed",
    ]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
