"""Why a request is refused before, or instead of, being handed to the runtime.

Each names the rule of HTTP or of this server that it breaks; all are told in the dialect of the endpoint.
"""

import logging

from interlock_core.errors import (
    ConflictError,
    InterlockError,
    InvalidRequestError,
    NotFoundError,
    OperatorError,
    OverloadedError,
    RefusedError,
    UnsupportedError,
)

_logger = logging.getLogger("interlock.api")


class MalformedError(InvalidRequestError):
    """The bytes are no HTTP request that can be told apart from its neighbours."""

    code = "malformed_request"


class TooSlowError(InvalidRequestError):
    """The request did not arrive in the time that a client is given."""

    status = 408
    code = "request_timeout"


class TooLargeError(InvalidRequestError):
    """The body is larger than this server takes."""

    status = 413
    code = "too_large"


class TargetTooLongError(InvalidRequestError):
    """Path and query are longer than this server takes."""

    status = 414
    code = "target_too_long"


class CodingError(UnsupportedError):
    """The body is compressed, which this server does not take: its size would not be known beforehand."""

    status = 415
    code = "unsupported_coding"


class HeadTooLargeError(InvalidRequestError):
    """The request's headers are more than this server takes."""

    status = 431
    code = "headers_too_large"


class IdentityError(RefusedError):
    """Whom a key stands for cannot be told just now, so nobody is let in."""

    status = 503
    code = "identity_unavailable"
    retryable = True


class MisdirectedError(InvalidRequestError):
    """The request is for another host than this server is."""

    status = 421
    code = "misdirected"


class VersionError(UnsupportedError):
    """The request is of a version of HTTP that this server does not speak."""

    status = 505
    code = "unsupported_version"


class MethodNotAllowedError(NotFoundError):
    """The path is there, but not for this method.

    Args:
        path: The path.
        method: What was tried.
        allowed: What the path takes, told in the header `allow`.
    """

    status = 405
    code = "method_not_allowed"

    def __init__(self, path: str, method: str, allowed: tuple[str, ...]) -> None:
        super().__init__(f"{path} does not take {method}.", remedy=f"Use {' or '.join(allowed)}.")
        self.allowed = allowed


class TooManyConnectionsError(OverloadedError):
    """As many clients are connected as this server can hold."""

    code = "too_many_connections"


class StoppingError(OverloadedError):
    """The server stops, and the time of grace is over."""

    code = "stopping"


def told(error: Exception) -> InterlockError:
    """What a client is told of an error: nothing of our own faults, nor of how this server is set up."""
    if isinstance(error, OperatorError) and error.vendor is None and not isinstance(error, ConflictError):
        _logger.error("a request could not be served: %s", error)
        return type(error)("This server is not able to do that just now; its log says why.")
    if isinstance(error, InterlockError):
        return error
    return InterlockError("Interlock itself failed; its log says why.")
