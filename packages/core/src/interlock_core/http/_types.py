"""Limits of the client, and an answer that was read whole."""

from dataclasses import field

from interlock_core.errors import ProtocolError
from interlock_core.jsontypes import Json, parse_json
from interlock_core.record import record

Headers = tuple[tuple[str, str], ...]
"""Names and values in the order in which they came."""


def find_header(headers: Headers, name: str) -> str | None:
    """The first value of a header, its name compared without case."""
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), None)


@record(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Bounds of every request of a client.

    Attributes:
        connect_timeout_s: Seconds to resolve, connect and shake hands, each new connection.
        read_timeout_s: Seconds in which the other side may say nothing while we wait for it.
        total_timeout_s: Seconds for a whole request, its body included; None for no bound.
        max_body_bytes: Longest body that `send` reads, before and after decompression.
        max_header_bytes: Longest head of an answer, and longest trailer.
        per_origin_connections: Most connections to one scheme, host and port; further requests wait.
        keepalive_s: Seconds for which an idle connection is kept.
    """

    connect_timeout_s: float = 5.0
    read_timeout_s: float = 600.0
    total_timeout_s: float | None = None
    max_body_bytes: int = 64 * 1024 * 1024
    max_header_bytes: int = 64 * 1024
    per_origin_connections: int = 100
    keepalive_s: float = 60.0


@record(frozen=True, slots=True)
class HttpResponse:
    """A whole answer.

    Attributes:
        status: HTTP status, 200 to 599.
        headers: As they came; without content-encoding and content-length when the body was decompressed.
        body: The decompressed body.
    """

    status: int
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether the status is 200 to 299."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as UTF-8, what is none replaced."""
        return self.body.decode("utf-8", "replace")

    def header(self, name: str) -> str | None:
        """The first value of a header, its name compared without case."""
        return find_header(self.headers, name)

    def json(self) -> Json:
        """The body as JSON.

        Raises:
            ProtocolError: It is none; the body is not repeated.
        """
        try:
            return parse_json(self.body)
        except (ValueError, RecursionError) as exc:
            raise ProtocolError(
                f"The answer is not JSON ({type(exc).__name__}).",
                vendor_status=self.status,
                remedy="Look at what the other side sent, or try again.",
            ) from exc
