"""Patterns of names (`*`, `?`, `[…]`), and when one covers another."""

import re
from fnmatch import translate
from functools import lru_cache


def pattern_matches(pattern: str, text: str) -> bool:
    """Whether a pattern (`*`, `?`, `[…]`) matches a whole text; case matters."""
    return _compiled(pattern).match(text) is not None


def pattern_covers(wide: str, narrow: str) -> bool:
    """Whether every text that `narrow` matches is matched by `wide`; false where that is hard to tell."""
    if wide in {"*", narrow}:
        return True
    if not is_pattern(narrow):
        return pattern_matches(wide, narrow)
    stem = wide.removesuffix("*")
    return stem != wide and not is_pattern(stem) and narrow.startswith(stem)


def any_matches(patterns: tuple[str, ...], text: str) -> bool:
    """Whether one of the patterns matches a whole text."""
    return bool(patterns) and _joined(patterns).match(text) is not None


def patterns_cover(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    """Whether what `narrow` speaks of, `wide` speaks of too; no pattern speaks of everything."""
    if not wide or "*" in wide:
        return True
    return bool(narrow) and all(any(pattern_covers(one, item) for one in wide) for item in narrow)


def is_pattern(text: str) -> bool:
    """Whether a text has signs that stand for others."""
    return any(char in text for char in "*?[")


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))


@lru_cache(maxsize=4096)
def _joined(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """The patterns as one: permissions ask this for every rule that somebody holds."""
    return re.compile("|".join(map(translate, patterns)))
