"""Limits as a guard around calls."""

from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import asynccontextmanager

from interlock_core.call import Call, CallKind
from interlock_core.errors import InterlockError, RefusedError
from interlock_security.limits._limiter import RateLimiter, subjects_of
from interlock_security.limits._rules import LimitScope, Subjects


class Charge:
    """What a call was charged for, while it is made.

    Attributes:
        tokens: Tokens that it used, as soon as whoever makes it knows; None leaves that to its outcome.
    """

    __slots__ = ("tokens",)

    def __init__(self) -> None:
        self.tokens: int | None = None


class LimitGuard:
    """Lets a call pass while its limits have room, and settles what it truly used.

    A call that another rule refuses further inside was not made, and is charged nowhere. One that failed
    without using tokens, as far as is told, is charged as a request alone; one that was broken off keeps the
    charge of its bound unless its usage is known.

    Args:
        limiter: Counts.
        scopes: Whose limits are looked at here.
    """

    __slots__ = ("_limiter", "_scopes")

    def __init__(self, limiter: RateLimiter, scopes: Collection[LimitScope]) -> None:
        self._limiter = limiter
        self._scopes = frozenset(scopes)

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncGenerator[None, None]:
        """The context in which a call is made that its limits let pass; it uses no tokens.

        Raises:
            RateLimitedError: A limit has no room; nothing was done.
            StoreError: The limits cannot be counted, and there is no way around it.
        """
        async with self.charged(call, tokens=0):
            yield

    @asynccontextmanager
    async def charged(self, call: Call, *, tokens: int | Callable[[], int]) -> AsyncGenerator[Charge, None]:
        """The context in which a call is made that its limits let pass.

        Args:
            call: The call.
            tokens: Most tokens that it can use, or what finds that out; asked when there is a limit of them.

        Raises:
            RateLimitedError: A limit has no room; nothing was done.
            StoreError: The limits cannot be counted, and there is no way around it.
        """
        share, charge = await self._limiter.take(self._subjects(call), tokens=tokens), Charge()
        call.ending.limits += share.states
        try:
            yield charge
        except RefusedError:
            await share.end(made=False)
            raise
        except InterlockError:
            await share.end(tokens=_used(call, charge) or 0)
            raise
        except BaseException:
            await share.end(tokens=_used(call, charge))
            raise
        await share.end(tokens=_used(call, charge))

    def _subjects(self, call: Call) -> Subjects:
        who = call.principal
        model = call.name if call.kind is CallKind.MODEL else None
        found = subjects_of(
            team=who.team,
            user=who.user,
            key=who.key_id,
            tool=call.name if call.kind is CallKind.TOOL else None,
            provider=None if model is None else model.partition("/")[0],
            model=model,
        )
        return {scope: name for scope, name in found.items() if scope in self._scopes}


def _used(call: Call, charge: Charge) -> int | None:
    outcome = call.ending.outcome
    if charge.tokens is not None or outcome is None or outcome.usage is None:
        return charge.tokens
    return outcome.usage.total_tokens
