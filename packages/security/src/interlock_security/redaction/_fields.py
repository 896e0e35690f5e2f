"""Names after which a secret stands: headers, JSON fields, form fields, URL parts.

Toward stores, what such a name holds is hidden whatever it is, because an unknown secret is still one.
Not covered: a secret under a harmless name that nobody has made known, which only exact matching finds.
"""

import re
from functools import cache, lru_cache

HIDDEN = "[redacted]"
"""What stands for a value that was hidden because of its name."""

_ENDINGS = (
    "authorization",
    "cookie",
    "cookie2",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "secretkey",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "credential",
    "credentials",
)
_EXACT = frozenset({"auth", "pin", "cvv", "cvc", "ssn", "otp", "pwd"})
_PUNCTUATION = re.compile(r"[^a-z0-9]+")

# Every pattern stays within one line, so that a text may be hidden one line at a time.
_NAME = (
    r"(?:authorization|cookie2?|passw(?:or)?d|passphrase|pwd|secret(?:[-_]?key)?|token"
    r"|(?:api|access|private|signing|encryption)[-_]?key|credentials?)"
)
_JOINT = r"[ \t]{0,8}[:=][ \t]{0,8}"
_OWN_KEY = r"ilk_[A-Za-z0-9_-]{20,}"
_USERINFO = r"(://)[^\s/@:?#\"']{0,256}:[^\s/@\"']{1,1024}@"
_HEADER = r"(?i)(authorization|cookie2?)([ \t]{0,4}:[ \t]{0,4})([^\s][^\r\n]*)"
_QUOTED = rf"(?i)({_NAME}[\"']?{_JOINT})([\"'])((?:\\[^\r\n]|(?!\2)[^\\\r\n])*)"
_ESCAPED = rf"(?i)({_NAME}\\+[\"']{_JOINT}\\+[\"'])((?:\\{{2,}}[\"']?|\\[^\"'\r\n]|[^\\\r\n])*)"
_ASSIGNED = rf"(?i)({_NAME}\\*[\"']?{_JOINT})(?!\[redacted|\\*[\"'{{\[])([^\s\"'&]+)"
_SCHEME = r"(?i)\b(bearer|basic)([ \t]{1,4})(?=[a-z+/=._~-]{0,512}[0-9])([a-z0-9+/=._~-]{8,})"


@cache
def _rules() -> tuple[tuple[re.Pattern[str], str], ...]:
    """What is looked for, in order, and what is shown instead; compiled when first needed."""
    return tuple(
        (re.compile(pattern), shown)
        for pattern, shown in (
            (_OWN_KEY, HIDDEN),
            (_USERINFO, rf"\1{HIDDEN}@"),
            (_HEADER, rf"\1\2{HIDDEN}"),
            (_QUOTED, rf"\1\2{HIDDEN}"),
            (_ESCAPED, rf"\1{HIDDEN}"),
            (_ASSIGNED, rf"\1{HIDDEN}"),
            (_SCHEME, rf"\1\2{HIDDEN}"),
        )
    )


_TRIGGERS = (
    *("authorization", "cookie", "passw", "passphrase", "pwd", "secret", "token", "credential"),
    *("bearer", "basic", "://"),
)
_KEY_TRIGGERS = ("apikey", "accesskey", "privatekey", "signingkey", "encryptionkey")


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether a field or header of this name holds a secret, however it is written: `X-API-Key`, `apiKey`."""
    plain = _PUNCTUATION.sub("", name.lower())
    return plain in _EXACT or plain.endswith(_ENDINGS)


def may_hold_fields(text: str) -> bool:
    """Whether `hide_fields` could change a text: quick, and never wrong with a no."""
    lower = text.lower()
    if "ilk_" in text or any(word in lower for word in _TRIGGERS):
        return True
    if "key" not in lower:
        return False
    plain = lower.replace("-", "").replace("_", "")
    return any(word in plain for word in _KEY_TRIGGERS)


def hide_fields(text: str) -> str:
    """The text with what stands after secret names hidden."""
    if may_hold_fields(text):
        for pattern, shown in _rules():
            text = pattern.sub(shown, text)
    return text
