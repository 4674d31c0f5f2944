"""The one function through which every call to libvirt goes: errors become ours, hooks see it coming and going.

Tests put faults and kills before and after each call here, and count the calls that change something; nothing else
looks on, and with no hook the cost is one look at an empty tuple.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import libvirt

from executor.hypervisor.errors import Invalid, LibvirtError, Unsupported, translated

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Call:
    """One call that is about to be made, or was. Its arguments are not told: documents may hold passwords."""

    kind: str
    """What it is made on: ``domain``, ``volume``, ``connection`` ..."""
    method: str
    """The binding's method, such as ``createWithFlags``."""
    target: str
    """The name of the domain, volume ... that it is made on; the URI for a connection."""
    mutating: bool
    """Whether it changes anything, on disk, in a guest or in libvirt."""

    def __str__(self) -> str:
        return f"{self.kind}.{self.method}({self.target})"


class Hook(Protocol):
    """Looks on at every call, from the thread that makes it. What it raises, the caller gets."""

    def before(self, call: Call) -> None:
        """Be told that *call* is next."""

    def after(self, call: Call, error: LibvirtError | None) -> None:
        """Be told that *call* was made, and with which error it failed, if it did."""


HookT = TypeVar("HookT", bound=Hook)

_lock: Final = threading.Lock()
_hooks: tuple[Hook, ...] = ()


@contextlib.contextmanager
def hooked(hook: HookT) -> Iterator[HookT]:
    """Let *hook* look on at every call of this process, in all threads, until the block ends."""
    global _hooks  # noqa: PLW0603  (a call must reach them from every handle, however it came by it)
    with _lock:
        _hooks = (*_hooks, hook)
    try:
        yield hook
    finally:
        with _lock:
            _hooks = tuple(each for each in _hooks if each is not hook)


def invoke(raw: Any, method: str, *args: Any, kind: str, target: str, mutating: bool) -> Any:
    """Call *method* of one of the binding's objects and return what it returns.

    Raises one of `LibvirtError`'s kinds: also where an argument cannot be passed on at all (Invalid), and where the
    installed client library has no such call (Unsupported).
    """
    hooks = _hooks
    if not hooks:
        return _called(raw, method, args, kind, target)
    call = Call(kind, method, target, mutating)
    for hook in hooks:
        hook.before(call)
    try:
        result = _called(raw, method, args, kind, target)
    except LibvirtError as error:
        for hook in hooks:
            hook.after(call, error)
        raise
    for hook in hooks:
        hook.after(call, None)
    return result


def _called(raw: Any, method: str, args: tuple[Any, ...], kind: str, target: str) -> Any:
    function = getattr(raw, method, None)
    if function is None:
        raise Unsupported(
            f"{kind} {target}: the installed libvirt library has no {method}()",
            operation=method,
            hint="install a newer libvirt and libvirt-python",
        )
    # Not through `translating`, which costs a fifth of a quick call.
    try:
        return function(*args)
    except _RAISED as error:
        raise _ours(error, f"{kind} {target}", method) from None


@contextlib.contextmanager
def translating(subject: str, operation: str) -> Iterator[None]:
    """Turn what the binding raises in the block into ours; *subject* opens the message."""
    try:
        yield
    except _RAISED as error:
        raise _ours(error, subject, operation) from None


# The last two where the binding cannot hand an argument over: a NUL or half a character in it, more than 64 bits.
_RAISED: Final = (libvirt.libvirtError, ValueError, OverflowError)


def _ours(error: Exception, subject: str, operation: str) -> LibvirtError:
    if isinstance(error, libvirt.libvirtError):
        return translated(error, subject=subject, operation=operation)
    return Invalid(f"{subject}: {error}", operation=operation)


class Recorder:
    """A hook that keeps the calls that change something, in the order in which they are made.

    >>> with hooked(Recorder()) as recorder:
    ...     pass
    >>> recorder.changes
    []
    """

    def __init__(self) -> None:
        self.changes: list[Call] = []
        self.reads = 0
        self._lock = threading.Lock()

    def before(self, call: Call) -> None:
        """Keep it, whether or not it will succeed."""
        with self._lock:
            if call.mutating:
                self.changes.append(call)
            else:
                self.reads += 1

    def after(self, call: Call, error: LibvirtError | None) -> None:
        """Do nothing: it was kept before."""
