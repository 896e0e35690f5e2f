"""Names after which a secret stands: headers, JSON fields, form fields, URL parts.

Toward stores, what such a name holds is hidden whatever it is, because an unknown secret is still one.
Not covered: a secret under a harmless name that nobody has made known, which only exact matching finds.
"""

import re
from functools import cache, lru_cache
from typing import NamedTuple

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
    "accountkey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "credential",
    "credentials",
)
_EXACT = frozenset({"auth", "pin", "cvv", "cvc", "ssn", "otp", "pwd"})
# Longer texts are looked at line by line: most lines hold no name at all.
_LONG = 400
_ENDS = re.compile(r"(?<=\n)")
_PUNCTUATION = re.compile(r"[^a-z0-9]+")

# Every pattern stays within one line, so that a text may be hidden one line at a time.
_NAME = (
    r"(?:authorization|cookie2?|passw(?:or)?d|passphrase|pwd|secret(?:[-_]?key)?|token"
    r"|(?:api|access|account|private|signing|encryption)[-_]?key|credentials?)"
)
_JOINT = r"[ \t]{0,8}[:=](?!=)[ \t]{0,8}"
_OWN_KEY = r"()(ilk_[A-Za-z0-9_-]{20,})"
_USERINFO = r"(://)([^\s/@:?#\"']{0,256}:[^\s/@\"']{1,1024})(?=@)"
_HEADER = r"(?i)((?:authorization|cookie2?)[ \t]{0,4}:[ \t]{0,4})([^\s][^\r\n]*)"
_QUOTED = rf"(?i)({_NAME}[\"']?{_JOINT}([\"']))((?:\\[^\r\n]|(?!\2)[^\\\r\n])*)"
_ESCAPED = rf"(?i)({_NAME}\\+[\"']{_JOINT}\\+[\"'])((?:\\{{2,}}[\"']?|\\[^\"'\r\n]|[^\\\r\n])*)"
# A semicolon ends a value only where the next key of a connection string follows.
_ASSIGNED = (
    rf"(?i)({_NAME}\\*[\"']?{_JOINT})(?!\[redacted|\\*[\"'{{\[])"
    r"((?:[^\s\"'&;]|;(?![A-Za-z][A-Za-z _-]{0,40}=))+)"
)
_SCHEME = r"(?i)(\b(?:bearer|basic)[ \t]{1,4})(?=[a-z+/=._~-]{0,512}[0-9])([a-z0-9+/=._~-]{8,})"
_AUTH = r"(?i)([\"']auth[\"'][ \t]{0,8}:[ \t]{0,8}[\"'])([^\"'\r\n]{8,})"
_OPTION = rf"(?i)(?<![\w-])(--?(?:[a-z]{{1,20}}-){{0,3}}{_NAME}[ \t]{{1,4}}[\"']?)([^\s\"'-][^\s\"']*)"
# The user stands on the line of the program, or on the next one of a command that a backslash continues.
_CURL = (
    r"(?i)((?:\bcurl\b[^\r\n]{0,400}?|^)[ \t](?:-u|--user)[ \t=]{0,4}[\"']?)"
    r"([^\s:]{0,256}:[^\s]{1,1024}?)(?=[\"']?(?:\s|$))"
)
_NETRC = r"(?i)(\blogin[ \t]{1,8}[^\s]{1,256}[ \t]{1,8}password[ \t]{1,8})([^\s]{1,1024})"
_PGPASS = (
    r"(?<![\w./])([\w.*-]{1,253}:(?:[0-9]{4,5}|\*):[\w*-]{1,64}:[\w*-]{1,64}:)([^\s:]{1,1024})(?=[\r\n]|$)"
)
_VARIABLE = (
    rf"(?i)(\"[^\"\r\n]{{0,80}}{_NAME}\"[ \t]{{0,4}}\{{[^}}\r\n]{{0,200}}?\bdefault{_JOINT}\")"
    r"([^\"\r\n]+)"
)
_SIGNED = (
    r"(?i)([?&;](?:x-(?:amz|goog)-(?:signature|security-token|credential)|signature|sig|key)=)"
    r"([^&\s\"'#]{16,})"
)
_PORT = re.compile(r":(?:[0-9]{4,5}|\*):[\w*]")


class _Rule(NamedTuple):
    """What is looked for: what stays is the first group, what is hidden the last.

    Attributes:
        pattern: The whole form.
        words: Without one of these, in lower case, the form cannot be there.
    """

    pattern: re.Pattern[str]
    words: tuple[str, ...]


_NAMES = ("authorization", "cookie", "passw", "passphrase", "pwd", "secret", "token", "key", "credential")


@cache
def _rules() -> tuple[_Rule, ...]:
    """The rules, in order."""
    rules = (
        (_OWN_KEY, ("ilk_",)),
        (_USERINFO, ("://",)),
        (_HEADER, ("authorization", "cookie")),
        (_QUOTED, _NAMES),
        (_ESCAPED, _NAMES),
        (_ASSIGNED, _NAMES),
        (_SCHEME, ("bearer", "basic")),
        (_AUTH, ('"auth', "'auth")),
        (_OPTION, ("-",)),
        (_CURL, ("curl", "-u")),
        (_NETRC, ("login",)),
        (_PGPASS, (":",)),
        (_VARIABLE, ("default",)),
        (_SIGNED, ("signature=", "sig=", "key=", "x-amz-", "x-goog-")),
    )
    return tuple(_Rule(re.compile(pattern, re.MULTILINE), words) for pattern, words in rules)


# What stands for a secret and is none: a reference, a variable, a mask, a word of an example.
_NO_SECRET = re.compile(
    r"""(?ix)
    (?: null | none | nil | undefined | true | false )[,;})\]]*
    | \$[{(].* | \$[a-z0-9_]+\W* | %[a-z_]+% | \{\{.*\}\} | <[^>]*> | `.*
    | (?: env | vault | file ): [^\s]+
    | (?: process\.env | os\.(?:environ|getenv) | self | this | import\.meta | settings | config ) [.\[(] .*
    | .{0,12}?(.)\1{5,}.{0,4} | [*x.\u2022]{3,} | ([a-z0-9])\2{2,} | [a-z]{1,4}-?\.{3,}
    | your[-_ ].* | .*[-_]here | redacted | \[redacted.* | change-?me\W* | placeholder
    | example | pass | pw | test
    | bearer | basic | digest
    """
)
_MASKED = re.compile(r"(?i)x{8}|#{6}|\*{4}|your[_-]|_your|_here\b|example|redacted")
_PROSE = re.compile(r"(?i)(?:bearer|basic|token)[ \t]+[a-z]{1,20}(?:[ \t]+[a-z]+){2,}")


def is_no_secret(value: str) -> bool:
    """Whether a value under a secret name stands for a secret, and is none."""
    text = value.strip()
    if not text or _MASKED.search(text):
        return True
    return _NO_SECRET.fullmatch(text) is not None or is_secret_name(text.rstrip(";,)"))


_PAIRS = (_USERINFO, _CURL)


def _password(pair: str) -> str:
    """What stands behind the name of a user; the name itself where nothing does."""
    name, _, password = pair.strip("\"'").partition(":")
    return password.strip("\"'") or name


def _shown(match: re.Match[str]) -> str:
    """What is shown instead of what a rule found."""
    value = match[match.lastindex or 0]
    scheme, _, held = value.partition(" ")
    if is_no_secret(held if held and scheme.lower() in {"bearer", "basic", "token"} else value):
        return match[0]
    if _PROSE.match(value) or (match.re.pattern in _PAIRS and is_no_secret(_password(value))):
        return match[0]
    return match[1] + HIDDEN


_TRIGGERS = (
    *("cookie", "passphrase", "pwd", "secret", "token", "credential"),
    *("://", "auth", "curl", "-u", "signature=", "sig=", "key="),
)
_KEY_TRIGGERS = ("apikey", "accesskey", "accountkey", "privatekey", "signingkey", "encryptionkey")


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether a field or header of this name holds a secret, however it is written: `X-API-Key`, `apiKey`."""
    plain = _PUNCTUATION.sub("", name.lower())
    return plain in _EXACT or plain.endswith(_ENDINGS)


def may_hold_fields(text: str) -> bool:
    """Whether `hide_fields` could change a text: quick, and never wrong with a no."""
    lower = text.lower()
    if "ilk_" in lower or "bearer" in lower or "basic" in lower or "passw" in lower:
        return True
    # All other forms have one of these in their line.
    if ":" not in lower and "=" not in lower and "-" not in lower:
        return False
    lines = [line for line in lower.split("\n") if ":" in line or "=" in line or "-" in line]
    lower = "\n".join(lines)
    for word in _TRIGGERS:
        if word in lower:
            return True
    return _may_hold_keys(lower) or (":" in lower and _PORT.search(lower) is not None)


def _may_hold_keys(lower: str) -> bool:
    """Whether a text in lower case holds a name that ends in `key`, however its words are joined."""
    if "key" not in lower:
        return False
    plain = lower.replace("-", "").replace("_", "")
    return any(word in plain for word in _KEY_TRIGGERS)


def hide_fields(text: str) -> str:
    """The text with what stands after secret names hidden."""
    if not may_hold_fields(text):
        return text
    if len(text) > _LONG:
        return "".join(map(_hide_line, _ENDS.split(text)))
    return _hide_line(text)


def _hide_line(text: str) -> str:
    """A stretch of text with what stands after secret names hidden."""
    if not may_hold_fields(text):
        return text
    lower = text.lower()
    for rule in _rules():
        if any(word in lower for word in rule.words):
            text = rule.pattern.sub(_shown, text)
    return text
