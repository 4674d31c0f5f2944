"""libvirt as the store: which guests carry our mark, and the one that an object is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from executor.engine.objects import Ref, kind_of
from executor.hypervisor.errors import NotFound
from executor.plan import mark as marks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from executor.hypervisor.domain import Domain
    from executor.hypervisor.domains import Summary
    from executor.hypervisor.hypervisor import Hypervisor
    from executor.plan.mark import Mark


@dataclass(frozen=True)
class Guest:
    """A domain of the node; ``mark`` is None where it is not ours, ``ref`` then names it by its libvirt name."""

    domain: Domain
    mark: Mark | None

    @property
    def ref(self) -> Ref:
        """What the object is called."""
        if self.mark is None:
            return Ref("VirtualMachine", "", self.domain.name)
        return Ref("VirtualMachine", self.mark.namespace, self.mark.name)

    @property
    def object(self) -> dict[str, Any]:
        """The object as it was applied last, empty where it is not ours."""
        return self.mark.applied if self.mark is not None else {}


def mark_of(domain: Domain, *, brief: bool = False) -> Mark | None:
    """Return the mark that *domain* carries, as it runs or else in its definition; see `mark.read` for *brief*."""
    text = domain.metadata(marks.URI)
    return marks.read_element(text, brief=brief) if text is not None else None


def guests(hypervisor: Hypervisor, *, statistics: bool = False, brief: bool = False) -> Iterator[tuple[Guest, Summary]]:
    """Yield all domains with what lists say of them, ours or not; what goes away meanwhile is left out."""
    for summary in hypervisor.domains.summaries(statistics=statistics):
        try:
            yield Guest(summary.domain, mark_of(summary.domain, brief=brief)), summary
        except NotFound:
            continue


class Index:
    """Which domain is which object: all marks, read once, where the likely names did not help.

    Good for one pass: what a pass makes itself is found by its name.
    """

    def __init__(self, hypervisor: Hypervisor) -> None:
        self._hypervisor = hypervisor
        self._known: dict[Ref, Domain] | None = None

    def lookup(self, ref: Ref) -> Guest | None:
        """Return the guest that is the object *ref*; None if no domain carries its mark."""
        for name in dict.fromkeys((f"{ref.namespace}_{ref.name}", ref.name)):
            domain = by_name(self._hypervisor, name)
            if domain is not None:
                guest = Guest(domain, mark_of(domain))
                if guest.ref == ref:
                    return guest
        if self._known is None:
            self._known = {guest.ref: guest.domain for guest, _ in guests(self._hypervisor) if guest.mark is not None}
        domain = self._known.get(ref)
        if domain is None:
            return None
        try:
            guest = Guest(domain, mark_of(domain))
        except NotFound:
            return None
        return guest if guest.ref == ref else None


def lookup(hypervisor: Hypervisor, ref: Ref) -> Guest | None:
    """Return the guest that is the object *ref*; None if no domain carries its mark."""
    return Index(hypervisor).lookup(ref)


def find(hypervisor: Hypervisor, ref: Ref) -> Guest:
    """Return the guest that is the object *ref*. Raises NotFound where there is none, or it is not ours."""
    found = lookup(hypervisor, ref)
    if found is not None:
        return found
    if by_name(hypervisor, ref.name) is not None:
        raise NotFound(
            f"{ref}: the domain {ref.name} is here, but not managed in the namespace {ref.namespace}",
            hint=f"`virtctl adopt {ref.name}` takes it over as it is; `virtctl get vm -A` shows what is managed where",
        )
    kind = kind_of(ref.kind)
    word = kind.short if kind is not None else ref.kind
    raise NotFound(
        f"{ref}: not found in the namespace {ref.namespace}", hint=f"`virtctl get {word} -A` lists what is there"
    )


def by_name(hypervisor: Hypervisor, name: str) -> Domain | None:
    """Return the domain called *name*, None if there is none."""
    try:
        return hypervisor.domains.by_name(name)
    except NotFound:
        return None


def by_uuid(hypervisor: Hypervisor, uuid: str) -> Domain | None:
    """Return the domain with that UUID, None if there is none."""
    try:
        return hypervisor.domains.by_uuid(uuid)
    except NotFound:
        return None
