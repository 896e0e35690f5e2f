"""Changes a top-level value of a JSON object in its bytes, and leaves every other byte alone."""

import re
from collections.abc import Mapping

_SCALAR = rb'\s*:\s*("[^"\\]*+(?:\\.[^"\\]*+)*+"|true|false|null|-?[0-9][0-9.eE+-]*)'
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]]')
_VALUE = re.compile(_SCALAR)
_BEFORE_KEY = b"{, \t\r\n"


def splice(body: bytes, *, replace: Mapping[str, bytes], add: Mapping[str, bytes]) -> bytes | None:
    """The bytes of a JSON object with some top-level members set.

    Args:
        body: One JSON object, already known to be valid; text around it (such as `data: `) may stand
            where it holds no quote and no bracket.
        replace: Members (plain ASCII names) whose scalar values change, and their new values as JSON.
        add: Members that the object has not, put in front of the others.

    Returns:
        The new bytes, or None when a member cannot be found without doubt: the caller then renders anew.
    """
    spans: list[tuple[int, int, bytes]] = []
    for name, value in replace.items():
        found = _members(body, name)
        if len(found) != 1:
            return None
        spans.append((*found[0], value))
    start = body.find(b"{") + 1
    spans.extend((start, start, b'"%s":%s,' % (name.encode(), value)) for name, value in add.items())
    for start, end, value in sorted(spans, reverse=True):
        body = body[:start] + value + body[end:]
    return body


def _members(body: bytes, name: str) -> list[tuple[int, int]]:
    """Spans of the scalar values of the top-level members of that name."""
    key = f'"{name}"'.encode()
    found: list[re.Match[bytes]] = []
    at = body.find(key)
    while at != -1:
        end = at + len(key)
        match = _VALUE.match(body, end) if at and body[at - 1] in _BEFORE_KEY else None
        if match is not None:
            found.append(match)
        at = body.find(key, end)
    if len(found) == 1 and found[0].start() > len(body) - found[0].end():
        # From the nearer end: a model that stands behind everything else is found at once.
        return [found[0].span(1)] if -_balance(_TOKEN.findall(body, found[0].end())) == 1 else []
    spans: list[tuple[int, int]] = []
    depth = counted = 0
    for match in found:
        # Each stretch is counted once, however often the name stands in the object.
        depth += _balance(_TOKEN.findall(body, counted, match.start() - len(key)))
        counted = match.end()
        if depth == 1:
            spans.append(match.span(1))
    return spans


def _balance(tokens: list[bytes]) -> int:
    return sum((token in (b"{", b"[")) - (token in (b"}", b"]")) for token in tokens)
