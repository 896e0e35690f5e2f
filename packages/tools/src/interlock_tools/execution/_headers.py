"""Headers that the operator writes for every request of a document."""

from collections.abc import Mapping
from dataclasses import replace

from interlock_core.errors import ConfigurationError
from interlock_core.toolspec import HttpRequest
from interlock_tools.openapi._arguments import NOT_SENT
from interlock_tools.openapi._shape import essence

_CREDENTIALS = frozenset({*NOT_SENT, "cookie", "x-api-key", "api-key"})


def with_headers(request: HttpRequest, headers: Mapping[str, str]) -> HttpRequest:
    """The request with further headers, each unless an argument set it.

    `accept` takes the place of what the document would ask for. `content-type` is sent with a body alone,
    and only as another writing of what the body is.

    Raises:
        ConfigurationError: A header is a credential's or the connection's own.
    """
    named = {name.lower(): value for name, value in headers.items()}
    for name in named:
        if name in _CREDENTIALS:
            raise ConfigurationError(
                f"The header {name} is not set by `headers`.",
                field="headers",
                remedy="Credentials go into `credential` or `credentials`; the rest the connection sets.",
            )
    kept: list[tuple[str, str]] = []
    for name, value in request.headers:
        lower = name.lower()
        said = named.pop(lower, None)
        other = said is not None and (
            lower == "accept" or (lower == "content-type" and essence(said) == essence(value))
        )
        kept.append((name, said if other and said is not None else value))
    named.pop("content-type", None)
    return replace(request, headers=(*kept, *named.items()))
