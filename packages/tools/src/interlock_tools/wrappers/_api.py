"""What the wrappers share: one call of a tool, its answer as a value, its refusal as an error."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from interlock_core.call import Call
from interlock_core.errors import (
    CredentialError,
    InterlockError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProtocolError,
    SchemaError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamRateLimitError,
    UpstreamTimeoutError,
)
from interlock_core.ids import new_id
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, as_text, dump_json
from interlock_core.messages import ToolCall, ToolResult
from interlock_core.protocols import ToolExecutor

_BY_CODE: Mapping[str, type[InterlockError]] = {
    SchemaError.code: InvalidRequestError,
    **{
        error.code: error
        for error in (
            CredentialError,
            InvalidRequestError,
            NotFoundError,
            OverloadedError,
            ProtocolError,
            UpstreamConnectionError,
            UpstreamError,
            UpstreamRateLimitError,
            UpstreamTimeoutError,
        )
    },
}


class Api:
    """Calls the tools of one document.

    Args:
        executor: Makes the calls.
        namespace: Namespace of the document.
        context: Makes the context of a call: who asks, within which bounds.
        remedies: What to do about a status, by status.
    """

    def __init__(
        self,
        executor: ToolExecutor,
        *,
        namespace: str,
        context: Callable[[], Call],
        remedies: dict[int, str],
    ) -> None:
        self._executor = executor
        self._namespace = namespace
        self._context = context
        self._remedies = remedies

    async def call(self, tool: str, arguments: JsonObject, *, pages: int | None = None) -> Json:
        """The answer of a tool. Arguments that are None are left out.

        Raises:
            InterlockError: The answer says no; the class says who must act.
        """
        given: JsonObject = {name: value for name, value in arguments.items() if value is not None}
        return (await self.result(tool, given, pages=pages)).structured

    async def result(self, tool: str, arguments: JsonObject, *, pages: int | None = None) -> ToolResult:
        """The whole result of a tool, with exactly these arguments.

        Raises:
            InterlockError: The answer says no.
        """
        name = f"{self._namespace}.{tool}"
        context = replace(self._context(), name=name, max_pages=pages)
        call = ToolCall(id=new_id("call"), name=name, arguments=dump_json(arguments))
        result = await self._executor.execute(call, context)
        if result.is_error:
            raise self._error(result)
        return result

    def _error(self, result: ToolResult) -> InterlockError:
        """The error that a failed result stands for."""
        kind = _BY_CODE.get(result.error_code or "", UpstreamError)
        remedy = self._remedies.get(result.status or 0)
        if kind is CredentialError and result.status == 403:
            kind = PermissionDeniedError
        return kind(result.text, remedy=remedy, vendor=self._namespace, vendor_status=result.status)


def rows_of(value: Json, key: str = "") -> list[JsonObject]:
    """The objects of a list, which may stand under a key."""
    return [as_object(one) for one in as_array(as_object(value).get(key) if key else value)]


def text_of(value: JsonObject, *path: str) -> str:
    """A text inside an object; empty when there is none."""
    at: Json = value
    for key in path:
        at = as_object(at).get(key)
    return str(at) if isinstance(at, int | float) and not isinstance(at, bool) else as_text(at) or ""


def number_of(value: JsonObject, key: str) -> int:
    """A whole number inside an object; 0 when there is none."""
    at = value.get(key)
    return at if isinstance(at, int) and not isinstance(at, bool) else 0


def names_of(value: Json, key: str) -> tuple[str, ...]:
    """One text of each object of a list."""
    return tuple(name for one in as_array(value) if (name := text_of(as_object(one), key)))
