r"""The six encodings in which a known secret is looked for.

1. plain, forwards and backwards
2. URL percent-encoding: reserved characters, or every byte; digits in either case;
   space as `%20` or `+`
3. base64 at each of the three byte offsets that it can have inside a longer text
4. base64url, likewise
5. hexadecimal, upper and lower case
6. JSON string escapes: non-ASCII kept or as `\uXXXX`, the slash plain or escaped

Not covered: encodings of encodings, compression, other alphabets, a secret cut into parts by other text.
"""

import base64
import json
from collections.abc import Iterator

MIN_CHARS = 6
"""Shorter texts are not looked for: they are in every other word."""


def forms(secret: str) -> frozenset[str]:
    """Every text that stands for a secret; empty when it is too short to be told from other text."""
    if len(secret) < MIN_CHARS:
        return frozenset()
    data = secret.encode("utf-8", "surrogatepass")
    found = {secret, secret[::-1], *_percent(secret, data), *_base64(data), *_json(secret)}
    digits = data.hex()
    found |= {digits, digits.upper()}
    return frozenset(form for form in found if len(form) >= MIN_CHARS)


def _percent(secret: str, data: bytes) -> Iterator[str]:
    from urllib.parse import quote, quote_plus

    for text in (
        quote(data, safe=""),
        quote(data, safe="/"),
        quote_plus(data),
        "".join(f"%{byte:02X}" for byte in data),
    ):
        yield text
        yield _lower_escapes(text)


def _lower_escapes(text: str) -> str:
    parts = text.split("%")
    return parts[0] + "".join(f"%{part[:2].lower()}{part[2:]}" for part in parts[1:])


def _base64(data: bytes) -> Iterator[str]:
    for offset in range(3):
        padded = base64.b64encode(bytes(offset) + data).decode()
        first = (offset * 8 + 5) // 6
        last = (offset + len(data)) * 8 // 6
        core = padded[first:last]
        yield core
        yield core.translate(_URL_SAFE)
    yield base64.b64encode(data).decode()
    yield base64.urlsafe_b64encode(data).decode()


def _json(secret: str) -> Iterator[str]:
    for ascii_only in (True, False):
        text = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield text
        yield text.replace("/", "\\/")


_URL_SAFE = str.maketrans("+/", "-_")
