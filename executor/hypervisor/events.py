"""libvirt's events, taken off its event loop at once and delivered one after the other by a thread of their own.

Events say where to look, never what is: whoever gets one reads the state anew. So it is no harm that a flood, or a lost
connection, is told as one RESYNC: list everything again.
"""

from __future__ import annotations

import enum
import logging
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import libvirt

from executor.hypervisor.connection import LONGEST_PAUSE
from executor.hypervisor.errors import LibvirtError
from executor.hypervisor.words import word, words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from executor.hypervisor.connection import Connection

logger = logging.getLogger(__name__)


class Topic(enum.StrEnum):
    """What an event is about; `Event.what` and `Event.detail` say more, by topic."""

    LIFECYCLE = "lifecycle"
    """A domain: started, stopped, defined ...; detail: why (booted, crashed ...)."""
    REBOOT = "reboot"
    DEVICE_ADDED = "deviceAdded"
    """what: the device's alias, as for the next two."""
    DEVICE_REMOVED = "deviceRemoved"
    DEVICE_REMOVAL_FAILED = "deviceRemovalFailed"
    AGENT = "agent"
    """The guest agent: connected or disconnected."""
    METADATA = "metadata"
    """what: the namespace of the metadata that changed."""
    BALLOON = "balloon"
    """what: the memory in KiB."""
    MEMORY_DEVICE = "memoryDevice"
    """what: its alias; detail: its size in KiB."""
    BLOCK_JOB = "blockJob"
    """what: the disk's target; detail: completed, failed, canceled or ready."""
    IO_ERROR = "ioError"
    """what: the disk's alias; detail: none, pause or report."""
    TRAY = "tray"
    """what: the drive's alias; detail: open or close."""
    WATCHDOG = "watchdog"
    """what: the action that was taken."""
    JOB_COMPLETED = "jobCompleted"
    NETWORK = "network"
    """A network: defined, started ..., as the next."""
    POOL = "pool"
    POOL_REFRESHED = "poolRefreshed"
    LOST = "lost"
    """The connection; it is opened again, and RESYNC follows."""
    RESYNC = "resync"
    """What was known may be old: list everything again."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event. ``uuid`` and ``name`` are the domain's, network's or pool's; empty for the connection's own."""

    topic: Topic
    uuid: str = ""
    name: str = ""
    what: str = ""
    detail: str = ""


_LIFECYCLE: Final = {
    number: (name, words(f"VIR_DOMAIN_EVENT_{name.upper()}_"))
    for number, name in words(
        "VIR_DOMAIN_EVENT_",
        without=(
            "ID_",
            # The details of each of these, and other events' words.
            *(f"{name}_" for name in ("DEFINED", "UNDEFINED", "STARTED", "SUSPENDED", "RESUMED", "STOPPED")),
            *(f"{name}_" for name in ("SHUTDOWN", "CRASHED")),
            *["PMSUSPENDED_", "DISK_", "GRAPHICS_", "IO_", "MEMORY_", "TRAY_", "WATCHDOG_"],
        ),
    ).items()
}
_AGENT: Final = words("VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_")
_BLOCK_JOB: Final = words("VIR_DOMAIN_BLOCK_JOB_", without=("ABORT_", "INFO_", "SPEED_", "TYPE_"))
_IO_ERROR: Final = words("VIR_DOMAIN_EVENT_IO_ERROR_")
_TRAY: Final = words("VIR_DOMAIN_EVENT_TRAY_CHANGE_")
_WATCHDOG: Final = words("VIR_DOMAIN_EVENT_WATCHDOG_")
_NETWORK: Final = words("VIR_NETWORK_EVENT_", without=("ID_",))
_POOL: Final = words("VIR_STORAGE_POOL_EVENT_", without=("ID_",))


def _lifecycle(event: int, detail: int) -> tuple[str, str]:
    name, details = _LIFECYCLE.get(event, (f"unknown-{event}", {}))
    return name, word(details, detail)


def _nothing(*_: Any) -> tuple[str, str]:
    return "", ""


_DOMAIN: Final[Mapping[str, tuple[Topic, Callable[..., tuple[str, str]]]]] = {
    "LIFECYCLE": (Topic.LIFECYCLE, _lifecycle),
    "REBOOT": (Topic.REBOOT, _nothing),
    "DEVICE_ADDED": (Topic.DEVICE_ADDED, lambda alias: (alias, "")),
    "DEVICE_REMOVED": (Topic.DEVICE_REMOVED, lambda alias: (alias, "")),
    "DEVICE_REMOVAL_FAILED": (Topic.DEVICE_REMOVAL_FAILED, lambda alias: (alias, "")),
    "AGENT_LIFECYCLE": (Topic.AGENT, lambda state, _reason: (word(_AGENT, state), "")),
    "METADATA_CHANGE": (Topic.METADATA, lambda _kind, namespace: (namespace or "", "")),
    "BALLOON_CHANGE": (Topic.BALLOON, lambda kib: (str(kib), "")),
    "MEMORY_DEVICE_SIZE_CHANGE": (Topic.MEMORY_DEVICE, lambda alias, kib: (alias, str(kib))),
    "BLOCK_JOB_2": (Topic.BLOCK_JOB, lambda disk, _kind, status: (disk, word(_BLOCK_JOB, status))),
    "IO_ERROR": (Topic.IO_ERROR, lambda _path, alias, action: (alias, word(_IO_ERROR, action))),
    "TRAY_CHANGE": (Topic.TRAY, lambda alias, state: (alias, word(_TRAY, state))),
    "WATCHDOG": (Topic.WATCHDOG, lambda action: (word(_WATCHDOG, action), "")),
    "JOB_COMPLETED": (Topic.JOB_COMPLETED, _nothing),
}
"""By libvirt's name of the event: our topic, and what its arguments say."""

_OTHERS: Final = (
    ("network", "VIR_NETWORK_EVENT_ID_LIFECYCLE", Topic.NETWORK, lambda event, _detail: (word(_NETWORK, event), "")),
    ("storagePool", "VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE", Topic.POOL, lambda event, _: (word(_POOL, event), "")),
    ("storagePool", "VIR_STORAGE_POOL_EVENT_ID_REFRESH", Topic.POOL_REFRESHED, _nothing),
)

# More than this in the queue, and to list everything is quicker than to look at each.
LIMIT: Final = 10_000


class Source:
    """One connection's events, for any number of `Events`: libvirt takes only one registration for each kind."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._changing = threading.Lock()
        self._listeners: tuple[Events, ...] = ()
        self._registered: list[tuple[str, int]] = []

    def add(self, listener: Events) -> None:
        """Deliver to *listener* too, RESYNC first."""
        with self._changing:
            self._listeners = (*self._listeners, listener)
            if len(self._listeners) == 1:
                self.connection.watch(self)
            else:
                listener.put(Event(Topic.RESYNC))

    def remove(self, listener: Events) -> None:
        """Deliver to *listener* no more."""
        with self._changing:
            self._listeners = tuple(each for each in self._listeners if each is not listener)
            if not self._listeners:
                self.connection.unwatch(self)

    def opened(self, raw: Any) -> None:
        """Ask for all events that the driver has."""
        self._registered = []
        for name, (topic, decode) in _DOMAIN.items():
            if (number := getattr(libvirt, f"VIR_DOMAIN_EVENT_ID_{name}", None)) is not None:
                self._register(raw, "domain", number, topic, decode)
        for kind, constant, topic, decode in _OTHERS:
            self._register(raw, kind, getattr(libvirt, constant), topic, decode)
        self._tell(Event(Topic.RESYNC))

    def lost(self) -> None:
        """Pass it on; the listeners then see to a new connection."""
        self._tell(Event(Topic.LOST))

    def closing(self, raw: Any) -> None:
        """Ask for no more events."""
        registered, self._registered = self._registered, []
        for kind, number in registered:
            try:
                getattr(raw, f"{kind}EventDeregisterAny")(number)
            except libvirt.libvirtError:
                return  # it is gone, and its registrations with it

    def _register(self, raw: Any, kind: str, number: int, topic: Topic, decode: Callable[..., tuple[str, str]]) -> None:
        def arrived(_connection: Any, subject: Any, *args: Any) -> None:
            # The last argument is the opaque one.
            what, detail = decode(*args[:-1])
            self._tell(Event(topic, subject.UUIDString(), subject.name(), what, detail))

        try:
            registered = getattr(raw, f"{kind}EventRegisterAny")(None, number, arrived, None)
        except libvirt.libvirtError as error:
            # That a driver lacks some is its way; anything else is worth a line.
            if error.get_error_code() != libvirt.VIR_ERR_NO_SUPPORT:
                logger.warning("no %s events from %s: %s", topic, self.connection.uri, error)
            return
        self._registered.append((kind, registered))

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener.put(event)


class Events:
    """A context manager that delivers a source's events, also after its connection was lost and opened again.

    ``callback`` is called with each event, one at a time, in a thread that is its own: it may make calls, and may take
    its time. An exception of its own is logged. The first event is RESYNC, as is the first after each loss. When more
    than ``limit`` wait, they become one RESYNC.
    """

    def __init__(self, source: Source, callback: Callable[[Event], object], *, limit: int = LIMIT) -> None:
        self._source = source
        self._callback = callback
        self._queue: queue.Queue[Event | None] = queue.Queue(limit)
        self._overflowed = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._deliver, name="libvirt-delivery", daemon=True)

    def __enter__(self) -> Self:
        self._source.add(self)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Deliver nothing more; return when the callback has. Does no harm twice."""
        self._stop.set()
        self._source.remove(self)
        self.put(None)
        if self._thread is not threading.current_thread():
            self._thread.join()

    def put(self, event: Event | None) -> None:
        """Have *event* delivered, without waiting for anybody."""
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self._overflowed.set()

    def _deliver(self) -> None:
        while not self._stop.is_set():
            event = self._queue.get()
            if event is None or self._stop.is_set():
                break
            if self._overflowed.is_set():
                self._overflowed.clear()
                self._drain()
                # A loss may have been among what was thrown away.
                self._reopen()
                event = Event(Topic.RESYNC)
            self._call(event)
            if event.topic is Topic.LOST:
                self._reopen()

    def _drain(self) -> None:
        while True:
            try:
                self._queue.get_nowait()
            except queue.Empty:
                return

    def _reopen(self) -> None:
        while not self._stop.is_set():
            try:
                self._source.connection.wait_until_open(stop=self._stop)
            except LibvirtError as error:
                if not self._stop.is_set():
                    # A service that starts may refuse us for a while; it must not be for ever.
                    logger.warning("no events: %s", error)
                    self._stop.wait(LONGEST_PAUSE)
            else:
                return

    def _call(self, event: Event) -> None:
        try:
            self._callback(event)
        except Exception:
            logger.exception("the receiver of %s failed", event)
