"""`virtctl diff`: where the node is not what files say, field by field."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import typer

from executor.cli import messages
from executor.cli.declared import Files, Recursive, load
from executor.cli.targets import Connect, Namespace, Selector, hypervisor_at
from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from executor.cli.progress import Count
    from executor.engine.source import Declarations, Declared
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.plan.domain import Difference

SAME, DIFFERENT, TROUBLE = 0, 1, 2


def diff(
    filename: Files = None,
    recursive: Recursive = False,
    namespace: Namespace = None,
    selector: Selector = "",
    connect: Connect = "",
) -> None:
    """Show where the node is not what files say.

    One line for each field, what is there behind - and what the file says behind +, and why they differ: the file
    changed, somebody changed the guest, or it waits for the guest's next start. What libvirt filled in by itself is no
    difference. Nothing is changed. The exit code is 0 if there is no difference, 1 if there is one, 2 if it cannot be
    told.

    \b
    Examples:
      virtctl diff -f web-1.yaml
      virtctl diff -f estate/ -R -l app=web
    """
    if not filename:
        raise typer.BadParameter("name files with -f")
    code = SAME
    try:
        declared = load(filename, namespace, recursive)
        from executor.cli.progress import Count
        from executor.engine import apply as engine

        engine.check(declared)
        with hypervisor_at(connect) as hypervisor:
            chosen = engine.selected(declared, selector)
            with Count("comparing", len(chosen)) as count:
                for each in chosen:
                    count.begin(each.ref)
                    code = max(code, _one(hypervisor, each, declared, count))
    except KubevmmError as error:
        messages.failure(error)
        code = TROUBLE
    raise typer.Exit(code)


def _one(hypervisor: Hypervisor, each: Declared, declared: Declarations, count: Count) -> int:
    try:
        found = _differences(hypervisor, each, declared)
    except KubevmmError as error:
        count.clear()
        messages.failure(error)
        return TROUBLE
    if found != []:
        count.clear()
    if not isinstance(found, list) and found is not None:
        messages.note(f"{each.ref}: left out, it is for the node {found}")
        return SAME
    secrets = {value for value in declared.secrets.values() if value}
    if found is None:
        line("+ ", f"{each.ref}: is not there yet")
        return DIFFERENT
    for difference in found:
        where = " (running)" if difference.running else ""
        show(f"{each.ref}: {difference.path}{where}: {difference.cause}")
        values(difference.path, difference.actual, difference.desired, secrets)
    return DIFFERENT if found else SAME


def _differences(hypervisor: Hypervisor, each: Declared, declared: Declarations) -> list[Difference] | str | None:
    """Return the differences; None where the object is not there yet, the node's name where it is for another one."""
    from executor.engine import apply as engine
    from executor.engine import definitions, disks, guests, images, snapshots

    other = engine.elsewhere(hypervisor, each)
    if other:
        return other
    if each.ref.kind in definitions.KINDS:
        place = definitions.look(hypervisor, each, declared)
        return place.differences() if place.found is not None else None
    if each.ref.kind == disks.KIND:
        return disks.differences(hypervisor, each, declared)
    if each.ref.kind == images.KIND:
        return images.differences(hypervisor, each, declared)
    if each.ref.kind == snapshots.KIND:
        return snapshots.differences(hypervisor, each)
    if each.ref.kind != "VirtualMachine":
        raise KubevmmError(f"{each.ref}: a node by itself cannot compare a {each.ref.kind} yet")
    case = guests.look(hypervisor, each, declared)
    return case.differences() if case.domain is not None else None


def show(text: str) -> None:
    """Write a line that says where there is a difference."""
    sys.stdout.write(messages.one_line(text) + "\n")


def values(path: str, actual: Any, desired: Any, secrets: set[str]) -> None:
    """Write what is at *path* and what should be, a line for each value; None for nothing.

    Of two texts of many lines, only those that differ are written, with one round them.
    """
    sides = [("- ", _shown(path, actual, secrets)), ("+ ", _shown(path, desired, secrets))]
    if len(sides[0][1]) > 1 and len(sides[1][1]) > 1:
        import difflib

        for each in list(difflib.unified_diff(sides[0][1], sides[1][1], n=1, lineterm=""))[2:]:
            if not each.startswith("@@"):
                line(f"{each[0]} ", each[1:])
        return
    for sign, texts in sides:
        for text in texts:
            line(sign, text)


def line(sign: str, text: str) -> None:
    """Write a line of one side, ``- `` or ``+ ``, or of both."""
    shown = messages.one_line(f"  {sign}{text}")
    colour = {"+ ": "green", "- ": "red"}.get(sign)
    sys.stdout.write((messages.paint(shown, colour, sys.stdout) if colour else shown) + "\n")


def _shown(path: str, value: Any, secrets: set[str]) -> list[str]:
    """Return *value* for people, as the lines of its YAML: nothing secret in it, whatever its shape."""
    from analyser.compare.normal import HIDDEN, is_secret
    from analyser.yamlwriter import dump

    def plain(key: str, node: Any) -> Any:
        if isinstance(node, dict):
            return {name: plain(str(name), each) for name, each in node.items()}
        if isinstance(node, list):
            return [plain(key, each) for each in node]
        if is_secret(key) or (isinstance(node, str) and node in secrets):
            return HIDDEN
        return node if isinstance(node, (str, int)) else str(node)

    if value is None:
        return []
    made = plain(path.rpartition(".")[2], value)
    if isinstance(made, str):
        return made.splitlines() or [made]
    if isinstance(made, dict) and made:
        return dump(made).splitlines()
    if isinstance(made, list) and made:
        # A document is a map.
        return dump({"list": made}).splitlines()[1:]
    return [json.dumps(made, default=str)]
