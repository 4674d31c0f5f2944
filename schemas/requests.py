"""What a guest takes of its node, as a Pod would ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schemas.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

_MEBIBYTE: Final = 1 << 20
_HUGE: Final = 2 * _MEBIBYTE


def requests(domain: Mapping[str, Any]) -> dict[str, int]:
    """Return CPUs (``cpu``) and bytes (``memory``, ``hugepages-2Mi`` ...) that the guest *domain* takes.

    That is its vCPUs that are on line, its memory, and about what its emulator takes beside that: 64 MiB, 8 MiB for
    each vCPU, and 1/512 of the memory for page tables. Memory is in whole MiB.
    """
    vcpu = domain.get("vcpu") or {}
    vcpus = int((vcpu.get("current") or vcpu.get("value") or 1) if isinstance(vcpu, dict) else vcpu)
    memory = in_bytes(domain.get("memory", 0))
    own = 64 * _MEBIBYTE + vcpus * 8 * _MEBIBYTE + memory // 512
    out = {"cpu": vcpus}
    pages = (domain.get("memoryBacking") or {}).get("hugepages")
    if pages is not None:
        first: Mapping[str, Any] = next(iter((pages or {}).get("pages") or ()), {})
        out[f"hugepages-{quantity(in_bytes(first.get('size', 0)) or _HUGE)}"] = memory
        memory = 0
    out["memory"] = -(-(memory + own) // _MEBIBYTE) * _MEBIBYTE
    return out


def quantity(count: int) -> str:
    """Return *count* bytes as the largest binary quantity that is exact: ``4Gi``."""
    for shift, unit in ((30, "Gi"), (20, "Mi"), (10, "Ki")):
        if count and count % (1 << shift) == 0:
            return f"{count >> shift}{unit}"
    return str(count)
