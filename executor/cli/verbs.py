"""The table of `virtctl`'s verbs, each loaded when it is asked for: all of them cost more than most of them do."""

from __future__ import annotations

import importlib
import re
from collections.abc import MutableMapping
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "Convert and import": ("convert", "validate", "compare", "explain", "import", "export", "fit"),
    "Declare": ("apply", "diff", "get", "edit", "delete", "wait", "adopt", "release", "agent", "executor"),
    "Run guests": (
        "start", "stop", "restart", "reset", "softreboot", "pause", "resume", "save", "restore", "console", "vnc",
        "ssh",
    ),
    "Look into": ("describe", "top", "events", "guest"),
    "Change by hand": ("disk", "nic", "media", "snapshot", "image", "clone"),
    "virtctl itself": ("completion", "version"),
}  # fmt: skip
"""The verbs as the help shows them. Each is a module of this package with a function of its name."""

GROUPS: Final = ("disk", "guest", "image", "media", "nic", "snapshot")
"""The verbs that have verbs of their own: their modules have an ``app``."""

BARE: Final = ("events", "explain", "top", "version")
"""The verbs that do something where nothing else is said; the others show their help."""

_FUNCTIONS: Final = {"import": ("import_", "import_estate")}
"""The verbs that are no names in Python: their modules and functions."""

CLUSTER: Final = ("context", "kubeconfig")
"""The options that name a cluster, before a verb or behind it; the verb is then the cluster's."""

_OF_CLUSTER: Final = re.compile(rf"--({'|'.join(CLUSTER)})(=|$)")

EXITS: Final = "Exit codes: 0 done, 1 an error, 2 wrong usage, 130 interrupted."
_EXITS: Final = {
    "compare": "Exit codes: 0 the same, 1 different, 2 an error or wrong usage, 130 interrupted.",
    "diff": "Exit codes: 0 no difference, 1 differences, 2 an error or wrong usage, 130 interrupted.",
    "validate": "Exit codes: 0 no errors, 1 errors, 2 wrong usage, 130 interrupted.",
    "wait": "Exit codes: 0 it is so, 1 not in time, not there or an error, 2 wrong usage, 130 interrupted.",
}


class Verb(TyperCommand):
    """A verb whose usage is written as kubectl's: what it is about, then the options."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Take flags as kubectl's users write them, too: ``--wait=false``."""
        return super().parse_args(ctx, list(_flags(self, args)))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002  (click gives it)
        """Return what stands behind the verb in its line of usage."""
        pieces = []
        for each in self.params:
            if each.param_type_name == "argument":
                word = str(each.metavar or str(each.name).upper())
                pieces.append(word if each.required or word.startswith("[") else f"[{word}]")
        return [*pieces, "[OPTIONS]"]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then the options."""
        for title, rows in zip(("Arguments", "Options"), records(self, ctx), strict=True):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


_BOOLEAN: Final = {"true": True, "false": False}


def _flags(made: Any, args: Sequence[str]) -> Iterator[str]:
    """Yield *args*, with ``--flag`` and ``--no-flag`` in place of ``--flag=true`` and ``--flag=false``."""
    flags = {name: each for each in made.params if getattr(each, "is_flag", False) for name in each.opts}
    ended = False
    for word in args:
        ended = ended or word == "--"
        name, equals, value = word.partition("=")
        said = _BOOLEAN.get(value) if equals and name in flags and not ended else None
        if said is None:
            yield word
        elif said:
            yield name
        else:
            # Where there is no other form, it is off unless it is named.
            yield from flags[name].secondary_opts[:1]


class Group(TyperGroup):
    """A verb with verbs of its own, each shown with the whole first paragraph of its help."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the verb that is the first of *args*; it gets what was given before this one, too."""
        if ctx.default_map:
            ctx.default_map = dict.fromkeys(self.commands, ctx.default_map)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  (click gives it)
        """Write the verbs."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, summary(made)) for name, made in self.commands.items()])

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002  (click gives it)
        """Return what stands behind it in its line of usage."""
        return ["VERB", "[OPTIONS]"]


class _Commands(MutableMapping[str, Any]):
    """The verbs by name, made as they are asked for; what typer adds itself is kept beside them."""

    def __init__(self, added: Mapping[str, Any], names: Sequence[str], make: Callable[[str], Any]) -> None:
        self._made = dict(added)
        self._names = list(dict.fromkeys([*names, *added]))
        self._make = make

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            if name not in self._names:
                raise KeyError(name)
            self._made[name] = self._make(name)
        return self._made[name]

    def __setitem__(self, name: str, made: Any) -> None:
        self._made[name] = made

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Verbs(Group):
    """All of virtctl; its verbs are made by ``make``, and shown by ``sections``."""

    sections: Mapping[str, tuple[str, ...]] = SECTIONS

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        names = [name for verbs in self.sections.values() for name in verbs]
        self.commands = _Commands(self.commands, names, self.make)

    def make(self, name: str) -> Any:
        """Return the verb *name* as click has it."""
        return command(name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the verb that is the first of *args*: another one, where they or what stands before name a cluster."""
        before = any(ctx.params.get(name) for name in CLUSTER)
        if before or any(_OF_CLUSTER.match(word) for word in takewhile("--".__ne__, args[1:])):
            from executor.cli.cluster.verbs import on_cluster

            made = on_cluster(args[0])
            if made is not None:
                return args[0], made, args[1:]
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  (click gives it)
        """Return the verbs' names, in the order of the help."""
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the verbs by section, each with the whole first sentence of its help."""
        width = max(map(len, self.commands))
        for title, names in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), summary(self.commands[name])) for name in names])
        formatter.write_paragraph()
        formatter.write_text(f"`{ctx.command_path} VERB --help` tells of one of them.")


_WORDS: Final = (
    (r" <list\[\w+\]>| <dict>", ""),
    (r"<str>", "TEXT"),
    (r"<int>|<int range>", "NUMBER"),
    (r"<path>", "PATH"),
)


def records(made: Any, ctx: Any) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return a command's arguments and its options, each as it is written, and what it means."""
    out: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
    for each in made.get_params(ctx):
        record = each.get_help_record(ctx)
        if record is None:
            continue
        name, text = record
        for pattern, word in _WORDS:
            name = re.sub(pattern, word if each.param_type_name == "option" else "", name)
        # The numbers that have a fraction are durations.
        out[each.param_type_name].append((name.strip(), re.sub(r"(default: \d+)\.0\b", r"\1s", text)))
    return out["argument"], out["option"]


def summary(made: Any) -> str:
    """Return the first paragraph of a command's help, in one line."""
    return " ".join(str(made.help or "").partition("\n\n")[0].split())


def command(name: str) -> Any:
    """Return the verb *name* as click has it."""
    module, function = _FUNCTIONS.get(name, (name, name))
    loaded = importlib.import_module(f"executor.cli.{module}")
    if name in GROUPS:
        loaded.app.info.cls = Group
        for each in loaded.app.registered_commands:
            each.cls, each.epilog = Verb, EXITS
        return typer.main.get_command(_plain(loaded.app))
    return made(name, getattr(loaded, function), _EXITS.get(name, EXITS), bare=name in BARE)


def made(name: str, function: Callable[..., Any], exits: str, *, bare: bool) -> Any:
    """Return *function* as click has a verb; a *bare* one does something where nothing else is said."""
    alone = _plain(typer.Typer())
    alone.command(name, cls=Verb, no_args_is_help=not bare, epilog=exits)(function)
    return typer.main.get_command(alone)


def _plain(app: typer.Typer) -> typer.Typer:
    app._add_completion = False  # noqa: SLF001  (the root's alone)
    app.rich_markup_mode = None
    app.pretty_exceptions_enable = False
    return app
