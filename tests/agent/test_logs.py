"""Log lines as journald and people take them: one a record, whatever was said."""

from __future__ import annotations

import logging

import pytest

from executor.agent.logs import Lines


def record(message: str, level: int = logging.INFO, **extra: str) -> logging.LogRecord:
    made = logging.LogRecord("executor", level, __file__, 1, "%s", (message,), None)
    made.__dict__.update(extra)
    made.created, made.msecs = 1_700_000_000.25, 250.0
    return made


@pytest.mark.parametrize(
    ("level", "start"),
    [
        (logging.DEBUG, "<7>level=debug "),
        (logging.INFO, "<6>level=info "),
        (logging.WARNING, "<4>level=warning "),
        (logging.ERROR, "<3>level=error "),
        (logging.CRITICAL, "<3>level=error "),
    ],
)
def test_the_journal_gets_its_priority_in_front(level: int, start: str) -> None:
    assert Lines(journal=True).format(record("x", level)).startswith(start)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("started", "msg=started"),
        ("a guest", 'msg="a guest"'),
        ("", 'msg=""'),
        ('says "no"', r'msg="says \"no\""'),
        ("two\nlines", r'msg="two\nlines"'),
        ("\x1b[31mred", r'msg="\x1b[31mred"'),
        ("a=b", 'msg="a=b"'),
    ],
)
def test_whatever_is_said_is_one_line_that_can_be_taken_apart(message: str, shown: str) -> None:
    line = Lines(journal=True).format(record(message))
    assert line == f"<6>level=info {shown}"


def test_a_terminal_gets_the_time_and_the_object() -> None:
    line = Lines(journal=False).format(record("created", object="virtualmachine/default/web-1", reason="Created"))
    assert line == (
        "time=2023-11-14T22:13:20.250Z level=info msg=created object=virtualmachine/default/web-1 reason=Created"
    )


def test_a_traceback_stays_on_its_line() -> None:
    try:
        raise ValueError("two\nlines")  # noqa: TRY301  (a traceback is what it is for)
    except ValueError as error:
        found = record("internal error", logging.ERROR)
        found.exc_info = (ValueError, error, error.__traceback__)
    line = Lines(journal=True).format(found)
    assert "\n" not in line
    assert "ValueError: two" in line
