"""What the values of an enumeration mean, as extensions of several makers say it."""

from interlock_core.jsontypes import Json, JsonObject, as_array, as_object
from interlock_tools.openapi._plain import plain

_LONGEST = 200
_LONGEST_ONE = 60
_LISTS = ("x-enum-varnames", "x-enumNames", "x-enum-names")
_SAID = ("x-enum-descriptions", "x-enumDescriptions", "x-enum-description", "x-enumsDescriptions")


def meanings(raw: JsonObject) -> str:
    """Value and meaning of each, in one line; empty when nothing says more than the values do."""
    values = as_array(raw.get("enum"))
    if not any(key.startswith("x-") for key in raw):
        return ""
    told = _told(raw, values)
    listed: list[str] = []
    room = _LONGEST
    for value in values:
        meaning = plain(told.get(str(value), "")[:400])[:_LONGEST_ONE]
        if not meaning or meaning.lower() == str(value).lower():
            continue
        line = f"{value}: {meaning}"
        room -= len(line) + 2
        if room < 0:
            listed.append("…")
            break
        listed.append(line)
    return "; ".join(listed)


def _told(raw: JsonObject, values: list[Json]) -> dict[str, str]:
    told: dict[str, str] = {}
    for key in (*_LISTS, *_SAID):
        said = raw.get(key)
        if isinstance(said, dict):
            told.update({name: text for name, text in said.items() if isinstance(text, str)})
        elif isinstance(said, list) and len(said) == len(values):
            told.update(
                {str(value): text for value, text in zip(values, said, strict=True) if isinstance(text, str)}
            )
    for item in as_array(as_object(raw.get("x-ms-enum")).get("values")):
        known = as_object(item)
        text = known.get("description") or known.get("name")
        if isinstance(text, str):
            told[str(known.get("value"))] = text
    return told
