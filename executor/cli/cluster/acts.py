"""`kubectl virt pause`, `resume`, `reset`, `softreboot` and `save`: one act each, with nothing more to say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from executor.cli.cluster.options import Context, Guests, Kubeconfig, Namespace
from executor.cli.durations import Timeout, Wait

if TYPE_CHECKING:
    from collections.abc import Callable


def _verb(kind: str, what: str) -> Callable[..., Any]:
    name = kind.lower()

    def verb(
        names: Guests,
        *,
        wait: Wait = True,
        timeout: Timeout = 120.0,
        namespace: Namespace = None,
        context: Context = "",
        kubeconfig: Kubeconfig = "",
    ) -> None:
        from executor.cli.cluster.operating import operate

        patience = timeout if wait else None
        raise typer.Exit(operate(names, kind, patience=patience, where=(context, kubeconfig, namespace)))

    verb.__name__ = name
    verb.__doc__ = (
        f"{what}\n\nIt is a VirtualMachineOperation, done once by the executor of the guest's node.\n\n"
        f"\b\nExamples:\n  kubectl virt {name} web-1\n  kubectl virt {name} vm web-1 web-2 --timeout 5m\n"
    )
    return verb


pause = _verb("Pause", "Pause guests: they stand still, with their memory, until `kubectl virt resume`.")
resume = _verb("Resume", "Let guests run on after a pause.")
reset = _verb("Reset", "Press guests' reset buttons: they are not asked, and keep their processes.")
softreboot = _verb(
    "SoftReboot", "Ask guests' systems to reboot; this waits until they were asked, not until they have."
)
save = _verb("Save", "Write guests' memory to their nodes' disks and stop them, until `kubectl virt restore`.")
