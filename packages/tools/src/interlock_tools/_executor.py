"""Makes tool calls: checked arguments, the exact request, credentials at the last step, a readable result."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from interlock_core.call import Call
from interlock_core.clock import Clock, SystemClock
from interlock_core.errors import (
    ConfigurationError,
    InterlockError,
    OverloadedError,
    RefusedError,
    SchemaError,
    UpstreamError,
)
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.messages import Text, ToolCall, ToolResult
from interlock_core.protocols import Prepared, SecretStore
from interlock_core.resilience import Breaker
from interlock_core.toolspec import HttpRequest
from interlock_tools._handlers import InProcessTool
from interlock_tools._registry import Mounted, ToolRegistry
from interlock_tools.execution._answer import answered, failure
from interlock_tools.execution._credentials import Scrubber, Wanted, wanted_credentials, with_credentials
from interlock_tools.execution._limits import ExecutorLimits
from interlock_tools.execution._request import built_request, completed
from interlock_tools.execution._shorten import shown_json
from interlock_tools.openapi._convert import OpenApiTool

if TYPE_CHECKING:
    from interlock_core.http import Egress, HttpClient, HttpResponse
    from interlock_tools.execution._sending import Sender

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
    ) -> None:
        self._registry = registry
        self._secrets = secrets
        self._egress = egress
        self._limits = limits or ExecutorLimits()
        self._clock = clock or SystemClock()
        self._sleep = sleep
        self._clients: dict[str, tuple[HttpClient, Sender]] = {}
        self._breakers: dict[str, Breaker] = {}

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
            self._registry.validator(call.name).check(arguments, what=f"the arguments of {call.name}")
            return Prepared(tool=tool.spec, arguments=arguments)
        mounted, entry = tool
        arguments = _checked(entry, call)
        request = built_request(
            entry, arguments, base=mounted.options.base_url, variables=mounted.options.variables
        )
        return Prepared(tool=entry.spec, arguments=arguments, request=request)

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
            tool = self._registry.tool(call.name)
            if isinstance(tool, InProcessTool):
                return await _run_here(tool, call, prepared.arguments, context)
            assert prepared.request is not None
            return await self._call_api(*tool, call, prepared.request, context)
        except RefusedError:
            raise
        except InterlockError as error:
            return failure(call, error)

    async def aclose(self) -> None:
        """Close every connection. Closing twice does nothing."""
        for client, _ in self._clients.values():
            await client.aclose()
        self._clients.clear()

    async def _call_api(
        self, mounted: Mounted, tool: OpenApiTool, call: ToolCall, request: HttpRequest, context: Call
    ) -> ToolResult:
        breaker = self._breaker(call.name)
        if not breaker.allow():
            raise OverloadedError(
                f"{call.name} failed several times in a row, so it is left alone for now.",
                remedy=f"Try again in {breaker.retry_after:.0f} s, or do without it.",
                retry_after=breaker.retry_after,
            )
        try:
            wanted = wanted_credentials(
                tool, default=mounted.options.credential, named=mounted.options.credentials
            )
            request, scrubber = await self._with_credentials(mounted, wanted, request)
            response = await self._sent(mounted, request, scrubber, context)
        except UpstreamError:
            breaker.failure()
            raise
        except BaseException:
            breaker.abandon()
            raise
        if response.status >= 500:
            breaker.failure()
        else:
            breaker.success()
        result = answered(call, tool, response, scrubber, self._limits)
        if response.status in {401, 403} and not wanted and tool.document.schemes:
            hint = f"No credential is configured for {mounted.namespace}."
            result = replace(result, content=(*result.content, Text(f"\n{hint}")))
        return result

    async def _sent(
        self, mounted: Mounted, request: HttpRequest, scrubber: Scrubber, context: Call
    ) -> "HttpResponse":
        try:
            return await self._sender(mounted).send(request, deadline=context.deadline)
        except InterlockError as error:
            error.message = scrubber.text(error.message)
            error.args = (error.message,)
            raise

    async def _with_credentials(
        self, mounted: Mounted, wanted: tuple[Wanted, ...], request: HttpRequest
    ) -> tuple[HttpRequest, Scrubber]:
        if not wanted:
            return request, Scrubber(())
        from interlock_core.http import origin_of

        origin = origin_of(request.url)
        if origin not in mounted.trusted_origins:
            raise ConfigurationError(
                f"The credential of {mounted.namespace} is not sent to {origin}: only the document names it.",
                field=f"tools.{mounted.namespace}.base_url",
                remedy="Set base_url to that address if it is the right one.",
            )
        if self._secrets is None:
            raise ConfigurationError(
                f"{mounted.namespace} needs a credential, and no store of secrets is given.",
                field=f"tools.{mounted.namespace}.credential",
                remedy="Open the executor with one.",
            )
        return await with_credentials(request, wanted, self._secrets)

    def _sender(self, mounted: Mounted) -> "Sender":
        """The sender for one document: it may reach what the operator wrote for that document alone."""
        origin = mounted.written_origin
        if origin not in self._clients:
            from interlock_core.http import Egress, HttpClient
            from interlock_tools.execution._sending import Sender

            egress = self._egress or Egress()
            if origin:
                egress = egress.allow(origin)
            client = HttpClient(egress=egress, clock=self._clock)
            sender = Sender(client, egress, limits=self._limits, clock=self._clock, sleep=self._sleep)
            self._clients[origin] = (client, sender)
        return self._clients[origin][1]

    def _breaker(self, name: str) -> Breaker:
        if name not in self._breakers:
            self._breakers[name] = Breaker(
                failure_threshold=self._limits.breaker_failures,
                cooldown_s=self._limits.breaker_cooldown_s,
                clock=self._clock,
                name=name,
            )
        return self._breakers[name]


def _checked(tool: OpenApiTool, call: ToolCall) -> JsonObject:
    """The arguments of a call, completed and valid.

    Raises:
        SchemaError: They are not; the text names each place and what is known.
    """
    arguments = completed(tool.plan, call.parsed())
    problems = tool.validator.problems(arguments)
    if problems:
        known = tool.parameters.get("properties")
        names = ", ".join(known) if isinstance(known, dict) else ""
        raise SchemaError(
            f"The arguments of {call.name} are not valid: {'; '.join(problems[:5])}.",
            problems=problems,
            field=problems[0].partition(": ")[0],
            remedy=f"Known arguments: {names[:600]}." if names else "It takes no arguments.",
        )
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
    return value if isinstance(value, ToolResult) else _value_result(tool, call, value)


def _value_result(tool: InProcessTool, call: ToolCall, value: Json) -> ToolResult:
    shown = value if isinstance(value, str) else shown_json(value, limit=ExecutorLimits().max_shown)[0]
    return ToolResult(
        call_id=call.id,
        name=call.name,
        content=(Text(shown),),
        structured=value,
        untrusted=tool.spec.untrusted,
    )
