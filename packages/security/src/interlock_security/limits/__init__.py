"""Rate limits: requests, tokens and calls at a time, over windows that slide and are exact at their edge."""

from interlock_security.limits._book import LimitBook
from interlock_security.limits._claims import MOST_EXACT, Answer, Claim, Correction, LimitBackend, Reading
from interlock_security.limits._fallback import FallbackBackend
from interlock_security.limits._guard import Charge, LimitGuard
from interlock_security.limits._limiter import RateLimiter, Rules, Share, subjects_of
from interlock_security.limits._memory import MemoryBackend
from interlock_security.limits._rules import (
    EVERY,
    LimitKind,
    LimitRule,
    LimitScope,
    Subjects,
    applicable,
)
from interlock_security.limits._server import CACHE_USER_RULES, CacheServer
from interlock_security.limits._store import StoreBackend
from interlock_security.limits._valkey import ValkeyBackend

__all__ = [
    "CACHE_USER_RULES",
    "EVERY",
    "MOST_EXACT",
    "Answer",
    "CacheServer",
    "Charge",
    "Claim",
    "Correction",
    "FallbackBackend",
    "LimitBackend",
    "LimitBook",
    "LimitGuard",
    "LimitKind",
    "LimitRule",
    "LimitScope",
    "MemoryBackend",
    "RateLimiter",
    "Reading",
    "Rules",
    "Share",
    "StoreBackend",
    "Subjects",
    "ValkeyBackend",
    "applicable",
    "subjects_of",
]
