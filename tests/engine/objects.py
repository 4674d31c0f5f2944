"""Objects as people write them, and the engine's verbs in one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from executor.engine import apply as engine
from executor.engine import source
from executor.hypervisor.calls import Recorder, hooked

if TYPE_CHECKING:
    from executor.hypervisor.hypervisor import Hypervisor


def vm(name: str = "web-1", *, spec: str = "", domain: str = "", metadata: str = "") -> str:
    """Return a VirtualMachine of libvirt's test driver; the texts are YAML lines without their indentation."""
    return (
        f"apiVersion: kubevmm.io/v1alpha1\nkind: VirtualMachine\nmetadata:\n  name: {name}\n"
        f"{_indented(metadata, 2)}spec:\n{_indented(spec, 2)}  domain:\n    type: test\n    memory: 64Mi\n"
        f"    os: {{type: {{value: hvm}}}}\n{_indented(domain, 4)}"
    )


def _indented(text: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}\n" for line in text.splitlines())


def apply(hypervisor: Hypervisor, *files: str, dry_run: bool = False) -> list[str]:
    """Apply *files* and return a line for each object: what became of it, or the error."""
    return [
        f"{done.declared.ref} {done.result.outcome}" if done.result is not None else f"error: {done.error}"
        for done in engine.apply(hypervisor, source.read(files), dry_run=dry_run)
    ]


def recorded(hypervisor: Hypervisor, *files: str) -> tuple[list[str], list[str]]:
    """Apply *files* and return the lines, and the libvirt calls that changed anything."""
    with hooked(Recorder()) as recorder:
        lines = apply(hypervisor, *files)
    return lines, [f"{call.kind}.{call.method}" for call in recorder.changes]
