"""libvirt's errors arrive as ours: of the right kind, in one line, with what to do, and without passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libvirt
import pytest

from executor.hypervisor.connection import Connection
from executor.hypervisor.errors import (
    CLASSES,
    Conflict,
    Denied,
    Invalid,
    LibvirtError,
    NotFound,
    OperationFailed,
    Unanswered,
    Unavailable,
    Unsupported,
    WrongState,
    translated,
)
from executor.hypervisor.hypervisor import Hypervisor
from tests.hypervisor.guests import pretended

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.libvirt


class Raised:
    """What the binding raises, made by hand."""

    def __init__(self, code: int, domain: int = 0, words: str = "words", number: int = -1) -> None:
        self._values = code, domain, words, number

    def get_error_code(self) -> int:
        return self._values[0]

    def get_error_domain(self) -> int:
        return self._values[1]

    def get_error_message(self) -> str:
        return self._values[2]

    def get_int1(self) -> int:
        return self._values[3]


TIMEOUTS = {
    "Timed out during operation: cannot acquire state change lock (held by monitor=x)": "somebody else",
    "Timed out during operation: vcpu unplug request timed out. Unplug result must be manually inspected": "did not do",
}


@pytest.mark.parametrize(("words", "said"), TIMEOUTS.items())
def test_a_guest_that_is_slow_is_told_apart_from_somebody_else_at_work(words: str, said: str) -> None:
    error = translated(Raised(libvirt.VIR_ERR_OPERATION_TIMEOUT, words=words), subject="domain web-1", operation="x")
    assert error.transient
    assert said in str(error.hint)
    assert isinstance(error, Unanswered) is ("unplug" in words)


def test_every_code_of_the_installed_library_has_a_class() -> None:
    # These are levels of a message, no codes.
    levels = {"VIR_ERR_NONE", "VIR_ERR_WARNING", "VIR_ERR_ERROR", "VIR_ERR_OK"}
    names = {name for name in vars(libvirt) if name.startswith("VIR_ERR_")} - levels
    # libvirt counts its warnings among the codes that stand for objects of a wrong kind.
    missing = {name for name in names if getattr(libvirt, name) not in CLASSES}
    assert missing == set()


@pytest.mark.parametrize(
    ("code", "domain", "words", "number", "expected", "transient"),
    [
        ("SYSTEM_ERROR", "RPC", "Failed to connect socket", 2, Unavailable, True),
        ("SYSTEM_ERROR", "RPC", "Failed to connect socket", 13, Denied, False),
        ("SYSTEM_ERROR", "STORAGE", "cannot open volume", 13, OperationFailed, False),
        ("INTERNAL_ERROR", "RPC", "client socket is closed", -1, Unavailable, True),
        ("INTERNAL_ERROR", "QEMU", "process exited while connecting to monitor", -1, OperationFailed, False),
        ("OPERATION_FAILED", "DOMAIN", "domain 'a' already exists with uuid ...", -1, Conflict, False),
        ("OPERATION_FAILED", "QEMU", "unable to do it", -1, OperationFailed, False),
        ("OPERATION_TIMEOUT", "QEMU", "cannot acquire state change lock", -1, Conflict, True),
        ("RESOURCE_BUSY", "QEMU", "it is busy", -1, Conflict, True),
        ("OPERATION_INVALID", "QEMU", "domain is not running", -1, WrongState, False),
        ("AGENT_UNRESPONSIVE", "QEMU", "agent is not connected", -1, OperationFailed, True),
        ("CONFIG_UNSUPPORTED", "QEMU", "no such machine", -1, Unsupported, False),
        ("INVALID_ARG", "QEMU", "unsupported flags (0x1) in function f", -1, Unsupported, False),
        ("INVALID_ARG", "QEMU", "invalid path", -1, Invalid, False),
        ("NO_DOMAIN", "QEMU", "no domain with matching name", -1, NotFound, False),
    ],
)
def test_a_code_becomes_a_class_by_where_it_comes_from(
    code: str, domain: str, words: str, number: int, expected: type[LibvirtError], transient: bool
) -> None:
    raised = Raised(getattr(libvirt, f"VIR_ERR_{code}"), getattr(libvirt, f"VIR_FROM_{domain}"), words, number)
    error = translated(raised, subject="domain web-1", operation="create")
    assert type(error) is expected
    assert error.transient is transient
    assert str(error) == f"domain web-1: {words}"
    assert (error.code, error.operation) == (getattr(libvirt, f"VIR_ERR_{code}"), "create")


def test_a_code_that_a_newer_library_invented_is_a_failed_operation() -> None:
    assert type(translated(Raised(9999), subject="x", operation="y")) is OperationFailed


def test_a_message_of_many_lines_is_one_line() -> None:
    error = translated(
        Raised(1, 10, "internal error: it ended:\n  qemu: this\n  qemu: that\n"), subject="d", operation=""
    )
    assert str(error) == "d: internal error: it ended: qemu: this qemu: that"


def test_endless_messages_are_cut() -> None:
    assert len(str(translated(Raised(1, 10, "x" * 100_000), subject="d", operation=""))) < 2100


def test_a_refused_document_is_not_quoted(pretence: Hypervisor) -> None:
    with pytest.raises(Invalid) as caught:
        pretence.domains.define("<domain type='test'><graphics passwd='hunter2'</domain>")
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


REFUSED: list[tuple[str, Callable[[Hypervisor], object], type[LibvirtError]]] = [
    ("no such name", lambda h: h.domains.by_name("nobody"), NotFound),
    ("no such UUID", lambda h: h.domains.by_uuid("99999999-9999-4999-8999-999999999999"), NotFound),
    ("no UUID at all", lambda h: h.domains.by_uuid("nonsense"), Invalid),
    ("a name with a NUL", lambda h: h.domains.by_name("a\0b"), Invalid),
    ("a name that is half a character", lambda h: h.domains.by_name("\ud800"), Invalid),
    ("a document of nothing", lambda h: h.domains.define("<domain type='test'/>"), Invalid),
    ("another's name", lambda h: h.domains.define(pretended("runs")), Conflict),
    ("a start of what runs", lambda h: h.domains.by_name("runs").start(), WrongState),
    ("a flag that the driver lacks", lambda h: h.domains.by_name("runs").start(paused=True), Unsupported),
    ("a call that the driver lacks", lambda h: h.domains.by_name("runs").block_resize("vda", 1), Unsupported),
    ("a call that the library lacks", lambda h: h.domains.by_name("runs").read("noSuchCall"), Unsupported),
    ("a number beyond 64 bits", lambda h: h.domains.by_name("runs").block_resize("vda", 1 << 70), Invalid),
    ("no such pool", lambda h: h.pools.by_name("nobody"), NotFound),
    ("no such network", lambda h: h.networks.by_name("nobody"), NotFound),
    ("a start of a network that runs", lambda h: h.networks.by_name("inner").start(), WrongState),
]


@pytest.mark.parametrize(("call", "expected"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_libvirt_refuses_raises_its_class(
    pretence: Hypervisor, call: Callable[[Hypervisor], object], expected: type[LibvirtError]
) -> None:
    with pytest.raises(expected) as caught:
        call(pretence)
    assert "\n" not in str(caught.value)


def test_a_connection_that_may_only_read_says_so(node: str) -> None:
    with Hypervisor(node, readonly=True) as hypervisor, pytest.raises(Denied) as caught:
        hypervisor.domains.define(pretended("new"))
    assert caught.value.hint is not None


def test_a_host_that_is_not_there_is_unavailable_and_worth_another_try(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        Connection(f"qemu+unix:///system?socket={tmp_path}/none").open()
    assert caught.value.transient
    assert caught.value.hint is not None


@pytest.mark.parametrize("uri", ["nonsense:///", "test:///no/such/file.xml", "://"])
def test_a_uri_that_means_nothing_is_one_line(uri: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        Connection(uri).open()
    assert "\n" not in str(caught.value)


def test_an_error_that_was_reset_before_the_binding_asked_for_it_is_known_all_the_same(
    pretence: Hypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As where Python frees a domain, which resets the thread's last error, between the call and that question.
    monkeypatch.setattr(libvirt.libvirtmod, "virGetLastError", lambda: None)
    with pytest.raises(NotFound, match="Domain not found"):
        pretence.domains.by_name("nosuch")
    # What is told of one call is not told of the next one.
    assert translated(libvirt.libvirtError("failed"), subject="it", operation="x").code == 0
