"""libvirt's hundred error codes as the few that a reconciler tells apart, in one table."""

from __future__ import annotations

import errno
import re
import threading
from typing import TYPE_CHECKING, Any, Final

import libvirt

from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Mapping

# What QEMU writes on stderr as it fails may be pages long.
LONGEST_MESSAGE: Final = 2000


class LibvirtError(KubevmmError):
    """libvirt refused a call, or could not do it.

    ``domain`` and ``code`` are libvirt's own (``VIR_FROM_*``, ``VIR_ERR_*``), 0 where the refusal is ours. The method
    of the binding that was called is ``operation``. ``transient`` says that the same call may succeed later although
    nothing else changes, so that it is worth another try.
    """

    transient = False

    def __init__(
        self,
        message: str,
        *,
        domain: int = 0,
        code: int = 0,
        operation: str = "",
        transient: bool | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.domain = domain
        self.code = code
        self.operation = operation
        if transient is not None:
            self.transient = transient


class NotFound(LibvirtError):  # noqa: N818  (named for what happened, as the reconcilers read it)
    """There is no such domain, volume, device, metadata element ..."""


class Conflict(LibvirtError):  # noqa: N818  (named for what happened, as the reconcilers read it)
    """It exists already, under this or another name, or somebody else is at work on it."""


class WrongState(Conflict):
    """It cannot be done in the state that it is in: to start what runs, to save what is stopped."""


class Unanswered(Conflict):
    """The guest was asked for something, and has not done it yet. It may still do it, and libvirt will know then."""


class Invalid(LibvirtError):  # noqa: N818  (named for what happened, as the reconcilers read it)
    """The document or an argument means nothing to libvirt, whatever the state."""


class Unsupported(LibvirtError):  # noqa: N818  (named for what happened, as the reconcilers read it)
    """The hypervisor, its version, or this guest's configuration cannot do it."""


class Unavailable(LibvirtError):  # noqa: N818  (named for what happened, as the reconcilers read it)
    """The connection is lost, or could not be opened."""

    transient = True


class Denied(LibvirtError):  # noqa: N818  (named for what happened, as the reconcilers read it)
    """We may not: no permission, no password, or a read-only connection."""


class OperationFailed(LibvirtError):  # noqa: N818  (named for what happened, as the reconcilers read it)
    """It was tried and failed; libvirt's words say why."""


class OutOfStep(OperationFailed):
    """The guest's QEMU has what libvirt knows nothing of: its daemon ended in the middle of attaching that.

    Nothing that libvirt offers takes it out again but the guest's next start.
    """


# By the name of libvirt's code, since an older client library does not know all of them.
_CLASSES: Final[Mapping[type[LibvirtError], str]] = {
    NotFound: """
        NO_DOMAIN NO_NETWORK NO_STORAGE_POOL NO_STORAGE_VOL NO_NODE_DEVICE NO_INTERFACE NO_NWFILTER NO_NWFILTER_BINDING
        NO_SECRET NO_DOMAIN_SNAPSHOT NO_DOMAIN_CHECKPOINT NO_DOMAIN_METADATA NO_DOMAIN_BACKUP NO_NETWORK_PORT NO_SERVER
        NO_CLIENT NO_NETWORK_METADATA DEVICE_MISSING NO_HOSTNAME
    """,
    Conflict: """
        DOM_EXIST NETWORK_EXIST NETWORK_PORT_EXIST STORAGE_VOL_EXIST STORAGE_POOL_BUILT MULTIPLE_DOMAINS
        MULTIPLE_INTERFACES RESOURCE_BUSY OPERATION_TIMEOUT BLOCK_COPY_ACTIVE
    """,
    WrongState: "OPERATION_INVALID SNAPSHOT_REVERT_RISKY MIGRATE_UNSAFE CHECKPOINT_INCONSISTENT",
    Invalid: """
        INVALID_ARG INVALID_MAC XML_ERROR XML_DETAIL XML_INVALID_SCHEMA OS_TYPE NO_KERNEL NO_ROOT NO_SOURCE NO_TARGET
        NO_NAME NO_OS NO_DEVICE CONF_SYNTAX PARSE_FAILED SEXPR_SERIAL OVERFLOW UNKNOWN_HOST STORAGE_PROBE_FAILED
        DRIVER_FULL
    """,
    Unsupported: """
        NO_SUPPORT CONFIG_UNSUPPORTED ARGUMENT_UNSUPPORTED OPERATION_UNSUPPORTED CPU_INCOMPATIBLE NO_SECURITY_MODEL
        NO_XEN NO_XENSTORE
    """,
    Unavailable: "INVALID_CONN NO_CONNECT RPC SSH LIBSSH GNUTLS_ERROR",
    Denied: "ACCESS_DENIED AUTH_FAILED AUTH_CANCELLED AUTH_UNAVAILABLE OPERATION_DENIED",
    OperationFailed: """
        INTERNAL_ERROR NO_MEMORY OPERATION_FAILED GET_FAILED POST_FAILED HTTP_ERROR XEN_CALL CALL_FAILED OPEN_FAILED
        READ_FAILED WRITE_FAILED SYSTEM_ERROR BUILD_FIREWALL HOOK_SCRIPT_FAILED OPERATION_ABORTED AGENT_UNRESPONSIVE
        AGENT_UNSYNCED AGENT_COMMAND_TIMEOUT AGENT_COMMAND_FAILED DBUS_SERVICE MIGRATE_PERSIST_FAILED MIGRATE_FINISH_OK
        INVALID_DOMAIN INVALID_NETWORK INVALID_STORAGE_POOL INVALID_STORAGE_VOL INVALID_NODE_DEVICE INVALID_INTERFACE
        INVALID_NWFILTER INVALID_NWFILTER_BINDING INVALID_SECRET INVALID_DOMAIN_SNAPSHOT INVALID_DOMAIN_CHECKPOINT
        INVALID_STREAM INVALID_NETWORK_PORT
    """,
}

CLASSES: Final[Mapping[int, type[LibvirtError]]] = {
    number: kind
    for kind, names in _CLASSES.items()
    for name in names.split()
    if (number := getattr(libvirt, f"VIR_ERR_{name}", None)) is not None
}
"""The class of error by libvirt's code; whatever is not here is OperationFailed."""

# Codes that pass by themselves although their class does not.
_TRANSIENT: Final = {
    getattr(libvirt, f"VIR_ERR_{name}", None)
    for name in (
        "NO_MEMORY",
        "OPERATION_TIMEOUT",
        "RESOURCE_BUSY",
        "OPERATION_ABORTED",
        "AGENT_UNRESPONSIVE",
        "AGENT_UNSYNCED",
        "AGENT_COMMAND_TIMEOUT",
        "DBUS_SERVICE",
    )
}

# Where libvirt tells of the connection itself; there, codes that elsewhere say nothing mean that it is lost.
_TRANSPORT: Final = {libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE, libvirt.VIR_FROM_SSH, libvirt.VIR_FROM_LIBSSH}
_LOST: Final = {libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_ERR_INTERNAL_ERROR}

# Where one code stands for much, only libvirt's words tell what is meant: the codes, the words, what it then is.
_BY_WORDS: Final = (
    (
        {libvirt.VIR_ERR_OPERATION_FAILED, libvirt.VIR_ERR_INTERNAL_ERROR},
        re.compile(r"\bis already (?:running|active)\b"),
        WrongState,
    ),
    (
        {libvirt.VIR_ERR_OPERATION_FAILED, libvirt.VIR_ERR_INTERNAL_ERROR},
        re.compile(
            r"\balready (?:exists|defined|in use|active)\b|\bis already\b|^operation failed: Active console session"
        ),
        Conflict,
    ),
    ({libvirt.VIR_ERR_OPERATION_TIMEOUT}, re.compile(r"\bunplug request timed out\b"), Unanswered),
    ({libvirt.VIR_ERR_CONFIG_UNSUPPORTED}, re.compile(r"\bnon unique alias\b"), Conflict),
    (
        {libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_ERR_OPERATION_FAILED},
        re.compile(r"\bQEMU command '\S+': (?:Duplicate (?:nodes|device ID)|attempt to add duplicate property)"),
        OutOfStep,
    ),
    ({libvirt.VIR_ERR_INVALID_ARG}, re.compile(r"^unsupported flags \("), Unsupported),
)

# Its parser shows the line that it stumbles over, and a line of a guest's document may hold a password.
_SHOWS_DOCUMENT: Final = {libvirt.VIR_ERR_XML_ERROR, libvirt.VIR_ERR_XML_DETAIL, libvirt.VIR_ERR_CONF_SYNTAX}

_HINTS: Final[Mapping[type[LibvirtError], str]] = {
    OutOfStep: "libvirt ended while it changed this: restart the guest",
    Unavailable: "is libvirt running there? `systemctl status libvirtd` (or virtqemud) tells",
    Denied: "run it as root or as a member of the group libvirt, and not through a read-only connection",
    Unsupported: "`virsh domcapabilities` lists what this hypervisor can do",
}

_CODE_HINTS: Final[Mapping[str, str]] = {
    "AGENT_UNRESPONSIVE": "is the guest up, and qemu-guest-agent running in it?",
    "OPERATION_TIMEOUT": "the guest's system did not do its part in time: is it up, and can it do that?",
    "RESOURCE_BUSY": "somebody else is using it; try again",
    "SNAPSHOT_REVERT_RISKY": "forcing it may lose what changed since",
}


_DISKS: Final = "with memory, all of the guest's disks must be qcow2, and one at least; `--disk-only` is for others"

# Where a code's hint would be wrong: words, and the hint that is right.
_WORD_HINTS: Final = (
    (re.compile(r"\bcannot acquire state change lock\b"), "somebody else is changing the same guest; try again"),
    (re.compile(r"\binternal and full system snapshots require\b"), _DISKS),
    (re.compile(r"\binternal snapshots? .*unsupported for storage type\b"), _DISKS),
    (
        re.compile(r"\bno domain snapshot with matching name\b"),
        "`virtctl snapshot list NAME` shows those that there are",
    ),
    (re.compile(r"\bCannot access storage file\b"), "is that its path on the host, and may the hypervisor read it?"),
)


class _Heard(threading.local):
    """The last error that libvirt told in a thread, as the binding's ``err`` has it."""

    error: tuple[Any, ...] | None = None


_heard: Final = _Heard()


def heard(_context: object, error: Any) -> None:
    """Keep what libvirt tells of an error, in the thread and within the call that fails (a libvirt error handler)."""
    _heard.error = tuple(error)


def translated(error: Any, *, subject: str, operation: str) -> LibvirtError:
    """Return what the binding raised (``libvirt.libvirtError``) as one of ours.

    ``subject`` opens the message: what the call was for, such as ``domain web-1``.
    """
    last, _heard.error = _heard.error, None
    if error.get_error_code() is None:
        # The binding asks for the error after the call, when a domain that Python happened to free has reset it.
        error.err = last
    code = error.get_error_code() or 0
    domain = error.get_error_domain() or 0
    words = error.get_error_message() or str(error)
    kind = CLASSES.get(code, OperationFailed)
    if domain in _TRANSPORT and code in _LOST:
        # Behind a failed connect stands the system's error number.
        kind = Denied if code == libvirt.VIR_ERR_SYSTEM_ERROR and error.get_int1() == errno.EACCES else Unavailable
    else:
        told = (found for codes, pattern, found in _BY_WORDS if code in codes and pattern.search(words))
        kind = next(told, kind)
    if code in _SHOWS_DOCUMENT:
        words = words.partition("\n")[0]
    words = " ".join(words.split())
    if len(words) > LONGEST_MESSAGE:
        words = words[:LONGEST_MESSAGE] + " ..."
    return kind(
        f"{subject}: {words}",
        domain=domain,
        code=code,
        operation=operation,
        transient=True if code in _TRANSIENT else None,
        hint=_hint(kind, code, words),
    )


def _hint(kind: type[LibvirtError], code: int, words: str) -> str | None:
    for pattern, hint in _WORD_HINTS:
        if pattern.search(words):
            return hint
    for name, hint in _CODE_HINTS.items():
        if getattr(libvirt, f"VIR_ERR_{name}") == code:
            return hint
    return _HINTS.get(kind)
