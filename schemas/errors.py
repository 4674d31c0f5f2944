"""The project's errors: one base, one class per way of failing, each one line that a person can act on."""

from __future__ import annotations


class KubevmmError(Exception):
    """Something went wrong that the user can act on.

    ``str(error)`` is one line. ``hint`` says what to do, and is printed on a line of its own.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(KubevmmError):
    """A document cannot be read or written as it stands.

    ``file``, ``line`` and ``column`` (both from 1) and ``path`` (the key path inside the document, such as
    ``spec.domain.devices.disks[0].target``) are set as far as they are known.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
        path: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.file = file
        self.line = line
        self.column = column
        self.path = path

    def __str__(self) -> str:
        where = self.file or ""
        if self.line is not None:
            where += f":{self.line}" if where else f"line {self.line}"
            if self.column is not None:
                where += f":{self.column}"
        return ": ".join(part for part in (where, self.path, self.message) if part)
