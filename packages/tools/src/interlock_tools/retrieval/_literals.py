"""What values a question brings with it, and what values an argument wants: a date, a place, a number.

A tool that needs a date fits a question that names one; a tool that needs coordinates does not fit one that
names none. Both are told apart by their form alone.
"""

import re

from interlock_core.jsontypes import Json, as_object
from interlock_tools.retrieval._words import stem, words

_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)"
)
_DAY = r"(?:to(?:day|morrow|night)|yesterday|(?:mon|tues|wednes|thurs|fri|satur|sun)day|weekend|next week)"
_FORMS = {
    "date": re.compile(
        rf"\b\d{{4}}[-./]\d{{1,2}}(?:[-./]\d{{1,2}})?\b|\b\d{{1,2}}[-./]\d{{1,2}}[-./]\d{{2,4}}\b"
        rf"|\b{_MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?\b"
        rf"|\b\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTH}\b|\b{_DAY}\b",
        re.IGNORECASE,
    ),
    "time": re.compile(
        r"\b\d{1,2}:\d{2}\b|\b\d{1,2} ?[ap]\.?m\b|\b(?:noon|midnight|o'clock)\b", re.IGNORECASE
    ),
    "place": re.compile(
        r"\b(?:in|at|near|for|to|from|of|around|nearby) (?:the )?[A-Z]\w|\b[A-Z][a-z]{1,40}, [A-Z][A-Za-z]"
    ),
    "email": re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}\.\w"),
    "url": re.compile(r"https?://|\bwww\.", re.IGNORECASE),
    "money": re.compile(
        r"[$€£¥] ?\d|\d ?(?:usd|eur|dollars?|euros?|pounds?|yen|yuan|rupees?)\b", re.IGNORECASE
    ),
    "path": re.compile(r"\b[\w-]{1,64}\.[a-z]{2,4}\b(?!\.)|[A-Za-z]:\\|(?<!\w)/\w", re.IGNORECASE),
    "coordinates": re.compile(r"\d{1,3}\.\d{2}"),
}
_NUMBER = re.compile(r"\b\d+(?:\.\d+)?\b|\b(?:two|three|four|five|six|seven|eight|nine|ten)\b", re.IGNORECASE)
_NAMED = {
    stem(word): kind
    for kind, names in {
        "date": "date day",
        "time": "time hour",
        "place": "city location place address destination origin area region country state town venue",
        "email": "email mail",
        "url": "url uri link website",
        "money": "amount price cost budget money balance investment principal fare salary",
        "path": "path file filename folder directory",
        "coordinates": "latitude longitude lat lon lng long coordinates coordinate",
    }.items()
    for word in names.split()
}
_BY_FORMAT = {"date": "date", "date-time": "date", "time": "time", "email": "email", "uri": "url"}


def literals(text: str) -> tuple[frozenset[str], int]:
    """The kinds of value that a text holds, and how many numbers."""
    return frozenset(kind for kind, form in _FORMS.items() if form.search(text)), len(_NUMBER.findall(text))


def kind_wanted(name: str, schema: Json) -> str:
    """The kind of value that an argument wants, by its name, format and type; empty for any other.

    What can be chosen from a list, or is a yes or no, is of no kind: a question need not spell it out.
    """
    facts = as_object(schema)
    if "enum" in facts or facts.get("type") == "boolean":
        return "choice"
    for word in reversed(words(name)):
        if word in _NAMED:
            return _NAMED[word]
    form = facts.get("format")
    if isinstance(form, str) and form in _BY_FORMAT:
        return _BY_FORMAT[form]
    types = facts.get("type")
    kinds = types if isinstance(types, list) else [types]
    return "number" if "integer" in kinds or "number" in kinds else ""
