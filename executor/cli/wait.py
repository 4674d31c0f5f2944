"""`virtctl wait`: until objects are as they should be, or gone."""

from __future__ import annotations

from typing import Annotated

import typer

from executor.cli.completing import objects
from executor.cli.declared import Files, Recursive, load
from executor.cli.durations import seconds
from executor.cli.targets import DEFAULT_NAMESPACE, Connect, Namespace, Selector, hypervisor_at

_WEEK = 7 * 24 * 3600.0


def _timeout(text: str | float) -> float:
    """Return a duration in seconds; what is below zero is a week, as for kubectl."""
    return _WEEK if isinstance(text, str) and text.startswith("-") else seconds(text)


def wait(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KIND] NAME...", help="web-1, vm web-1, or vm/web-1 vmnet/inner.", autocompletion=objects
        ),
    ] = None,
    *,
    condition: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="CONDITION",
            help="create, delete, condition=NAME[=VALUE], or jsonpath='{PATH}'[=VALUE].",
        ),
    ],
    filename: Files = None,
    recursive: Recursive = False,
    every: Annotated[bool, typer.Option("--all", help="All objects of the kind in the namespace.")] = False,
    selector: Selector = "",
    all_namespaces: Annotated[bool, typer.Option("-A", "--all-namespaces", help="All namespaces.")] = False,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", parser=_timeout, metavar="TIME", help="How long at most; 0 looks once, -1s waits a week."
        ),
    ] = 30.0,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Wait until objects are as they should be, or gone.

    libvirt's events say when to look again. Each object is one line on standard output once it is so. The exit code is
    1 if one is not within --timeout, or is not there to begin with. Names and values of conditions match in any case.

    \b
    Examples:
      virtctl wait vm/web-1 --for=condition=Ready
      virtctl wait -f estate/ -R --for=condition=Ready --timeout 5m
      virtctl wait vm web-1 --for=jsonpath='{.status.printableStatus}'=Stopped
      virtctl wait vm/web-1 --for=jsonpath='{.status.interfaces[0].ipAddress}'
      virtctl wait vm --all --for=delete
    """
    from executor.cli import waiting
    from executor.cli.refs import parse
    from executor.engine.listing import Query
    from executor.engine.objects import Ref, kind_of

    asked_for = waiting.condition(condition)
    many = every or bool(selector)
    if all_namespaces and not many:
        raise typer.BadParameter("--all-namespaces goes with --all or -l: a name is in one namespace")
    if bool(what) == bool(filename):
        raise typer.BadParameter("name either objects or files")
    here = namespace or DEFAULT_NAMESPACE
    detail = asked_for.detail
    if filename:
        refs = [each.ref for each in load(filename, namespace, recursive).objects]
        queries = [Query(kind, None, tuple({r.name for r in refs if r.kind == kind}), detail=detail)
                   for kind in dict.fromkeys(ref.kind for ref in refs)]  # fmt: skip
    else:
        words = what or []
        # A kind alone is no guest of that name: it would be told gone.
        asked = parse(words, bare="" if many or kind_of(words[0]) else "VirtualMachine")
        refs = [Ref(kind, here, name) for kind, names in asked.items() for name in names]
        if not refs and not many:
            raise typer.BadParameter("a name is missing; --all or -l means all of the kind")
        if refs and many:
            raise typer.BadParameter("names exclude --all and -l")
        loose = namespace is None and bool(refs)
        queries = [
            Query(kind, None if all_namespaces else here, names, selector, unmanaged=loose, detail=detail)
            for kind, names in asked.items()
        ]
    with hypervisor_at(connect) as hypervisor:
        raise typer.Exit(waiting.Waiting(asked_for, refs, typer.echo).run(hypervisor, queries, timeout))
