"""`virtctl edit`: an object, or a file of them, in a person's editor, and applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from executor.cli import messages
from executor.cli.completing import objects
from executor.cli.targets import DEFAULT_NAMESPACE, Connect, Namespace, hypervisor_at
from schemas.errors import InputError, KubevmmError

if TYPE_CHECKING:
    from executor.cli.editing import Problem
    from executor.engine.objects import Ref
    from executor.engine.source import Declarations
    from executor.engine.withheld import Withheld
    from executor.hypervisor.hypervisor import Hypervisor


def edit(
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KIND] NAME", help="web-1, vm web-1, or vm/web-1.", autocompletion=objects),
    ] = None,
    filename: Annotated[
        str | None, typer.Option("-f", "--filename", metavar="FILE", help="Edit this file, then apply it.")
    ] = None,
    namespace: Namespace = None,
    connect: Connect = "",
) -> None:
    """Change an object, or a file of objects, in an editor, and apply it.

    KUBE_EDITOR, VISUAL or EDITOR says which editor, vi otherwise. What cannot be used is opened again with the reasons
    on top. With -f the file is what is edited, its comments stay, and it is written once it was applied. A copy of what
    you wrote is kept, and said where, if it cannot be applied in the end; then the exit code is 1. Passwords are not
    shown: a word such as (secret 1) stands for one that stays.

    \b
    Examples:
      virtctl edit vm web-1
      virtctl edit vmnet/inner -n shop
      EDITOR="code --wait" virtctl edit -f web-1.yaml
    """
    if bool(what) == bool(filename):
        raise typer.BadParameter("name either one object or a file")
    if filename:
        return _file(filename, namespace, connect)
    from executor.cli.refs import parse
    from executor.engine.objects import Ref

    asked = parse(what or [], bare="VirtualMachine")
    refs = [Ref(kind, namespace or DEFAULT_NAMESPACE, name) for kind, names in asked.items() for name in names]
    if len(refs) != 1:
        raise typer.BadParameter(f"one object is expected, not {len(refs)}")
    return _object(refs[0], connect)


def _object(ref: Ref, connect: str) -> None:
    from analyser.yamlwriter import dump
    from executor.cli.editing import Problem
    from executor.cli.editing import edit as edited

    with hypervisor_at(connect) as hypervisor:
        before = _applied(hypervisor, ref)
        withheld = _withheld(hypervisor, ref, before)

        def use(text: str) -> list[Problem]:
            declared, problems = _read(text, None)
            if declared is None:
                return problems
            if [each.ref for each in declared.objects] != [ref]:
                return [Problem(f"kind, name and namespace must stay: {ref} in {ref.namespace}, and nothing else")]
            if _applied(hypervisor, ref) != before:
                raise KubevmmError(f"{ref} was changed by somebody else meanwhile", hint="nothing was changed")
            try:
                withheld.put_back(declared)
            except InputError as error:
                return [Problem(_said(error))]
            return _apply(hypervisor, declared)

        edited(dump(withheld.object), use, name=f"{ref.kind.lower()}-{ref.name}"[:100])


def _applied(hypervisor: Hypervisor, ref: Ref) -> dict[str, Any]:
    """Return the object as it was applied last. Raises NotFound where there is none."""
    from executor.engine import store
    from executor.engine.listing import Query, listing
    from executor.hypervisor.errors import NotFound

    if ref.kind == "VirtualMachine":
        # What is there but not managed is an error of its own.
        store.find(hypervisor, ref)
    found = listing(hypervisor, Query(ref.kind, ref.namespace, (ref.name,))).objects
    if not found:
        raise NotFound(
            f"{ref}: not found in the namespace {ref.namespace}", hint=f"`virtctl get {ref.kind.lower()} -A` lists them"
        )
    obj = {key: value for key, value in found[0].items() if key != "status"}
    metadata = {key: value for key, value in obj["metadata"].items() if key not in {"uid", "creationTimestamp"}}
    return {**obj, "metadata": metadata}


def _withheld(hypervisor: Hypervisor, ref: Ref, obj: dict[str, Any]) -> Withheld:
    """Return *obj* with a word in place of each secret that is not shown."""
    from executor.engine import store, withheld

    if ref.kind == "VirtualMachineStoragePool":
        return withheld.of_pool(hypervisor, ref, obj)
    if ref.kind != "VirtualMachine":
        return withheld.Withheld(obj)
    return withheld.of(store.find(hypervisor, ref), obj)


def _said(error: InputError) -> str:
    text = ": ".join(filter(None, (error.path, error.message)))
    return f"{text} ({error.hint})" if error.hint else text


def _file(name: str, namespace: str | None, connect: str) -> None:
    from pathlib import Path

    from analyser import files
    from analyser.convert import form_of
    from executor.cli.editing import edit as edited

    path = Path(name)
    if not path.is_file():
        raise KubevmmError(f"{name}: is no file", hint="edit takes one file of objects")
    data = path.read_bytes()
    if form_of(data) == "xml":
        raise KubevmmError(f"{name}: is XML", hint=f"`virtctl convert {name} -o FILE.yaml` makes YAML of it")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise KubevmmError(f"{name}: it is not UTF-8: {error.reason}") from None
    with hypervisor_at(connect) as hypervisor:

        def use(written: str) -> list[Problem]:
            declared, problems = _read(written, namespace)
            if declared is not None:
                problems = _apply(hypervisor, declared)
            if not problems:
                if path.read_bytes() != data:
                    raise KubevmmError(f"{name} was changed by somebody else meanwhile", hint="it is left as it is")
                target = path.resolve()
                files.write(target, written.encode(), mode=target.stat().st_mode & 0o777)
            return problems

        edited(text, use, name=path.stem[:100])


def _read(text: str, namespace: str | None) -> tuple[Declarations | None, list[Problem]]:
    """Return what *text* says, or what is wrong with it."""
    from executor.cli.editing import Problem
    from executor.engine import apply as engine
    from executor.engine import source

    try:
        declared = source.read_text(text.encode(), "", namespace=namespace)
        engine.check(declared)
    except source.InvalidInput as error:
        return None, [_placed(each) for each in error.problems]
    except InputError as error:
        return None, [Problem(_said(error), error.line or 0)]
    except KubevmmError as error:
        return None, [Problem(str(error))]
    return declared, []


def _placed(problem: str) -> Problem:
    """Return a problem without the file's name, and with its line apart."""
    import re

    from executor.cli.editing import Problem

    found = re.match(r":(\d+)(?::\d+)?: (.*)", problem) or re.match(r"line (\d+)(?::\d+)?: (.*)", problem)
    return Problem(found[2], int(found[1])) if found else Problem(problem.removeprefix(": "))


def _apply(hypervisor: Hypervisor, declared: Declarations) -> list[Problem]:
    """Apply *declared*, and say what became of it; return what failed. Raises what another text would not mend."""
    from executor.cli.editing import Problem
    from executor.engine import apply as engine
    from executor.hypervisor.errors import Denied, Unavailable

    problems = []
    for done in engine.apply(hypervisor, declared):
        if isinstance(done.error, (Denied, Unavailable)):
            raise done.error
        if done.error is not None:
            hint = f" ({done.error.hint})" if done.error.hint else ""
            problems.append(Problem(f"{done.error}{hint}"))
        elif done.result is not None:
            typer.echo(
                f"{done.declared.ref} {'edited' if done.result.outcome == 'configured' else done.result.outcome}"
            )
            for note in done.result.notes:
                messages.note(f"{done.declared.ref}: {note}")
    return problems
