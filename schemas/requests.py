"""What a guest takes of its node, as a Pod would ask for it: what libvirt will give it, whichever key says so."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from schemas.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MEBIBYTE: Final = 1 << 20
_KIBIBYTE: Final = 1 << 10
_HUGE: Final = 2 * _MEBIBYTE
_VIDEO: Final = ("ram", "vram", "vram64", "vgamem")


def requests(domain: Mapping[str, Any]) -> dict[str, int]:
    """Return CPUs (``cpu``) and bytes (``memory``, ``hugepages-2Mi`` ...) that the guest *domain* takes.

    That is its vCPUs that are on line, its memory, and about what its emulator takes beside that: 64 MiB, 8 MiB for
    each vCPU, 1/512 of the memory for page tables, and what its screens have. Memory is in whole MiB.
    """
    vcpus, memory = cpus(domain), memory_of(domain)
    own = 64 * _MEBIBYTE + vcpus * 8 * _MEBIBYTE + memory // 512 + _video(domain)
    huge = huge_pages(domain)
    out = {"cpu": vcpus}
    for size, count in huge.items():
        name = f"hugepages-{quantity(size or _HUGE)}"
        out[name] = out.get(name, 0) + count
    plain = max(memory - sum(huge.values()), 0)
    out["memory"] = -(-(plain + own) // _MEBIBYTE) * _MEBIBYTE
    return out


def cpus(domain: Mapping[str, Any]) -> int:
    """Return how many vCPUs of the guest are on line; where each is told of by itself, that counts."""
    vcpu = domain.get("vcpu") or {}
    count = int((vcpu.get("current") or vcpu.get("value") or 1) if isinstance(vcpu, dict) else vcpu)
    each = _list(_map(domain.get("vcpus")).get("vcpus"))
    return max(count, sum(one.get("enabled") is True for one in each))


def memory_of(domain: Mapping[str, Any]) -> int:
    """Return the guest's memory in bytes, with its modules: where it has NUMA cells, libvirt takes theirs."""
    cells = sum(in_bytes(cell.get("memory", 0)) for cell in _cells(domain))
    return max(in_bytes(domain.get("memory", 0)), cells + sum(size for _, size in _modules(domain)))


def huge_pages(domain: Mapping[str, Any]) -> dict[int, int]:
    """Return the bytes of huge pages that the guest's memory is made of, by the size of a page; 0 is the node's own."""
    backing = _map(domain.get("memoryBacking")).get("hugepages")
    if backing is None:
        return {}
    pages = [
        (in_bytes(each.get("size", 0)), frozenset(numbers(str(each["nodeset"]))) if "nodeset" in each else None)
        for each in _list(_map(backing).get("pages"))
    ]
    modules = _modules(domain)
    cells = enumerate(_cells(domain))
    parts = [(int(each.get("id") or place), in_bytes(each.get("memory", 0))) for place, each in cells]
    if not parts:
        parts = [(0, memory_of(domain) - sum(size for _, size in modules))]
    found: Counter[int] = Counter()
    for node, size in [*parts, *modules]:
        named = next((page for page, nodes in pages if nodes is not None and node in nodes), None)
        others = 0 if not pages else next((page for page, nodes in pages if nodes is None), None)
        page = named if named is not None else others
        if page is not None:
            found[page] += size
    return dict(found)


def numbers(text: str) -> Iterator[int]:
    """Yield the numbers in a set as libvirt writes it: ``0-3,^2``; nothing for what is none."""
    out: set[int] = set()
    for part in text.split(","):
        first, _, last = part.lstrip("^").partition("-")
        if first.isdecimal() and (not last or last.isdecimal()):
            # A machine has a few: what names millions is a mistake, or an attack.
            found = range(int(first), min(int(last or first), int(first) + 4096) + 1)
            out = out.difference(found) if part.startswith("^") else out.union(found)
    yield from sorted(out)


def quantity(count: int) -> str:
    """Return *count* bytes as the largest binary quantity that is exact: ``4Gi``."""
    for shift, unit in ((30, "Gi"), (20, "Mi"), (10, "Ki")):
        if count and count % (1 << shift) == 0:
            return f"{count >> shift}{unit}"
    return str(count)


def _cells(domain: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return _list(_map(_map(domain.get("cpu")).get("numa")).get("cells"))


def _modules(domain: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Return NUMA node and bytes of each memory module: one that can grow counts in full."""
    found = (_map(each.get("target")) for each in _list(_map(domain.get("devices")).get("memoryDevices")))
    return [(int(each.get("node") or 0), in_bytes(each.get("size", 0))) for each in found]


def _video(domain: Mapping[str, Any]) -> int:
    models = (_map(each.get("model")) for each in _list(_map(domain.get("devices")).get("videos")))
    return sum(int(model.get(key) or 0) for model in models for key in _VIDEO) * _KIBIBYTE


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
