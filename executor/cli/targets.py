"""Which domain a person means: ``web-1``, ``vm web-1`` or ``vm/web-1``, and the options that say where it is.

A domain that carries our mark goes by its object's namespace and name; any other by libvirt's own name.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from executor.cli import messages
from executor.cli.completing import guests
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from executor.hypervisor.domain import Domain
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.plan.mark import Mark

Names: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(metavar="[vm] NAME...", help="Guests: web-1, vm web-1 or vm/web-1.", autocompletion=guests),
]
Name: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="[vm] NAME", help="A guest: web-1, vm web-1 or vm/web-1.", autocompletion=guests)
]
Namespace: TypeAlias = Annotated[
    str | None,
    typer.Option("-n", "--namespace", help="The object's namespace; without it, default and guests without one."),
]


def _selector(text: str) -> str:
    """Return a label selector as it is. Raises a usage error for what is none, also where nothing is to be chosen."""
    from executor.engine.objects import selected
    from schemas.errors import InputError

    try:
        selected({}, text)
    except InputError as error:
        raise typer.BadParameter(f"{error.message} ({error.hint})") from None
    return text


Labels: TypeAlias = Annotated[
    str,
    typer.Option(
        "-l", "--selector", parser=_selector, metavar="LABELS", help="In place of names: labels as app=web,tier!=db."
    ),
]
Selector: TypeAlias = Annotated[
    str, typer.Option("-l", "--selector", parser=_selector, metavar="LABELS", help="As app=web,tier!=db.")
]
Every: TypeAlias = Annotated[bool, typer.Option("--all", help="In place of names: all managed ones of the namespace.")]
AllNamespaces: TypeAlias = Annotated[
    bool, typer.Option("-A", "--all-namespaces", help="With -l or --all: of all namespaces.")
]
Connect: TypeAlias = Annotated[
    str,
    typer.Option("-c", "--connect", metavar="URI", envvar="LIBVIRT_DEFAULT_URI", help="The libvirt to talk to."),
]

SYSTEM: Final = "qemu:///system"
_ELSEWHERE: Final = "--connect or LIBVIRT_DEFAULT_URI names another, such as qemu+ssh://HOST/system"
DEFAULT_NAMESPACE: Final = "default"
_KINDS: Final = {"vm", "vms", "virtualmachine", "virtualmachines"}


def names(words: Sequence[str]) -> list[str]:
    """Return the guests' names in the words of a command line. Raises a usage error for another kind."""
    if len(words) > 1 and words[0].lower() in _KINDS:
        words = words[1:]
    found = []
    for word in words:
        kind, slash, name = word.partition("/")
        if slash and kind.lower() not in _KINDS:
            raise typer.BadParameter(f"{word}: only virtual machines (vm/NAME) can do this")
        if slash and not name:
            raise typer.BadParameter(f"{word}: a name is missing")
        found.append(name if slash else word)
    return found


def only_name(words: Sequence[str]) -> str:
    """Return the name where one guest is meant. Raises a usage error for none or more."""
    found = names(words)
    if len(found) != 1:
        raise typer.BadParameter(f"one guest is expected, not {len(found)}: {' '.join(found)}")
    return found[0]


@contextlib.contextmanager
def hypervisor_at(uri: str, *, events: bool = True) -> Iterator[Hypervisor]:
    """Give an open connection to libvirt at *uri*, empty for the system's; `Connection` says what *events* are for.

    Raises LibvirtError.
    """
    from executor.hypervisor.errors import Denied, LibvirtError
    from executor.hypervisor.hypervisor import Hypervisor

    hypervisor = Hypervisor(uri or SYSTEM, events=events)
    try:
        hypervisor.connection.open()
    except Denied:
        raise
    except LibvirtError as error:
        error.hint = f"{error.hint}; {_ELSEWHERE}" if error.hint else _ELSEWHERE
        raise
    with hypervisor:
        yield hypervisor


@contextlib.contextmanager
def target(words: Sequence[str], namespace: str | None, uri: str) -> Iterator[tuple[Hypervisor, Domain]]:
    """Give the connection and the one domain that *words* name. Raises KubevmmError where there is none."""
    name = only_name(words)
    with hypervisor_at(uri) as hypervisor:
        yield hypervisor, find(hypervisor, name, namespace)


def find(hypervisor: Hypervisor, name: str, namespace: str | None = None) -> Domain:
    """Return the domain that is called *name*: an object's of *namespace*, else one that libvirt calls so.

    ``namespace`` None stands for ``default`` and for domains without our mark. Raises NotFound, with where it is.
    """
    from executor.hypervisor.errors import NotFound

    wanted = namespace or DEFAULT_NAMESPACE
    unmarked: Domain | None = None
    elsewhere: list[str] = []
    # Nearly always it has one of these two names, and the others need not be read.
    for likely in (f"{wanted}_{name}", name):
        with contextlib.suppress(NotFound):
            domain = hypervisor.domains.by_name(likely)
            mark = mark_of(domain)
            if mark is not None and (mark.namespace, mark.name) == (wanted, name):
                return domain
    for domain in hypervisor.domains.all():
        mark = mark_of(domain)
        if mark is None:
            if domain.name == name:
                unmarked = domain
        elif (mark.namespace, mark.name) == (wanted, name):
            return domain
        elif name in {mark.name, domain.name}:
            elsewhere.append(f"{mark.name} -n {mark.namespace}")
    if unmarked is not None and namespace is None:
        return unmarked
    where = f" in namespace {namespace}" if namespace else ""
    hint = (
        f"there is {', '.join(sorted(elsewhere))}" if elsewhere else "`virtctl get vm -A --unmanaged` lists the guests"
    )
    if name.lower() in _KINDS:
        hint = f"a name is missing behind {name}, or -l, or --all"
    if unmarked is not None:
        hint = f"there is a guest {name} without a namespace: leave out -n"
    raise NotFound(f"no virtual machine {name}{where}", hint=hint)


def mark_of(domain: Domain) -> Mark | None:
    """Return the mark that *domain* carries; None where it has none, or vanishes as it is read."""
    from executor.engine import store
    from executor.hypervisor.errors import NotFound, Unsupported

    try:
        return store.mark_of(domain)
    except (NotFound, Unsupported):
        return None


def on_each(
    words: Sequence[str] | None,
    namespace: Namespace,
    uri: str,
    act: Callable[[Hypervisor, Domain], str],
    *,
    selector: str = "",
    every: bool = False,
    all_namespaces: bool = False,
) -> typer.Exit:
    """Do *act* to each guest that *words* name, and print the word that it returns; return how to leave.

    In place of names *selector* and *every* choose from the managed guests of the namespace, or of *all_namespaces*.
    Several are worked on at once. What fails is said, and the others are done all the same.
    """
    from executor.engine.together import together

    many = bool(selector) or every
    if all_namespaces and not many:
        raise typer.BadParameter("--all-namespaces goes with --all or -l: a name is in one namespace")
    wanted = _named(words or (), many)
    where = None if all_namespaces else namespace or DEFAULT_NAMESPACE
    code = 0
    with hypervisor_at(uri) as hypervisor:
        chosen = _chosen(hypervisor, where, selector) if many else []
        if many and not chosen:
            messages.note("nothing found" + (f" in the namespace {where}" if where is not None else ""))

        def one(found: tuple[str, Domain | None]) -> str | KubevmmError:
            name, domain = found
            try:
                return act(hypervisor, domain or find(hypervisor, name, namespace))
            except KubevmmError as error:
                return error

        todo = chosen or [(name, None) for name in wanted]
        for (name, _), done in zip(todo, together(todo, one), strict=True):
            if isinstance(done, KubevmmError):
                messages.failure(done)
                code = 1
            else:
                typer.echo(f"virtualmachine/{messages.one_line(name)} {done}")
    return typer.Exit(code)


def _named(words: Sequence[str], many: bool) -> list[str]:
    """Return the names in *words*. Raises a usage error for none, and for some where *many* are chosen otherwise."""
    if many:
        if words and not (len(words) == 1 and words[0].lower() in _KINDS):
            raise typer.BadParameter("names exclude -l and --all")
        return []
    if not words:
        raise typer.BadParameter("a name is missing, or -l, or --all")
    return names(words)


def _chosen(hypervisor: Hypervisor, namespace: str | None, selector: str) -> list[tuple[str, Domain | None]]:
    """Return the managed guests of *namespace*, or of all, whose labels are as *selector* says, by their names."""
    from executor.engine import store
    from executor.engine.objects import labels_of, selected

    found = {
        guest.ref: guest.domain
        for guest, _ in store.guests(hypervisor, brief=True)
        if guest.mark is not None
        and namespace in (None, guest.ref.namespace)
        and selected(labels_of(guest.object), selector)
    }
    return [(ref.name, found[ref]) for ref in sorted(found)]


def without_kind(words: Sequence[str]) -> list[str]:
    """Return *words* without the kind that may stand in front of a name."""
    return list(words[1:] if len(words) > 1 and words[0].lower() in _KINDS else words)


def name_and(words: Sequence[str], *others: str) -> tuple[str, ...]:
    """Return a guest's name and what else was to stand after it (*others* say what). Raises a usage error."""
    if len(words) > 1 and words[0].lower() in _KINDS and len(words) == len(others) + 2:
        words = words[1:]
    if len(words) != len(others) + 1:
        raise typer.BadParameter(f"expected: [vm] NAME {' '.join(others)}")
    return (*names(words[:1]), *words[1:])


def note_drift(domain: Domain) -> None:
    """Say, of a domain that an object describes, that the object does not know of what was done by hand."""
    mark = mark_of(domain)
    if mark is not None:
        messages.note(
            f"note: {mark.namespace}/{mark.name} is described by a manifest, which `virtctl apply` holds it to;"
            " change it there too"
        )
