"""The pages and man pages of virtctl's verbs are what the code would write."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from executor.cli import reference
from executor.cli.reference import DOCS, MAN, Page, files, pages, write
from tests.cli.command import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_the_committed_pages_are_those_that_the_code_writes() -> None:
    there = [*(ROOT / DOCS).glob("*.md"), *(ROOT / MAN).glob("*.1")]
    committed = {path.relative_to(ROOT): path.read_text(encoding="utf-8") for path in there}
    wanted = files()
    stale = sorted(str(path) for path in {*committed, *wanted} if committed.get(path) != wanted.get(path))
    assert stale == [], "`make docs` writes them anew"


def test_every_verb_says_what_it_does_takes_and_ends_with() -> None:
    root = pages()
    for verb in [each for top in root.verbs for each in (top.verbs or (top,))]:
        assert verb.summary.endswith("."), verb.name
        assert verb.exits.startswith("Exit codes: 0 "), verb.name
        assert all(text for _, text in (*verb.arguments, *verb.options)), verb.name
        assert not re.search(r"<[a-z]+>|list\[", str((verb.arguments, verb.options))), verb.name


def test_what_is_no_verb_any_more_goes_and_what_is_the_same_stays(tmp_path: Path) -> None:
    wanted = files()
    assert len(write(tmp_path, wanted)) == len(wanted)
    assert write(tmp_path, wanted) == []
    (tmp_path / DOCS / "gone.md").write_text("old")
    (tmp_path / MAN / "virtctl.1").write_text("old")
    assert write(tmp_path, wanted) == [tmp_path / DOCS / "gone.md", tmp_path / MAN / "virtctl.1"]


ROFF = {
    "--a": "\\-\\-a",
    ".a": "\\&.a",
    "'a": "\\&'a",
    "a\\n": "a\\en",
    "`a`": "\\(gaa\\(ga",
}


@pytest.mark.parametrize(("text", "expected"), ROFF.items())
def test_what_roff_would_obey_is_text(text: str, expected: str) -> None:
    assert reference._roff(text) == expected  # noqa: SLF001  (a rule by itself)


def test_a_page_reads_as_a_person_would_write_it() -> None:
    page = Page(
        "virtctl do", "virtctl do NAME [OPTIONS]", "Do it.",
        (("Once *only*.", False), ("Examples:\n  virtctl do a", True)),
        (("NAME", "Whom."),), (("--now", "At once."),), (), "Exit codes: 0 done.",
    )  # fmt: skip
    assert "\n".join(reference._markdown(page)) == (  # noqa: SLF001  (one page by itself)
        "# virtctl do\n\nDo it.\n\n```\nvirtctl do NAME [OPTIONS]\n```\n\nOnce \\*only\\*.\n\nExamples:\n\n```sh\n"
        "virtctl do a\n```\n\n## Arguments\n\n- `NAME`: Whom.\n\n## Options\n\n- `--now`: At once.\n\n"
        "Exit codes: 0 done.\n\n[All verbs](README.md)\n"
    )
