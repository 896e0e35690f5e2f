"""Makes tool calls: checked arguments, the exact request, credentials at the last step, a readable result."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from interlock_core.call import Call
from interlock_core.clock import Clock, SystemClock
from interlock_core.errors import InterlockError, RefusedError
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.messages import Text, ToolCall, ToolResult
from interlock_core.protocols import Prepared, SecretStore
from interlock_core.toolspec import Effect, HttpRequest, ToolSpec
from interlock_tools._documents import Mounted
from interlock_tools._handlers import InProcessTool
from interlock_tools._registry import ToolRegistry
from interlock_tools.execution._authorised import Renew
from interlock_tools.execution._calls import ApiCall, ApiCalls
from interlock_tools.execution._explain import wrong_arguments
from interlock_tools.execution._failures import failure
from interlock_tools.execution._headers import with_headers
from interlock_tools.execution._idempotency import with_key
from interlock_tools.execution._kept import READER, READER_DESCRIPTION, READER_PARAMETERS, reader
from interlock_tools.execution._limits import ExecutorLimits
from interlock_tools.execution._request import built_request, completed
from interlock_tools.execution._shorten import shown_json
from interlock_tools.openapi._convert import OpenApiTool

if TYPE_CHECKING:
    from interlock_core.http import Egress

_log = logging.getLogger(__name__)


async def _sleep(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(seconds)


class ToolExecutor:
    """Makes the calls of the tools of a registry.

    One executor serves one event loop. What an API answers, failures included, is a result; what a rule
    of this house forbids is an error.

    Args:
        registry: Knows the tools, the documents they come from, and what the operator wrote about them.
        secrets: Gives out credentials; without it no call has any.
        egress: Where requests may go; public addresses only unless given. An address that the operator
            wrote for a document (`base_url`) is allowed for that document.
        limits: Bounds of every call.
        clock: Tells the time.
        sleep: Waits that many seconds.
        hide: Hides what must not be seen beside the credentials of a call, such as those of other tools, in
            an answer of an API before it is shortened or kept.
        renew: Replaces an access token that an API refused, such as `AccessTokens.renew`.
    """

    def __init__(
        self,
        registry: ToolRegistry,
        *,
        secrets: SecretStore | None = None,
        egress: "Egress | None" = None,
        limits: ExecutorLimits | None = None,
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[None]] = _sleep,
        hide: Callable[[Json], Json] | None = None,
        renew: Renew | None = None,
    ) -> None:
        self._registry = registry
        self._limits = limits or ExecutorLimits()
        self._calls = ApiCalls(
            secrets=secrets,
            egress=egress,
            limits=self._limits,
            clock=clock or SystemClock(),
            sleep=sleep,
            build=_request,
            hide=hide,
            renew=renew,
        )

    def offer_reader(self) -> ToolSpec:
        """Offer `interlock.read_result` in the registry, and name it in answers that were shortened.

        It reads what a model was not shown of an answer: for the principal and the run that got the answer,
        for as long as it is among the last ones.

        Raises:
            InvalidRequestError: The name is taken.
        """
        read = reader(lambda: self._calls.kept, limit=self._limits.max_shown)

        async def handler(arguments: JsonObject, context: Call) -> ToolResult:
            return read(arguments, context)

        self._calls.readable = True
        return self._registry.register_raw(
            handler,
            name=READER,
            description=READER_DESCRIPTION,
            parameters=READER_PARAMETERS,
            effect=Effect.READ,
            untrusted=True,
        )

    async def prepare(self, call: ToolCall, context: Call) -> Prepared:
        """Validate a call and build the exact request, without credentials, without sending it.

        The same call makes the same bytes.

        Raises:
            NotFoundError: There is no such tool.
            SchemaError: The arguments break the tool's schema; the text is fit for a model.
            InvalidRequestError: A value cannot stand where the document puts it.
            ConfigurationError: Nobody says where the API lives.
        """
        tool = self._registry.tool(call.name)
        if isinstance(tool, InProcessTool):
            arguments = call.parsed()
            problems = self._registry.validator(call.name).problems(arguments)
            if problems:
                raise wrong_arguments(call.name, tool.spec.parameters, problems)
            return Prepared(tool=tool.spec, arguments=arguments)
        mounted, entry = tool
        arguments = _checked(entry, call, context)
        return Prepared(tool=entry.spec, arguments=arguments, request=_request(entry, mounted, arguments))

    async def dry_run(self, call: ToolCall, context: Call) -> Prepared:
        """As `prepare`: exactly what would be sent, but for the credentials."""
        return await self.prepare(call, context)

    async def execute(self, call: ToolCall, context: Call) -> ToolResult:
        """Make a call. What goes wrong outside this house's own rules is a result that a model can read.

        Raises:
            RefusedError: A rule forbids it, such as an address that may not be reached; nothing was sent.
        """
        try:
            prepared = await self.prepare(call, context)
        except RefusedError:
            raise
        except InterlockError as error:
            return failure(call, error)
        try:
            tool = self._registry.tool(call.name)
            if isinstance(tool, InProcessTool):
                return await _run_here(tool, call, prepared.arguments, context)
            mounted, entry = tool
            one = ApiCall(mounted=mounted, tool=entry, call=call, prepared=prepared, context=context)
            return await self._calls.make(one)
        except RefusedError:
            raise
        except InterlockError as error:
            # From here on an error may quote the other side.
            return failure(call, error, trusted=not prepared.tool.untrusted)

    async def aclose(self) -> None:
        """Close every connection. Closing twice does nothing."""
        await self._calls.aclose()


def _request(tool: OpenApiTool, mounted: Mounted, arguments: JsonObject) -> HttpRequest:
    """The request of valid arguments, with what the operator wrote for the document."""
    options = mounted.options
    request = built_request(tool, arguments, base=options.base_url, variables=options.variables)
    return with_headers(request, options.headers) if options.headers else request


def _checked(tool: OpenApiTool, call: ToolCall, context: Call) -> JsonObject:
    """The arguments of a call, completed and valid.

    Raises:
        SchemaError: They are not; the text names each place and what is known.
    """
    arguments = with_key(tool, completed(tool.plan, call.parsed()), call, context)
    problems = tool.validator.problems(arguments)
    if problems:
        raise wrong_arguments(call.name, tool.parameters, problems)
    return arguments


async def _run_here(tool: InProcessTool, call: ToolCall, arguments: JsonObject, context: Call) -> ToolResult:
    try:
        value = await tool.run(arguments, context)
    except InterlockError:
        raise
    except Exception as exc:  # noqa: BLE001 - the border to code that is not ours
        _log.exception("the handler of %s failed", call.name)
        return ToolResult(
            call_id=call.id,
            name=call.name,
            content=(Text(f"{call.name} failed in its own code ({type(exc).__name__})."),),
            is_error=True,
            error_code="error",
            untrusted=False,
        )
    if isinstance(value, ToolResult):
        return value if value.call_id else replace(value, call_id=call.id)
    return _value_result(tool, call, value)


def _value_result(tool: InProcessTool, call: ToolCall, value: Json) -> ToolResult:
    shown = value if isinstance(value, str) else shown_json(value, limit=ExecutorLimits().max_shown)[0]
    return ToolResult(
        call_id=call.id,
        name=call.name,
        content=(Text(shown),),
        structured=value,
        untrusted=tool.spec.untrusted,
    )
