"""What the API server refuses, as the few ways of failing that a reconciler tells apart, in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from schemas.errors import KubevmmError

if TYPE_CHECKING:
    from collections.abc import Sequence


class ApiError(KubevmmError):
    """The API server refused a request, or could not be asked.

    ``code`` is the HTTP status (0 where there was none), ``reason`` the server's word for it
    (``metav1.Status.reason``), ``retry_after`` how many seconds it asks to be left alone, None where it does not.
    ``transient`` says that the same request may succeed later although nothing else changes, so that it is worth
    another try.
    """

    transient = False

    def __init__(
        self,
        message: str,
        *,
        code: int = 0,
        reason: str = "",
        retry_after: float | None = None,
        causes: Sequence[str] = (),
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.reason = reason
        self.retry_after = retry_after
        self.causes = tuple(causes)


class BadRequest(ApiError):  # noqa: N818  (these are named by the API's own reasons, as reconcilers read them)
    """The server does not understand the request."""


class Unauthorized(ApiError):  # noqa: N818
    """The credentials are missing, wrong, or no longer good."""

    transient = True


class Forbidden(ApiError):  # noqa: N818
    """RBAC, admission or a quota does not allow it."""

    transient = True


class NotFound(ApiError):  # noqa: N818
    """There is no such object, or no such kind of objects yet."""


class AlreadyExists(ApiError):  # noqa: N818
    """An object of this name was there first."""


class Conflict(ApiError):  # noqa: N818
    """The object changed since it was read, or a field belongs to another manager."""

    transient = True


class Gone(ApiError):  # noqa: N818
    """The resource version is too old (410): list anew."""

    transient = True


class Invalid(ApiError):  # noqa: N818
    """The object breaks its schema, a CEL rule, or a rule of its kind; ``causes`` names the fields."""


class TooManyRequests(ApiError):  # noqa: N818
    """The server sheds load (429), or a PodDisruptionBudget does not allow an eviction now."""

    transient = True


class ServerFailure(ApiError):  # noqa: N818
    """Something went wrong inside the server (5xx)."""

    transient = True


class Unreachable(ApiError):  # noqa: N818
    """There was no answer: the connection failed, was cut, or timed out."""

    transient = True


class Silent(Unreachable):
    """Nothing came for so long that the connection is as good as dead."""


# By the server's word first, since 409 has two; then by status.
BY_REASON: Final[dict[str, type[ApiError]]] = {
    "AlreadyExists": AlreadyExists,
    "BadRequest": BadRequest,
    "Conflict": Conflict,
    "Expired": Gone,
    "Forbidden": Forbidden,
    "Gone": Gone,
    "InternalError": ServerFailure,
    "Invalid": Invalid,
    "NotFound": NotFound,
    "ServerTimeout": ServerFailure,
    "ServiceUnavailable": ServerFailure,
    "Timeout": ServerFailure,
    "TooManyRequests": TooManyRequests,
    "Unauthorized": Unauthorized,
}
BY_CODE: Final[dict[int, type[ApiError]]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}
FIRST_SERVER_FAILURE: Final = 500
# A proxy's error page is not worth more.
LONGEST_MESSAGE: Final = 2000


class _Cause(msgspec.Struct):
    field: str = ""
    message: str = ""


class _Details(msgspec.Struct, rename="camel"):
    retry_after_seconds: float | None = None
    causes: list[_Cause] | None = None


class _Status(msgspec.Struct):
    code: int = 0
    reason: str = ""
    message: str = ""
    details: _Details | None = None


def from_status(body: bytes, *, code: int = 0, retry_after: float | None = None) -> ApiError:
    """Return the error that *body*, a ``metav1.Status`` or whatever a proxy answered, tells of.

    *code* and *retry_after* (seconds) are those of the HTTP answer, if there was one.
    """
    try:
        status = msgspec.json.decode(body, type=_Status)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        status = _Status(message=body[:LONGEST_MESSAGE].decode(errors="replace").strip())
    code = status.code or code
    details = status.details or _Details()
    found = BY_REASON.get(status.reason) or BY_CODE.get(code)
    if found is None:
        found = ServerFailure if code >= FIRST_SERVER_FAILURE else ApiError
    return found(
        status.message[:LONGEST_MESSAGE] or f"the API server answered with status {code}",
        code=code,
        reason=status.reason,
        retry_after=retry_after if retry_after is not None else details.retry_after_seconds,
        causes=[f"{cause.field}: {cause.message}" for cause in details.causes or ()],
    )
