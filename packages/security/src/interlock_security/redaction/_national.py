"""Numbers that name a person, by the check digits of the country that gives them out.

Each rule is a pattern and a check, tried only where a word begins that could be such a number. A form that
any number could have (nine or eleven digits without marks) counts only beside a word that says what it is;
what has a form of its own counts alone.

Where the checks come from: the public descriptions of each scheme.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import NamedTuple

from interlock_security.redaction._matcher import Span

HIDDEN = "[redacted:national-id]"
"""What stands for such a number."""

_CUE = re.compile(
    r"(?i)\b(?:ssn|social security|sozialversicherung|steuer|tax|tin|itin|nino|national insurance|insee"
    r"|s[ée]curit[ée] sociale|nir|dni|nie|nif|codice fiscale|bsn|burgerservice|sofi|personnummer"
    r"|f[øo]dselsnummer|cpr|pesel|cpf|aadhaar|aadhar|pan|sin|social insurance|tfn|nhs|national id"
    r"|identit(?:y|ät|é)|identification|id (?:no|number|card)|my ?number|rut|curp|passport|hetu|jmbg|egn|cnp"
    r"|kimlik|rijksregister\w*"
    r"|registre national|cart[ãa]o de cidad[ãa]o|cc)\b|주민등록|身份证|マイナンバー"
)
_NEAR = 40
# Where a word begins that could be such a number: at most six letters, then five digits not far apart, or the
# four digits of India's PAN between its letters.
_CANDIDATE = re.compile(
    r"(?<![A-Za-z0-9_.-])(?=[A-Z0-9]{2}|[12] [0-9]{2})"
    r"(?=(?:[A-Z]{0,6}[ .+-]?[0-9]){5}|[A-Z]{5}[0-9]{4}[A-Z])"
)


class _Rule(NamedTuple):
    pattern: re.Pattern[str]
    check: Callable[[str], bool]
    needs_cue: bool = False


def near(text: str, at: int) -> int:
    """Where to begin to look for words that say what stands at a place: on its line, not far before."""
    return max(at - _NEAR, text.rfind("\n", 0, at) + 1)


def national_ids(text: str) -> Iterator[Span]:
    """Every number of a person in a text."""
    for candidate in _CANDIDATE.finditer(text):
        at = candidate.start()
        cue = _CUE.search(text, near(text, at), at) is not None
        for rule in _RULES:
            if rule.needs_cue and not cue:
                continue
            match = rule.pattern.match(text, at)
            if match and rule.check(match[0]):
                yield Span(at, match.end(), HIDDEN)


def _digits(text: str) -> list[int]:
    return [int(char) for char in text if char.isdigit() and char.isascii()]


def luhn(text: str) -> bool:
    """Whether the digits of a text have the check digit of Luhn (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(_digits(text))):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _weighted(digits: list[int], weights: tuple[int, ...]) -> int:
    return sum(digit * weight for digit, weight in zip(digits, weights, strict=False))


def _us(text: str) -> bool:
    digits = "".join(filter(str.isdigit, text))
    return (
        digits[:3] not in {"000", "666"} and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"
    )


def _itin(text: str) -> bool:
    digits = "".join(filter(str.isdigit, text))
    group = int(digits[3:5])
    return digits[0] == "9" and (50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or group >= 94)


def _uk(text: str) -> bool:
    plain = text.replace(" ", "").upper()
    return plain[:2] not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}


def _nhs(text: str) -> bool:
    digits = _digits(text)
    check = 11 - _weighted(digits, (10, 9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return (0 if check == 11 else check) == digits[9]


def _france(text: str) -> bool:
    plain = re.sub(r"[ .-]", "", text).upper().replace("2A", "19").replace("2B", "18")
    return plain.isdigit() and len(plain) == 15 and 97 - int(plain[:13]) % 97 == int(plain[13:])


_SPAIN = "TRWAGMYFPDXBNJZSQVHLCKE"


def _spain(text: str) -> bool:
    plain = re.sub(r"[ .-]", "", text).upper()
    number = plain[:-1].translate(str.maketrans("XYZ", "012"))
    return number.isdigit() and _SPAIN[int(number) % 23] == plain[-1]


_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (
            *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11),
            *(3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        ),
        strict=True,
    )
)


def _italy(text: str) -> bool:
    plain = text.upper()
    total = 0
    for place, char in enumerate(plain[:15]):
        even = int(char) if char.isdigit() else ord(char) - ord("A")
        total += even if place % 2 else _ODD[char]
    return chr(ord("A") + total % 26) == plain[15]


def _germany(text: str) -> bool:
    """ISO 7064 MOD 11,10, as the tax number of persons uses it."""
    digits = _digits(text)
    product = 10
    for digit in digits[:10]:
        total = (digit + product) % 10 or 10
        product = total * 2 % 11
    return len(digits) == 11 and digits[0] != 0 and (11 - product) % 10 == digits[10]


def _netherlands(text: str) -> bool:
    digits = _digits(text)
    return len(digits) == 9 and _weighted(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 and any(digits)


def _belgium(text: str) -> bool:
    digits = "".join(filter(str.isdigit, text))
    body, check = digits[:9], int(digits[9:])
    return 97 - int(body) % 97 == check or 97 - int("2" + body) % 97 == check


def _sweden(text: str) -> bool:
    digits = "".join(filter(str.isdigit, text))[-10:]
    return 1 <= int(digits[2:4]) <= 12 and 1 <= int(digits[4:6]) % 60 <= 31 and luhn(digits)


_FINLAND = "0123456789ABCDEFHJKLMNPRSTUVWXY"


def _finland(text: str) -> bool:
    return _day(text[:2], text[2:4]) and _FINLAND[int(text[:6] + text[7:10]) % 31] == text[10].upper()


def _day(day: str, month: str) -> bool:
    try:
        date(2000, int(month), int(day))
    except ValueError:
        return False
    return True


def _denmark(text: str) -> bool:
    return _day(text[:2], text[2:4])


def _norway(text: str) -> bool:
    digits = _digits(text)
    first = -_weighted(digits, (3, 7, 6, 1, 8, 9, 4, 5, 2)) % 11
    second = -_weighted(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return first == digits[9] and second == digits[10]


def _poland(text: str) -> bool:
    digits = _digits(text)
    return -_weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10 == digits[10]


def _brazil(text: str) -> bool:
    digits = _digits(text)
    if len(set(digits)) == 1:
        return False
    for length in (9, 10):
        rest = sum(digit * (length + 1 - place) for place, digit in enumerate(digits[:length])) * 10 % 11
        if rest % 10 != digits[length]:
            return False
    return True


def _india(text: str) -> bool:
    """The check of Verhoeff: a permutation of the digits by place, multiplied in the dihedral group D5."""
    check = 0
    for place, digit in enumerate(reversed(_digits(text))):
        check = _d5(check, _permuted(digit, place % 8))
    return check == 0


def _permuted(digit: int, times: int) -> int:
    return digit if times == 0 else _permuted(_PERMUTED[digit], times - 1)


_PERMUTED = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _d5(left: int, right: int) -> int:
    if left < 5:
        return (left + right) % 5 if right < 5 else 5 + (left + right) % 5
    return 5 + (left - right) % 5 if right < 5 else (left - right) % 5


def _australia(text: str) -> bool:
    digits = _digits(text)
    return len(digits) == 9 and _weighted(digits, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0 and any(digits)


def _switzerland(text: str) -> bool:
    digits = _digits(text)
    return -_weighted(digits, (1, 3) * 6) % 10 == digits[12]


def _china(text: str) -> bool:
    digits = [10 if char in "xX" else int(char) for char in text]
    weights = tuple(pow(2, 17 - place) % 11 for place in range(18))
    return _day(text[12:14], text[10:12]) and _weighted(digits, weights) % 11 == 1


def _korea(text: str) -> bool:
    digits = _digits(text)
    check = (11 - _weighted(digits, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10
    return _day(text[4:6], text[2:4]) and check == digits[12]


def _south_africa(text: str) -> bool:
    return _day(text[4:6], text[2:4]) and luhn(text)


def _chile(text: str) -> bool:
    plain = re.sub(r"[.-]", "", text).upper()
    total = sum(int(digit) * (2 + place % 6) for place, digit in enumerate(reversed(plain[:-1])))
    return "0123456789K"[-total % 11] == plain[-1]


def _japan(text: str) -> bool:
    digits = _digits(text)
    total = sum(
        digit * (place + 1 if place <= 6 else place - 5)
        for place, digit in enumerate(reversed(digits[:11]), 1)
    )
    rest = total % 11
    return (0 if rest <= 1 else 11 - rest) == digits[11]


def _portugal(text: str) -> bool:
    digits = _digits(text)
    check = 11 - _weighted(digits[:8], (9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return (0 if check > 9 else check) == digits[8]


def _portugal_card(text: str) -> bool:
    """The check of Luhn over letters too (`A` is 10), as the citizen card has it."""
    total = 0
    for place, char in enumerate(reversed(text)):
        value = int(char, 36) * (2 if place % 2 else 1)
        total += value - 9 if place % 2 and value > 9 else value
    return total % 10 == 0


def _turkey(text: str) -> bool:
    digits = _digits(text)
    tenth = (sum(digits[0:9:2]) * 7 - sum(digits[1:8:2])) % 10
    return tenth == digits[9] and sum(digits[:10]) % 10 == digits[10]


def _pan(text: str) -> bool:
    """Whether a number could have been given out: they begin with 0001."""
    return text[5:9] != "0000"


def _always(text: str) -> bool:
    return bool(text)


def _rule(pattern: str, check: Callable[[str], bool], *, needs_cue: bool = False) -> _Rule:
    return _Rule(re.compile(rf"(?:{pattern})(?![A-Za-z0-9_]|[.-][0-9])"), check, needs_cue)


_RULES: tuple[_Rule, ...] = (
    _rule(r"[0-9]{3}-[0-9]{2}-[0-9]{4}", lambda text: _us(text) or _itin(text)),
    _rule(r"[0-9]{3} [0-9]{2} [0-9]{4}|[0-9]{9}", lambda text: _us(text) or _itin(text), needs_cue=True),
    _rule(r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]", _uk),
    _rule(r"[0-9]{3} [0-9]{3} [0-9]{4}|[0-9]{10}", _nhs, needs_cue=True),
    _rule(
        r"[12] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}",
        _france,
    ),
    _rule(r"(?:[0-9]{8}|[0-9]{2}\.[0-9]{3}\.[0-9]{3}|[XYZ]-?[0-9]{7})-?[A-Z]", _spain),
    _rule(r"[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]", _italy),
    _rule(r"[0-9]{2} [0-9]{3} [0-9]{3} [0-9]{3}", _germany),
    _rule(r"[0-9]{11}", _germany, needs_cue=True),
    _rule(r"[0-9]{9}|[0-9]{4}\.[0-9]{2}\.[0-9]{3}", _netherlands, needs_cue=True),
    _rule(r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}", _belgium),
    _rule(r"[0-9]{11}", _belgium, needs_cue=True),
    _rule(r"[0-9]{9}[A-Z0-9]{2}[0-9]", _portugal_card, needs_cue=True),
    _rule(r"(?:[0-9]{2})?[0-9]{6}[-+][0-9]{4}", _sweden),
    _rule(r"[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]", _finland),
    _rule(r"[0-9]{6}-?[0-9]{4}", _denmark, needs_cue=True),
    _rule(r"[0-9]{6} ?[0-9]{5}", _norway, needs_cue=True),
    _rule(r"[0-9]{11}", _poland, needs_cue=True),
    _rule(r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", _brazil),
    _rule(r"[0-9]{11}", _brazil, needs_cue=True),
    _rule(r"[2-9][0-9]{3} [0-9]{4} [0-9]{4}", _india),
    _rule(r"[2-9][0-9]{11}", _india, needs_cue=True),
    # The fourth letter says whose it is: a person's counts alone, a company's or a fund's beside a word.
    _rule(r"[A-Z]{3}P[A-Z][0-9]{4}[A-Z]", _pan),
    _rule(r"[A-Z]{3}[ABCFGHJLT][A-Z][0-9]{4}[A-Z]", _pan, needs_cue=True),
    _rule(r"[0-9]{3}[ -][0-9]{3}[ -][0-9]{3}", lambda text: luhn(text) or _australia(text), needs_cue=True),
    _rule(r"756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}|756[0-9]{10}", _switzerland),
    _rule(r"[1-9][0-9]{5}(?:18|19|20)[0-9]{9}[0-9Xx]", _china),
    _rule(r"[0-9]{6}-[0-9]{7}", _korea),
    _rule(r"[0-9]{13}", _south_africa, needs_cue=True),
    _rule(r"[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-[0-9Kk]", _chile),
    _rule(r"[A-Z][AEIOUX][A-Z]{2}[0-9]{6}[HMX][A-Z]{5}[A-Z0-9][0-9]", _always),
    _rule(r"[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}", _japan, needs_cue=True),
    _rule(r"[0-9]{9}", _portugal, needs_cue=True),
    _rule(r"[1-9][0-9]{10}", _turkey, needs_cue=True),
)
