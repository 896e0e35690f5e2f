"""Which regular expressions of a document may be asserted: those that compile, in linear time."""

import re

from interlock_core.errors import InvalidRequestError

_LITERAL = r"[A-Za-z0-9 _@:/,;=<>&%#!~'\"-]|\\[dwsDWSnrt.\-+*?^$|/\\(){}\[\]@_:]|\."
_CLASS = r"\[\^?(?:[A-Za-z0-9 _@:/.,;=+*?<>$|(){}%#!~'\"^-]|\\[dwsDWSnrt.\-+*?^$|/\\(){}\[\]])+\]"
_SIMPLE = re.compile(rf"\^?(?:(?:{_LITERAL}|{_CLASS})(?:[*+?]|\{{\d{{1,3}}(?:,\d{{0,3}})?\}})?)*\$?")
_RANGE = re.compile(r"([^\\])-(.)")
_LONGEST = 2_000
_known: dict[str, bool] = {}
_MOST_KNOWN = 4_096


def usable(pattern: str) -> bool:
    """Whether a pattern can be checked. Obviously plain ones are not compiled; the rest are, once."""
    known = _known.get(pattern)
    if known is None:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        known = len(pattern) <= _LONGEST and (_plain(pattern) or _compiles(pattern))
        _known[pattern] = known
    return known


def _plain(pattern: str) -> bool:
    if len(pattern) > 120 or not _SIMPLE.fullmatch(pattern):
        return False
    return "--" not in pattern and "&&" not in pattern and "~~" not in pattern and _ranges_rise(pattern)


def _ranges_rise(pattern: str) -> bool:
    return all(low <= high or high in "]\\" for low, high in _RANGE.findall(pattern))


def _compiles(pattern: str) -> bool:
    from interlock_core.schema import validator

    try:
        validator({"type": "string", "pattern": pattern})
    except InvalidRequestError:
        return False
    return True
