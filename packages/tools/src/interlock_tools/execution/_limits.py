"""Bounds of calls, with their units."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorLimits:
    """Bounds of every call of an executor.

    Attributes:
        timeout_s: Most seconds for one request, its answer included; a call's deadline may cut it.
        max_answer_bytes: Longest answer that is read.
        max_shown: Most characters of an answer that a model is shown; programs get it whole.
        max_checked_bytes: Longest answer that is compared with the document.
        check_answers: What happens with an answer that differs from its description: it is passed on
            as it is, passed on with a note, or refused.
        attempts: Most requests of one call, the first included; repeated only where nothing is done twice.
        max_retry_after_s: Longest wait that an API may ask for; a longer one ends the call with the reason.
        breaker_failures: Failures in a row after which a tool is left alone for a while.
        breaker_cooldown_s: Seconds for which it is left alone.
        max_pages: Most pages of an answer that one call gathers; with one, the next is only named.
        max_items: Most elements that one call gathers; a page that has begun is kept whole.
        cache_bytes: Memory for answers that HTTP's rules allow to keep, all documents of an executor
            together; none are kept with 0.
        kept_bytes: Memory for the last answers that a model was shown a part of; none are kept with 0.
    """

    timeout_s: float = 60.0
    max_answer_bytes: int = 16 * 1024 * 1024
    max_shown: int = 24_000
    max_checked_bytes: int = 1024 * 1024
    check_answers: Literal["ignore", "report", "refuse"] = "report"
    attempts: int = 3
    max_retry_after_s: float = 60.0
    breaker_failures: int = 5
    breaker_cooldown_s: float = 30.0
    max_pages: int = 1
    max_items: int = 1_000
    cache_bytes: int = 8 * 1024 * 1024
    kept_bytes: int = 8 * 1024 * 1024
