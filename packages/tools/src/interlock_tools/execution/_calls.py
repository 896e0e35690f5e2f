"""Calls of APIs over HTTP: breaker, credentials, requests page by page, answers."""

import hashlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from interlock_core.call import Call
from interlock_core.clock import Clock
from interlock_core.errors import ConfigurationError, OverloadedError, UpstreamError
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.messages import Text, ToolCall, ToolResult
from interlock_core.protocols import Prepared, SecretStore
from interlock_core.resilience import Breaker
from interlock_core.toolspec import HttpRequest
from interlock_tools._documents import Mounted
from interlock_tools.execution._allowance import PacedClient
from interlock_tools.execution._answer import Answering, Reading
from interlock_tools.execution._authorised import Authorising, Placed, Renew
from interlock_tools.execution._cache import CachingClient, HttpCache
from interlock_tools.execution._certificate import certified
from interlock_tools.execution._credentials import Scrubber, Wanted, wanted_credentials
from interlock_tools.execution._errand import Errand
from interlock_tools.execution._gather import Page, gathered
from interlock_tools.execution._idempotency import is_keyed
from interlock_tools.execution._kept import READER, KeptAnswers
from interlock_tools.execution._limits import ExecutorLimits
from interlock_tools.execution._pages import NextPage, next_page
from interlock_tools.execution._sending import IDEMPOTENT, Sender, TimedClient
from interlock_tools.openapi._convert import OpenApiTool

if TYPE_CHECKING:
    from interlock_core.http import Egress, HttpClient, HttpResponse

Build = Callable[[OpenApiTool, Mounted, JsonObject], HttpRequest]
"""Makes the request of a tool's arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """One call of a tool of a document.

    Attributes:
        mounted: The document.
        tool: The tool.
        call: The call as it was asked for.
        prepared: Its arguments and request.
        context: Who asks, and within which bounds.
    """

    mounted: Mounted
    tool: OpenApiTool
    call: ToolCall
    prepared: Prepared
    context: Call


@dataclass(frozen=True, slots=True)
class _Certificate:
    """A client certificate: the name of its secret, what it is, and what stands for it without telling it."""

    secret: str
    pem: str = field(repr=False)
    digest: str


class ApiCalls:
    """Makes the calls of one executor that go over the network.

    Args:
        secrets: Gives out credentials.
        egress: Where requests may go.
        limits: Bounds of calls whose document has none of its own.
        clock: Tells the time.
        sleep: Waits that many seconds.
        build: Makes requests of arguments.
        hide: Hides what else must not be seen, before anything is shortened or kept.
        renew: Replaces an access token that was refused.
    """

    def __init__(
        self,
        *,
        secrets: SecretStore | None,
        egress: "Egress | None",
        limits: ExecutorLimits,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]],
        build: Build,
        hide: Callable[[Json], Json] | None = None,
        renew: Renew | None = None,
    ) -> None:
        self._secrets = secrets
        self._egress = egress
        self._limits = limits
        self._clock = clock
        self._sleep = sleep
        self._build = build
        self._authorising = Authorising(renew=renew, hide=hide)
        self._clients: dict[tuple[str, str], tuple[HttpClient, Sender]] = {}
        self._breakers: dict[str, Breaker] = {}
        self._cache = HttpCache(max_bytes=limits.cache_bytes, clock=clock)
        self._secret = os.urandom(32)
        self.kept = KeptAnswers(max_bytes=limits.kept_bytes)
        self.readable = False

    async def make(self, one: ApiCall) -> ToolResult:
        """Make a call; what the API answers is the result.

        Raises:
            RefusedError: The address may not be reached.
            OperatorError: The credential cannot be placed.
            UpstreamError: No answer came.
        """
        mounted, tool = one.mounted, one.tool
        limits = mounted.options.limits or self._limits
        wanted = wanted_credentials(
            tool, default=mounted.options.credential, named=mounted.options.credentials
        )
        assert one.prepared.request is not None
        response, scrubber, notes = await self._sent(one, one.prepared.request, wanted, limits)
        answering = Answering(
            call=one.call,
            tool=tool,
            limits=limits,
            scrubber=scrubber,
            clock=self._clock,
            keep=lambda text: self._keep(text, one.context, limits),
        )
        reading = answering.read(response)
        if reading.is_json and response.status < 300:
            reading = await self._with_pages(one, wanted, answering, reading)
        result = answering.result(reading)
        if notes:
            result = replace(result, content=(*result.content, Text(scrubber.text("\n" + "\n".join(notes)))))
        if response.status in {401, 403} and not wanted and tool.document.schemes:
            hint = f"No credential is configured for {mounted.namespace}."
            result = replace(result, content=(*result.content, Text(f"\n{hint}")))
        return result

    async def aclose(self) -> None:
        """Close every connection. Closing twice does nothing."""
        for client, _ in self._clients.values():
            await client.aclose()
        self._clients.clear()

    # ---- pages

    async def _with_pages(
        self, one: ApiCall, wanted: tuple[Wanted, ...], answering: Answering, reading: Reading
    ) -> Reading:
        """The answer with the pages after it, as far as the limits go."""
        tool, limits = one.tool, answering.limits
        assert one.prepared.request is not None
        placed = {each.scheme.parameter for each in wanted if each.scheme.location == "query"}

        def after(page: Page) -> NextPage | None:
            # A change is never made again to see what comes after it.
            if tool.spec.effect.has_side_effects:
                return None
            linked = page.request is not one.prepared.request
            built = self._build(tool, one.mounted, page.arguments) if linked else page.request
            return next_page(
                tool, page.arguments, page.request, page.response, page.value, built=built, placed=placed
            )

        async def fetch(following: NextPage, before: Page) -> Page:
            arguments = {**before.arguments, **following.arguments}
            request = (
                replace(one.prepared.request, url=following.url)
                if following.url and one.prepared.request is not None
                else self._build(tool, one.mounted, arguments)
            )
            response, _, _ = await self._sent(one, request, wanted, limits)
            value = answering.read(response).value
            return Page(arguments=arguments, request=request, response=response, value=value)

        first = Page(
            arguments=one.prepared.arguments,
            request=one.prepared.request,
            response=reading.response,
            value=reading.value,
        )
        pages = one.context.max_pages or limits.max_pages
        if pages <= 1 and not (isinstance(reading.value, dict | list) and reading.value):
            return reading
        whole = await gathered(first, fetch, after, limits, pages)
        if whole.pages == 1 and whole.following is None and not whole.stopped:
            return reading
        return replace(reading, value=whole.value, pages=whole)

    # ---- one request

    async def _sent(
        self, one: ApiCall, request: HttpRequest, wanted: tuple[Wanted, ...], limits: ExecutorLimits
    ) -> "tuple[HttpResponse, Scrubber, list[str]]":
        """The answer to one request, its credentials placed, the breaker asked first; and notes on it."""
        breaker = self._breaker(one.call.name, limits)
        if not breaker.allow():
            raise OverloadedError(
                f"{one.call.name} failed several times in a row, so it is left alone for now.",
                remedy=f"Try again in {breaker.retry_after:.0f} s, or do without it.",
                retry_after=breaker.retry_after,
            )
        try:
            placed = await self._placed(one, wanted, request)
            certificate = await self._certificate(wanted)
            errand = self._errand(one, request, placed.stands_for, limits)
            if certificate is not None:
                errand = replace(errand, credential=f"{errand.credential} {certificate.digest}")
            sender = self._sender(one.mounted, certificate)
            response, scrubber = await self._authorising.send(
                sender, placed, errand, lambda: self._placed(one, wanted, request)
            )
        except UpstreamError as error:
            if error.code == "upstream_rate_limited":
                breaker.abandon()
            else:
                breaker.failure()
            raise
        except BaseException:
            breaker.abandon()
            raise
        if response.status >= 500:
            breaker.failure()
        else:
            breaker.success()
        return response, scrubber, errand.notes

    def _errand(self, one: ApiCall, bare: HttpRequest, credential: str, limits: ExecutorLimits) -> Errand:
        principal = one.context.principal
        return Errand(
            tool=one.call.name,
            credential=credential,
            principal=f"{principal.user}\n{principal.key_id or ''}",
            limits=limits,
            deadline=one.context.deadline,
            repeatable=bare.method in IDEMPOTENT or is_keyed(one.tool, one.prepared.arguments),
            reads=not one.tool.spec.effect.has_side_effects,
            redirects=one.mounted.options.redirects,
        )

    async def _placed(self, one: ApiCall, wanted: tuple[Wanted, ...], request: HttpRequest) -> Placed:
        """The request with its credentials, where they may go."""
        if wanted:
            self._check_place(one.mounted, request)
        declared = {slot.parameter.name for slot in one.tool.plan.slots}
        return await self._authorising.placed(request, wanted, self._secrets, declared)

    def _check_place(self, mounted: Mounted, request: HttpRequest) -> None:
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

    async def _certificate(self, wanted: tuple[Wanted, ...]) -> "_Certificate | None":
        """The client certificate among the credentials, if there is one; they are trusted to go there."""
        one = next((one for one in wanted if one.scheme.kind == "mutualTLS"), None)
        if one is None or self._secrets is None:
            return None
        pem = (await self._secrets.get(one.secret)).reveal()
        digest = hashlib.blake2b(pem.encode("utf-8", "surrogatepass"), key=self._secret, digest_size=16)
        return _Certificate(one.secret, pem, digest.hexdigest())

    # ---- what lasts longer than a call

    def _sender(self, mounted: Mounted, certificate: "_Certificate | None") -> Sender:
        """The sender for one document: it may reach what the operator wrote for that document alone.

        What goes under a certificate has connections of its own, so that no other call shares them.
        """
        origin = mounted.written_origin
        key = (origin, certificate.digest if certificate is not None else "")
        if key not in self._clients:
            from interlock_core.http import Egress, HttpClient

            egress = self._egress or Egress()
            if origin:
                egress = egress.allow(origin)
            tls = certified(certificate.pem, certificate.secret) if certificate is not None else None
            client = HttpClient(egress=egress, clock=self._clock, tls=tls)
            paced = PacedClient(TimedClient(client, clock=self._clock), clock=self._clock)
            sender = Sender(CachingClient(paced, self._cache), egress, clock=self._clock, sleep=self._sleep)
            self._clients[key] = (client, sender)
        return self._clients[key][1]

    def _breaker(self, name: str, limits: ExecutorLimits) -> Breaker:
        if name not in self._breakers:
            self._breakers[name] = Breaker(
                failure_threshold=limits.breaker_failures,
                cooldown_s=limits.breaker_cooldown_s,
                clock=self._clock,
                name=name,
            )
        return self._breakers[name]

    def _keep(self, text: str, context: Call, limits: ExecutorLimits) -> str:
        """Keep what was not shown, where there is a tool that reads it."""
        if not self.readable or not limits.kept_bytes:
            return ""
        name = self.kept.keep(text, context)
        return f'Read the rest with {READER} {{"result": "{name}"}}' if name else ""
