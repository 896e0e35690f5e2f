"""Which models answer just now. Kept apart from quality: an outage teaches nothing, and does not linger."""

from collections.abc import Mapping
from typing import Final

from interlock_core import Clock
from interlock_core.errors import (
    BillingError,
    ConfigurationError,
    CredentialError,
    InterlockError,
    MissingExtraError,
    OperatorError,
    UpstreamError,
)
from interlock_core.resilience import Breaker, BreakerState

_LONGEST_REST_S: Final = 120.0
_SETUP: Final = (CredentialError, BillingError, ConfigurationError, MissingExtraError)


class Health:
    """A breaker for each model, and the rests that vendors asked for.

    Args:
        failure_threshold: Failures in a row after which a model is left alone.
        cooldown_s: For how long, in seconds; then one call at a time looks whether it is back.
        clock: Its monotonic time is used.
    """

    __slots__ = ("_breakers", "_clock", "_cooldown_s", "_rests", "_threshold")

    def __init__(self, *, failure_threshold: int, cooldown_s: float, clock: Clock) -> None:
        self._threshold = failure_threshold
        self._cooldown_s = cooldown_s
        self._clock = clock
        self._breakers: dict[str, Breaker] = {}
        self._rests: dict[str, float] = {}

    @property
    def troubled(self) -> bool:
        """Whether any model ever failed; while none did, none need be looked at."""
        return bool(self._breakers)

    def problem(self, model: str) -> str | None:
        """Why a model should not be asked just now, or None."""
        breaker = self._breakers.get(model)
        if breaker is not None and breaker.state == "open":
            return f"it failed repeatedly; it is tried again in {breaker.retry_after:.0f} s"
        rest = self._rest(model)
        return None if rest == 0 else f"its vendor asked for a rest of {rest:.0f} s"

    def retry_after(self, model: str) -> float:
        """Seconds until a model may be asked again; 0 when it may be now."""
        breaker = self._breakers.get(model)
        return max(self._rest(model), breaker.retry_after if breaker else 0.0)

    def allow(self, model: str) -> bool:
        """Whether to make a call now; a yes is followed by `success`, `failure` or `abandon`."""
        breaker = self._breakers.get(model)
        return self._rest(model) == 0 and (breaker is None or breaker.allow())

    def success(self, model: str) -> None:
        """A call did what it was for."""
        breaker = self._breakers.get(model)
        if breaker is not None:
            breaker.success()

    def failure(self, model: str, error: InterlockError) -> None:
        """A call failed; whether that speaks against the model is for the error to say."""
        breaker = self._breakers.get(model)
        if not speaks_against(error):
            if breaker is not None and error.vendor_status is not None:
                breaker.success()  # it answered: the request was wrong, not the model ill
            elif breaker is not None:
                breaker.abandon()
            return
        if error.retry_after:
            self._rests[model] = self._clock.monotonic() + min(error.retry_after, _LONGEST_REST_S)
        if breaker is None:
            breaker = self._breakers[model] = Breaker(
                failure_threshold=self._threshold, cooldown_s=self._cooldown_s, clock=self._clock, name=model
            )
        breaker.failure()

    def abandon(self, model: str) -> None:
        """A call ended without saying anything about the model, such as by cancellation."""
        breaker = self._breakers.get(model)
        if breaker is not None:
            breaker.abandon()

    def states(self) -> Mapping[str, BreakerState]:
        """How the breakers stand; a model that never failed is not listed."""
        return {model: breaker.state for model, breaker in self._breakers.items()}

    def _rest(self, model: str) -> float:
        until = self._rests.get(model)
        return 0.0 if until is None else max(0.0, until - self._clock.monotonic())


def speaks_against(error: InterlockError) -> bool:
    """Whether an error counts against the model or its vendor, rather than against the request."""
    return isinstance(error, (UpstreamError, *_SETUP))


def worth_another(error: InterlockError) -> bool:
    """Whether another model may succeed where this one failed: it was not the request that was wrong."""
    return isinstance(error, UpstreamError | OperatorError)
