"""Where calls, refusals and keys are seen: a guard around calls, and a wrapper around the executor."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from hashlib import blake2b

from interlock_core.call import Call, CallKind, Outcome, Principal
from interlock_core.errors import NotFoundError, RateLimitedError, RefusedError
from interlock_security.alerts._desk import AlertDesk
from interlock_security.alerts._model import Observation, Sight, network_of

_MOST_KNOWN = 4096
_SEEN_AGAIN_S = 3600.0


class AlertGuard:
    """Shows the desk how calls end. It refuses nothing; it stands outermost, so that it sees every refusal.

    Args:
        desk: Who is shown.
    """

    __slots__ = ("_desk",)

    def __init__(self, desk: AlertDesk) -> None:
        self._desk = desk

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncGenerator[None, None]:
        """The context in which a watched call is made."""
        try:
            yield
        except NotFoundError:
            self._desk.observe(seen_call(call, Sight.UNKNOWN, self._desk.now()))
            raise
        except RateLimitedError:
            # Whoever is told to wait and tries again is no suspect, and nothing was done for it.
            raise
        except RefusedError:
            self._desk.observe(seen_call(call, Sight.REFUSED, self._desk.now()))
            raise
        except BaseException:
            self._desk.observe(seen_call(call, Sight.CALL, self._desk.now()))
            raise
        self._desk.observe(seen_call(call, Sight.CALL, self._desk.now()))


class KeyWatch:
    """Shows the desk which keys come from where.

    Args:
        desk: Who is shown.
    """

    __slots__ = ("_desk", "_known")

    def __init__(self, desk: AlertDesk) -> None:
        self._desk = desk
        self._known: dict[tuple[str, str], float] = {}

    def signed_in(self, principal: Principal, address: str) -> None:
        """A good key was presented from an address."""
        if principal.key_id is None:
            return
        place, now = (principal.key_id, network_of(address)), self._desk.now()
        if now - self._known.get(place, -_SEEN_AGAIN_S) < _SEEN_AGAIN_S:
            return
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[place] = now
        self._desk.observe(
            Observation(
                sight=Sight.SIGNED_IN, at=now, user=principal.user, key=principal.key_id, address=address
            )
        )

    def refused(self, key: str, address: str) -> None:
        """A bad key was presented from an address. A digest of it is kept, and nothing else."""
        digest = blake2b(key.encode("utf-8", "replace"), digest_size=6).hexdigest()
        self._desk.observe(
            Observation(sight=Sight.KEY_REFUSED, at=self._desk.now(), key=digest, address=address)
        )


def seen_call(call: Call, sight: Sight, at: float) -> Observation:
    """A call as the desk sees it."""
    outcome = call.ending.outcome or Outcome(ok=False)
    spent = 0 if outcome.cost is None else outcome.cost.micro_usd
    return Observation(
        sight=sight,
        at=at,
        user=call.principal.user,
        agent=call.agent or "",
        key=call.principal.key_id or "",
        name=call.name,
        run=call.run or "",
        tainted=bool(call.taint) and call.kind is CallKind.TOOL,
        output_bytes=len(outcome.summary),
        cost_micro_usd=spent,
    )
