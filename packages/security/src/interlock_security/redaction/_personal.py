"""Personal data: mail addresses, phone numbers, payment cards, bank accounts, national ids, IP addresses.

Each form is found by a cheap pattern over one line and then proven: a card by its check digit and issuer, an
account by its country's length and check, a phone number by the numbering plan of its country, an address of
the network by being public (what is private or loopback names no person).

Not covered: names, street addresses, dates of birth; the extra `presidio` finds some of them.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address, IPv6Network

from interlock_security.redaction._matcher import Span
from interlock_security.redaction._national import luhn, national_ids, near

_LOCAL = re.compile(r"(?<![^\W_])[\w.!#$%&'*+/=?^`{|}~-]{1,64}\Z")
_DOMAIN = re.compile(
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:xn--[a-z0-9-]{2,59}|[^\W\d_]{2,24})(?![\w@])"
)
_FILES = frozenset(
    {"png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "css", "js", "ts", "json", "py", "html", "md", "txt"}
)
_CARD = re.compile(r"(?<![0-9A-Za-z_.+-])(?:[0-9][ -]?){11,18}[0-9](?![0-9A-Za-z_]|[.-][0-9])")
_ISSUERS = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})$|(?:5[1-5]|2(?:2[2-9]|[3-6]|7[01])[0-9])[0-9]{14}$|2720[0-9]{12}$"
    r"|5[1-5][0-9]{14}$|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9])[0-9]{12}$"
    r"|3[47][0-9]{13}$|3(?:0[0-5]|[689][0-9])[0-9]{11}$|6(?:011|5[0-9]{2}|4[4-9][0-9])[0-9]{12}$"
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12}$|62[0-9]{14,17}$|(?:5018|5019|5020|5038|5893|6304|6759|676[1-3])[0-9]{8,15}$"
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]){11,30}(?![A-Za-z0-9])", re.IGNORECASE)
# To a pattern that takes either case the sign for Kelvin is a K, and a dotted I an I.
_PLAIN = str.maketrans({"\u212a": "K", "\u0130": "I"})
_V4 = re.compile(r"(?<![\w.-])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w-]|\.[0-9])")
_V6 = re.compile(r"(?<![\w:.])[23][0-9A-Fa-f]{3}:(?:[0-9A-Fa-f]{0,4}:){1,6}[0-9A-Fa-f]{0,4}(?![\w:])")
_PHONE = re.compile(r"(?<![\w.+-])(?:\+|00)?\(?[0-9](?:[ \u00a0./()-]{0,3}[0-9]){6,16}(?![\w]|[.-][0-9])")
_PHONE_CUE = re.compile(
    r"(?i)(?:\b(?:tel|telephone|telefon|tél|téléphone|telefono|teléfono|telefone|phone|fon|mobile?|mobil|cell"
    r"|handy|fax|call|ring|sms|text|whatsapp|contact|hotline|dial|reach|anruf\w*|ruf\w*|rufen)\b|tel:|☎|📞|電話|电话|전화)"
)
_NORTH_AMERICAN = re.compile(r"\(?[2-9][0-9]{2}(?:\) ?|[-. ])[2-9][0-9]{2}[-. ][0-9]{4}")
_APART = re.compile(r"[0-9][ \u00a0./()-]+[0-9]")
_DECIMAL = re.compile(r"[0-9]+\.[0-9]+")
_NO_PHONE = re.compile(
    r"(?i)\b(?:isbn|issn|doi|ean|asin|rfc|iso|din|ref|order|invoice|article)\b[^0-9]{0,12}$"
)
_VERSIONS = re.compile(r"(?i)(?:version|ver\.?|\bv|release|firmware|build|mask|oid)[ :=]*$")

_GLOBAL = IPv6Network("2000::/3")

# Lengths of accounts by country: SWIFT's registry of IBAN formats.
_ACCOUNTS = {
    **dict.fromkeys(("NO",), 15),
    **dict.fromkeys(("BE",), 16),
    **dict.fromkeys(("DK", "FI", "FO", "GL", "NL", "FK", "SD"), 18),
    **dict.fromkeys(("MK", "SI"), 19),
    **dict.fromkeys(("AT", "BA", "EE", "KZ", "LT", "LU", "XK", "MN"), 20),
    **dict.fromkeys(("CH", "CR", "HR", "LI", "LV"), 21),
    **dict.fromkeys(("BG", "BH", "DE", "GB", "GE", "IE", "ME", "RS"), 22),
    **dict.fromkeys(("AE", "GI", "IL", "IQ", "TL", "OM", "SO"), 23),
    **dict.fromkeys(("AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN", "VG"), 24),
    **dict.fromkeys(("LY", "PT", "ST"), 25),
    **dict.fromkeys(("IS", "TR"), 26),
    **dict.fromkeys(("FR", "GR", "IT", "MC", "MR", "SM", "BI", "DJ"), 27),
    **dict.fromkeys(("AL", "AZ", "BY", "CY", "DO", "GT", "HU", "LB", "NI", "PL", "SV"), 28),
    **dict.fromkeys(("BR", "EG", "PS", "QA", "UA"), 29),
    **dict.fromkeys(("JO", "KW", "MU", "YE"), 30),
    **dict.fromkeys(("MT", "SC"), 31),
    **dict.fromkeys(("LC",), 32),
    **dict.fromkeys(("RU",), 33),
}
COUNTRIES = tuple(_ACCOUNTS)
"""Countries that have such accounts."""


def _mails(text: str) -> Iterator[Span]:
    at = text.find("@")
    while at >= 0:
        local = _LOCAL.search(text, max(0, at - 64), at)
        domain = _DOMAIN.match(text, at + 1) if local else None
        if local and domain and _is_mail(local[0], domain[0], text[domain.end() : domain.end() + 1]):
            yield Span(local.start(), domain.end(), "[redacted:email]")
        at = text.find("@", at + 1)


def _is_mail(local: str, domain: str, after: str) -> bool:
    """`git@host:path` is where a repository is, `sprite@2x.png` a file."""
    if domain.rpartition(".")[2].lower() in _FILES or local.startswith(".") or ".." in local:
        return False
    return not (after == ":" and local == "git")


def _cards(text: str) -> Iterator[Span]:
    for match in _CARD.finditer(text):
        digits = re.sub(r"[ -]", "", match[0])
        if _ISSUERS.match(digits) and len(set(digits)) > 1 and luhn(digits):
            yield Span(match.start(), match.end(), "[redacted:card]")


def _accounts(text: str) -> Iterator[Span]:
    for match in _IBAN.finditer(text):
        length = _ACCOUNTS.get(match[0][:2].upper())
        if length is None:
            continue
        end = _end_of(match[0], length)
        plain = re.sub(r"[ -]", "", match[0][:end]).upper().translate(_PLAIN)
        if len(plain) == length and _iban_holds(plain) and not match[0][end : end + 1].isalnum():
            yield Span(match.start(), match.start() + end, "[redacted:iban]")


def _end_of(text: str, length: int) -> int:
    """Where so many letters and digits end."""
    seen = 0
    for place, char in enumerate(text):
        seen += char.isalnum()
        if seen == length:
            return place + 1
    return len(text)


def _iban_holds(plain: str) -> bool:
    """ISO 13616: the account, its head moved to the end, is 1 modulo 97."""
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


def _addresses(text: str) -> Iterator[Span]:
    if text.count(".") >= 3:
        for match in _V4.finditer(text):
            if _is_public_v4(match[0]) and not _VERSIONS.search(
                text, near(text, match.start()), match.start()
            ):
                yield Span(match.start(), match.end(), "[redacted:ip]")
    if text.count(":") >= 2:
        for match in _V6.finditer(text):
            if _is_public_v6(match[0]):
                yield Span(match.start(), match.end(), "[redacted:ip]")


def _is_public_v4(text: str) -> bool:
    try:
        address = IPv4Address(text)
    except AddressValueError:
        return False
    return _names_somebody(address)


def _is_public_v6(text: str) -> bool:
    try:
        address = IPv6Address(text)
    except AddressValueError:
        return False
    return _names_somebody(address)


def _names_somebody(address: IPv4Address | IPv6Address) -> bool:
    # Addresses kept for documents stand for public ones: what is tried with them behaves as with those.
    if address.exploded.startswith(("192.0.2.", "198.51.100.", "203.0.113.", "2001:0db8:")):
        return True
    if isinstance(address, IPv6Address) and address not in _GLOBAL:
        return False
    return address.is_global and not address.is_multicast


class Phones:
    """Finds phone numbers.

    Args:
        regions: Countries (ISO 3166) whose numbers are known without a country code.
    """

    def __init__(self, regions: Sequence[str]) -> None:
        self._regions = tuple(regions)

    def __call__(self, text: str) -> Iterator[Span]:
        """Every phone number in a text."""
        for match in _PHONE.finditer(text):
            number = match[0]
            before = near(text, match.start())
            international = number.startswith(("+", "00"))
            written = number[0] in "(0" and bool(_APART.search(number))
            cue = _PHONE_CUE.search(text, before, match.start()) is not None
            dashed = _NORTH_AMERICAN.fullmatch(number) is not None
            if not (international or written or cue or dashed) or _DECIMAL.fullmatch(number):
                continue
            if _NO_PHONE.search(text, before, match.start()):
                continue
            if self._is_number(number, cue=cue or dashed, international=international):
                yield Span(match.start(), match.end(), "[redacted:phone]")

    def _is_number(self, text: str, *, cue: bool, international: bool) -> bool:
        import phonenumbers

        if international:
            regions: Sequence[str | None] = (None,)
            text = "+" + text.lstrip("+0") if text.startswith("00") else text
        else:
            regions = self._regions
        for region in regions:
            try:
                number = phonenumbers.parse(text, region)
            except phonenumbers.NumberParseException:
                continue
            if phonenumbers.is_valid_number(number):
                return True
            if (cue or international) and phonenumbers.is_possible_number(number) and region is None:
                return True
        return False


REGIONS = (
    *("US", "GB", "DE", "FR", "ES", "IT", "NL", "AT", "CH", "SE", "PL", "BR", "IN", "JP", "KR", "AU", "ZA"),
    *("MX", "TR", "IL", "CN", "SG", "AE", "NG"),
)
"""Countries whose phone numbers are known without a country code, unless the settings say others."""

Finder = Callable[[str], Iterator[Span]]
"""Finds what is personal in a text; nothing that it finds spans two lines."""


@cache
def finders() -> Mapping[str, Finder]:
    """What finds each kind, by its name in the settings."""
    return {
        "email": _mails,
        "card": _cards,
        "iban": _accounts,
        "national-id": national_ids,
        "ip": _addresses,
        "phone": Phones(REGIONS),
    }
