"""The table of the verbs that there are on a cluster, and of those that are done elsewhere."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from executor.cli import verbs

if TYPE_CHECKING:
    from collections.abc import Mapping

SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "Guests": ("get", "describe", "start", "stop", "diff"),
    "Acts, each done once": ("restart", "reset", "softreboot", "pause", "resume", "save", "restore", "clone"),
    "Estates": ("import",),
    "Documents": ("convert", "validate", "compare", "explain"),
    "kubectl virt itself": ("version",),
}
"""The verbs of `kubectl virt` as its help shows them."""

OWN: Final[Mapping[str, tuple[str, str]]] = {
    **{name: (name, name) for name in SECTIONS["Guests"]},
    **{name: ("acts", name) for name in ("reset", "softreboot", "pause", "resume", "save")},
    **{name: (name, name) for name in ("restart", "restore", "clone")},
    "import": ("import_", "import_estate"),
}
"""Those that are this package's: their modules and functions. The others need no cluster, and are virtctl's."""

ON_NODE: Final = (
    "console", "vnc", "ssh", "guest", "top", "disk", "nic", "media", "snapshot",
)  # fmt: skip
"""Those that a guest's node does, with virtctl and its libvirt."""

OTHERWISE: Final[Mapping[str, tuple[str, str]]] = {
    "apply": ("kubectl itself does this", "kubectl apply -f FILE"),
    "edit": ("kubectl itself does this", "kubectl edit vm NAME"),
    "delete": ("kubectl itself does this", "kubectl delete vm NAME"),
    "wait": ("kubectl itself does this", "kubectl wait vm/NAME --for=condition=Ready"),
    "events": ("kubectl itself does this", "kubectl events --for virtualmachine/NAME"),
    "export": ("kubectl itself does this", "kubectl get vm NAME -o yaml"),
    "image": ("images are objects here", "kubectl apply -f FILE, with a VirtualMachineImage in it"),
    "adopt": ("guests are taken over as they are imported", "kubectl virt import qemu+ssh://NODE/system --node NODE"),
    "release": ("a guest is let go with its object", "kubectl delete vm NAME --cascade=orphan; it runs on"),
    "agent": ("this is for a node without a cluster", "the executor does it here: kubectl apply -f yamls/"),
}
"""Those that are done in another way: why, and in which."""

_EXITS: Final = {
    "diff": "Exit codes: 0 no difference, 1 differences, 2 an error or wrong usage, 130 interrupted.",
}


def on_cluster(name: str) -> Any:
    """Return the verb *name* as it is on a cluster, None where it is the same as without one, or unknown."""
    if name in OWN:
        module, function = OWN[name]
        loaded = importlib.import_module(f"executor.cli.cluster.{module}")
        return verbs.made(name, getattr(loaded, function), _EXITS.get(name, verbs.EXITS), bare=name == "diff")
    if name in ON_NODE or name in OTHERWISE:
        from executor.cli.cluster.elsewhere import verb

        return verb(name)
    return None


class Verbs(verbs.Verbs):
    """All of kubectl virt."""

    sections = SECTIONS

    def make(self, name: str) -> Any:
        """Return the verb *name* as click has it."""
        return on_cluster(name) or verbs.command(name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the verb that is the first of *args*, those that are done elsewhere too."""
        made = None if args[0] in self.commands else on_cluster(args[0])
        return (args[0], made, args[1:]) if made is not None else super().resolve_command(ctx, args)
