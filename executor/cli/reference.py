"""The reference of `virtctl`: a page and a man page for each verb, written from the verbs themselves.

``python -m executor.cli.reference`` writes them anew; a test fails where they are not what it would write.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from executor.cli.verbs import SECTIONS, records, summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = Path("docs/virtctl")
MAN: Final = Path("packaging/man")

EXITS: Final = (
    ("0", "done"),
    ("1", "an error; for compare and diff a difference, for validate an error in a document, for wait: not in time"),
    ("2", "wrong usage; for compare and diff also what keeps them from telling"),
    ("130", "interrupted, by Ctrl-C"),
)
ENVIRONMENT: Final = (
    ("LIBVIRT_DEFAULT_URI", "the libvirt to talk to, where --connect does not say; otherwise qemu:///system"),
    ("KUBE_EDITOR, VISUAL, EDITOR", "the editor that `virtctl edit` opens, the first of them that is set"),
    ("KUBEVMM_STATE", "the folder that keeps what was applied of networks and pools"),
    ("KUBEVMM_IMAGE_FOLDERS", "the folders, with colons between them, whose files may become images"),
    ("KUBEVMM_DEBUG", "shows where an internal error happened, if it is set"),
    ("NO_COLOR", "no colours on a terminal either, if it is set"),
)


@dataclass(frozen=True)
class Page:
    """One verb: ``text`` holds its paragraphs, each with whether it is to be shown as it stands (examples)."""

    name: str
    """As it is typed: ``virtctl disk attach``."""
    usage: str
    summary: str
    text: tuple[tuple[str, bool], ...]
    arguments: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]
    verbs: tuple[Page, ...] = ()
    exits: str = ""


def page(made: Any, name: str, parent: Any = None) -> Page:
    """Return the page of a command of click's, called *name* below *parent*, a context."""
    ctx = made.context_class(made, info_name=name, parent=parent, **made.context_settings)
    arguments, options = records(made, ctx)
    help_text = str(made.help or "")
    paragraphs = [each for each in re.split(r"\n\n+", help_text.strip()) if each.strip("\b\n ")]
    return Page(
        name=ctx.command_path,
        usage=" ".join([ctx.command_path, *made.collect_usage_pieces(ctx)]),
        summary=summary(made),
        text=tuple(_paragraph(each) for each in paragraphs[1:]),
        arguments=tuple(arguments),
        options=tuple(each for each in options if "--help" not in each[0]),
        verbs=tuple(page(each, verb, ctx) for verb, each in getattr(made, "commands", {}).items()),
        exits=str(made.epilog or ""),
    )


def _paragraph(text: str) -> tuple[str, bool]:
    if text.startswith("\b"):
        return text.removeprefix("\b").strip("\n"), True
    return " ".join(text.split()), False


def pages() -> Page:
    """Return the page of virtctl, with all others in it."""
    import typer

    from executor.cli.main import app

    return page(typer.main.get_command(app), "virtctl")


def files() -> dict[Path, str]:
    """Return all files of the reference by their paths below the project's root."""
    root = pages()
    out = {DOCS / "README.md": _index(root), MAN / "virtctl.1": "".join(_man_root(root))}
    for verb in root.verbs:
        short = verb.name.partition(" ")[2]
        out[DOCS / f"{short}.md"] = "\n".join(_markdown(verb))
        for each in (verb, *verb.verbs):
            out[MAN / f"{each.name.replace(' ', '-')}.1"] = "".join(_man(each))
    return out


def _index(root: Page) -> str:
    by_name = {verb.name.partition(" ")[2]: verb for verb in root.verbs}
    out = ["# virtctl", "", f"{root.summary}", "", "```", root.usage, "```", ""]
    for title, names in SECTIONS.items():
        out += [f"## {title}", "", "| verb | what it does |", "| --- | --- |"]
        out += [f"| [{name}]({name}.md) | {_cell(by_name[name].summary)} |" for name in names]
        out.append("")
    out += ["## Options", "", *_list(root.options), "", "## Exit codes", "", *_list(EXITS), ""]
    out += ["## Environment", "", *_list(ENVIRONMENT), "", _MADE, ""]
    return "\n".join(out)


_MADE: Final = "`make docs` writes these pages from the verbs' own help."


def _markdown(verb: Page, level: int = 1) -> Iterator[str]:
    yield f"{'#' * level} {verb.name}"
    yield from ("", verb.summary, "", "```", verb.usage, "```", "")
    for text, as_it_stands in verb.text:
        if as_it_stands:
            head, _, lines = text.partition("\n")
            yield from (head, "", "```sh", *(line.removeprefix("  ") for line in lines.splitlines()), "```", "")
        else:
            yield from (_escaped(text), "")
    for title, rows in (("Arguments", verb.arguments), ("Options", verb.options)):
        if rows and not (level == 1 and verb.verbs):
            yield from (f"{'#' * (level + 1)} {title}", "", *_list(rows), "")
    if verb.exits:
        yield from (verb.exits, "")
    for each in verb.verbs:
        yield from _markdown(each, level + 1)
    if level == 1:
        yield from ("[All verbs](README.md)", "")


def _list(rows: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for name, text in rows:
        yield f"- `{name}`: {_escaped(' '.join(text.split()))}"


def _escaped(text: str) -> str:
    """Return *text* with nothing in it that Markdown reads, but for code in backquotes."""
    parts = text.split("`")
    return "`".join(re.sub(r"([*<>])", r"\\\1", part) if n % 2 == 0 else part for n, part in enumerate(parts))


def _cell(text: str) -> str:
    return _escaped(text).replace("|", "\\|")


def _man(verb: Page) -> Iterator[str]:
    yield _heading(verb)
    yield f".SH NAME\n{_roff(verb.name.replace(' ', '-'))} \\- {_roff(verb.summary)}\n"
    yield f".SH SYNOPSIS\n.B {_bold(verb.usage)}\n"
    yield ".SH DESCRIPTION\n" + _roff(verb.summary) + "\n"
    for text, as_it_stands in verb.text:
        if as_it_stands:
            head, _, lines = text.partition("\n")
            yield f".SH {_roff(head.rstrip(':').upper())}\n.nf\n"
            yield "".join(f"{_roff(line.removeprefix('  '))}\n" for line in lines.splitlines()) + ".fi\n"
        else:
            yield f".PP\n{_roff(text)}\n"
    yield from _section("VERBS", [(each.name.rpartition(" ")[2], each.summary) for each in verb.verbs])
    yield from _section("ARGUMENTS", verb.arguments)
    yield from _section("OPTIONS", verb.options)
    if verb.exits:
        yield f".SH EXIT STATUS\n{_roff(verb.exits.removeprefix('Exit codes: ').capitalize())}\n"
    yield ".SH SEE ALSO\n" + ", ".join(f".BR {_roff(name)} (1)" for name in _also(verb)) + "\n"


def _man_root(root: Page) -> Iterator[str]:
    yield _heading(root)
    yield f".SH NAME\nvirtctl \\- {_roff(root.summary)}\n.SH SYNOPSIS\n.B {_bold(root.usage)}\n"
    summaries = {verb.name.partition(" ")[2]: verb.summary for verb in root.verbs}
    for title, names in SECTIONS.items():
        yield from _section(title.upper(), [(name, summaries[name]) for name in names])
    yield from _section("OPTIONS", root.options)
    yield from _section("EXIT STATUS", EXITS)
    yield from _section("ENVIRONMENT", ENVIRONMENT)
    yield ".SH SEE ALSO\nEach verb has a page of its own, such as\n.BR virtctl\\-get (1).\n"


def _also(verb: Page) -> list[str]:
    words = verb.name.split()
    return ["-".join(words[:-1]), *(each.name.replace(" ", "-") for each in verb.verbs)]


def _heading(verb: Page) -> str:
    return f'.TH {verb.name.replace(" ", "-").upper()} 1 "" KubeVMM "virtctl"\n'


def _section(title: str, rows: Any) -> Iterator[str]:
    if rows:
        yield f".SH {_roff(title)}\n"
    for name, text in rows:
        yield f".TP\n.B {_bold(name)}\n{_roff(' '.join(text.split()))}\n"


def _roff(text: str) -> str:
    r"""Return *text* as roff shows it, one line for each of its own.

    >>> _roff(".a -b 'c\\d")
    "\\&.a \\-b 'c\\ed"
    """
    made = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga")
    return f"\\&{made}" if made[:1] in {".", "'"} else made


def _bold(text: str) -> str:
    """Return *text* as one argument of a macro."""
    return '"' + _roff(text).replace('"', "\\(dq") + '"'


def write(root: Path, wanted: Mapping[Path, str]) -> list[Path]:
    """Write the files that differ below *root*, take away those that are no verb's, and return all of these."""
    changed = []
    for folder, pattern in ((DOCS, "*.md"), (MAN, "*.1")):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for path in (root / folder).glob(pattern):
            if path.relative_to(root) not in wanted:
                path.unlink()
                changed.append(path)
    for name, text in wanted.items():
        path = root / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            temporary = path.with_name(f".{path.name}.tmp")
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
            changed.append(path)
    return changed


if __name__ == "__main__":
    for each in write(ROOT, files()):
        sys.stdout.write(f"{each.relative_to(ROOT)}\n")
