"""The text of an issue: summary, the requirement word for word, its source lines, its marker."""

from interlock_pipeline.spec_to_github._harmless import code_span, is_plain, one_line, quoted
from interlock_pipeline.spec_to_github._marker import unmarked
from interlock_pipeline.specification import Requirement

_MOST_UNITS = 65_000  # GitHub takes 65,536 characters; counted in UTF-16 units, which are never fewer
_LONGEST_HEADING = 80
_LONGEST_SECTION = 400


def body_of(requirement: Requirement, *, specification: str, summary: str, marker: str) -> str:
    """The body of an issue, in Markdown on which GitHub acts nowhere.

    Args:
        requirement: What it is about; what does not fit is cut, and the cut says where the rest is.
        specification: File name of the specification.
        summary: The model's sentence; left out when GitHub would act on something in it.
        marker: The requirement's marker.
    """
    said = one_line(summary)
    before = [said] if said and is_plain(said) else []
    before.append(f"**Requirement {requirement.id}**, word for word:")
    after = [f"Source: {_place(requirement, specification)}.", marker]
    room = _MOST_UNITS - sum(_units(part) + 2 for part in [*before, *after])
    return "\n\n".join([*before, *_quote(requirement, specification, room), *after])


def lines_of(requirement: Requirement) -> str:
    """The requirement's lines in words, such as `lines 3-4`."""
    first, last = requirement.lines
    return f"line {first}" if first == last else f"lines {first}-{last}"


def _place(requirement: Requirement, specification: str) -> str:
    place = f"{code_span(specification)}, {lines_of(requirement)}"
    section = " / ".join(_short(heading, _LONGEST_HEADING) for heading in requirement.path)
    return f"{place}, section {code_span(_short(section, _LONGEST_SECTION))}" if section.strip() else place


def _quote(requirement: Requirement, specification: str, room: int) -> list[str]:
    source = unmarked(requirement.source)
    whole = quoted(source)
    if _units(whole) <= room:
        return [whole]
    first, last = requirement.lines
    rest = f"Cut here: the whole text is in {code_span(specification)}, lines {first} to {last}."
    # Prefixes of lines and hidden characters that are written out make a text longer, so halve until it fits.
    length = min(len(source), room)
    while _units(shortened := quoted(_whole_lines(source[:length]))) + _units(rest) + 2 > room:
        length //= 2
    return [shortened, rest]


def _whole_lines(text: str) -> str:
    """The text up to its last line end; all of it where that would be less than half."""
    end = text.rfind("\n")
    return text[:end] if end > len(text) // 2 else text


def _units(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)


def _short(text: str, most: int) -> str:
    words = " ".join(text.split())
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}…"
