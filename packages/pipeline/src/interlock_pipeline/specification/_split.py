"""Splits a specification into requirements by structure alone: no model, no guess about meaning.

The rules, in the order in which they decide:

1. A heading is context; a heading with nothing below it is a requirement. The title never is.
2. A section that is set aside (non-goals, glossary …) is context in full.
3. A code block belongs to what stands right before it.
4. In the introduction and in quotes a paragraph counts only when it holds a keyword.
5. A lead-in (ends with a colon, before a list, table or clause) is context for what follows.
6. A list item is one requirement with what is nested in it, unless it ends with a colon: then each child is.
7. A table row, a numbered clause and any other paragraph is one requirement.

Every line that is not in a requirement is context; nothing is both.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from interlock_pipeline.specification._blocks import Block, BlockKind, Item, blocks_of, lines_of

_KEYWORD = re.compile(r"\b(must|shall|should|required|needs\s+to)\b", re.IGNORECASE)
_INTRODUCTION = frozenset(
    {"introduction", "overview", "summary", "background", "motivation", "purpose", "context", "why"}
)
_SET_ASIDE = frozenset(
    {
        *("non goals", "out of scope", "not in scope", "glossary", "references", "changelog"),
        *("revision history", "contents", "table of contents"),
    }
)
_ONLY_LINK = re.compile(
    r"^!?\[[^\]]*\](\([^)]*\)|\[[^\]]*\])?$|^<[a-z][a-z0-9+.-]*:[^>\s]*>$|^https?://\S+$", re.I
)
_ONLY_LOCAL_LINK = re.compile(r"^\[[^\]]*\]\(#[^)]*\)$")
_NUMBER = re.compile(r"^[\d.]+\s+")
_PUNCTUATION = re.compile(r"[\W_]+")
_SENTENCE_INSIDE = re.compile(r"[.!?]\s")
_COLONS = (":", "\uff1a")
_TITLE_LENGTH = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One thing that the specification asks for.

    Attributes:
        id: `R1`, `R2`, … in the order of the specification.
        lines: First and last line, 1-based, both included.
        text: Its words without markers.
        source: Its lines as they stand in the specification.
        path: The headings and lead-ins that it stands under, outermost first.
        done: Its box is ticked.
    """

    id: str
    lines: tuple[int, int]
    text: str
    source: str
    path: tuple[str, ...] = ()
    done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """A specification and its requirements.

    Attributes:
        name: File name, for references to it.
        title: Its title, or the file name.
        requirements: In order.
        lines: All its lines.
    """

    name: str
    title: str
    requirements: tuple[Requirement, ...]
    lines: tuple[str, ...]


def split(text: str, *, name: str = "specification") -> Specification:
    """Split a specification into its requirements.

    Args:
        text: Markdown or plain text.
        name: File name, for references to it.
    """
    lines = lines_of(text)
    blocks = blocks_of(lines)
    title = _title_index(blocks)
    found = list(_Walk(blocks, title).requirements())
    requirements = tuple(
        replace(entry, id=f"R{number}", source="\n".join(lines[entry.lines[0] - 1 : entry.lines[1]]))
        for number, entry in enumerate(found, start=1)
    )
    heading = blocks[title].text if title is not None else name
    return Specification(name=name, title=heading, requirements=requirements, lines=tuple(lines))


def _title_index(blocks: Sequence[Block]) -> int | None:
    headings = [index for index, block in enumerate(blocks) if block.kind is BlockKind.HEADING]
    if headings:
        first = headings[0]
        level = blocks[first].level
        return first if all(blocks[index].level > level for index in headings[1:]) else None
    first = next((index for index, block in enumerate(blocks) if block.kind is not BlockKind.OTHER), None)
    if first is None or blocks[first].kind is not BlockKind.PARAGRAPH or first + 1 >= len(blocks):
        return None
    block = blocks[first]
    short = block.first == block.last and len(block.text.strip()) <= _TITLE_LENGTH
    return first if short and block.text.rstrip()[-1:] not in ".!?;:" else None


def _plain(heading: str) -> str:
    return _PUNCTUATION.sub(" ", _NUMBER.sub("", heading)).strip().casefold()


def _is_context_only(block: Block) -> bool:
    return block.kind is BlockKind.OTHER or (
        block.kind is BlockKind.PARAGRAPH and _ONLY_LINK.match(block.text.strip()) is not None
    )


class _Walk:
    """One walk over the blocks, with the section that it stands in."""

    def __init__(self, blocks: Sequence[Block], title: int | None) -> None:
        self._blocks = blocks
        self._title = title
        self._headings: list[Block] = []
        self._lead_in: str | None = None
        self._introduction = self._has_structure(blocks, title)
        self._aside_level: int | None = None
        self._introduction_level: int | None = None

    @staticmethod
    def _has_structure(blocks: Sequence[Block], title: int | None) -> bool:
        kinds = {block.kind for index, block in enumerate(blocks) if index != title}
        return bool(kinds & {BlockKind.HEADING, BlockKind.LIST, BlockKind.TABLE, BlockKind.CLAUSE})

    def requirements(self) -> Iterator[Requirement]:
        """The requirements in order, ids and sources still empty."""
        last: Requirement | None = None
        for index, block in enumerate(self._blocks):
            if block.kind is BlockKind.CODE:
                if last is not None:
                    last = replace(last, lines=(last.lines[0], block.last))
                continue
            if last is not None:
                yield last
                last = None
            for entry in self._of_block(index, block):
                if last is not None:
                    yield last
                last = entry
            if not self._may_own_code(block, last):
                if last is not None:
                    yield last
                last = None
        if last is not None:
            yield last

    @staticmethod
    def _may_own_code(block: Block, last: Requirement | None) -> bool:
        owners = {BlockKind.PARAGRAPH, BlockKind.CLAUSE, BlockKind.QUOTE, BlockKind.TABLE}
        return last is not None and block.kind in owners and last.lines[1] == block.last

    def _of_block(self, index: int, block: Block) -> Iterator[Requirement]:
        if block.kind is BlockKind.HEADING:
            yield from self._of_heading(index, block)
            return
        if index == self._title or self._aside_level is not None or _is_context_only(block):
            return
        lead_in, self._lead_in = self._lead_in, None
        match block.kind:
            case BlockKind.LIST:
                yield from self._of_items(block.items, self._path(lead_in))
            case BlockKind.TABLE:
                rows = (row for row in block.items if row.text.strip())
                yield from (self._entry(row.first, row.last, row.text, self._path(lead_in)) for row in rows)
            case BlockKind.CLAUSE:
                yield from self._of_clause(index, block, lead_in)
            case BlockKind.QUOTE:
                if _KEYWORD.search(block.text):
                    yield self._entry(block.first, block.last, block.text, self._path(None))
            case _:
                yield from self._of_paragraph(index, block)

    def _of_heading(self, index: int, block: Block) -> Iterator[Requirement]:
        self._lead_in = None
        self._headings = [heading for heading in self._headings if heading.level < block.level]
        if self._aside_level is not None and block.level <= self._aside_level:
            self._aside_level = None
        self._introduction = False
        if self._introduction_level is not None and block.level <= self._introduction_level:
            self._introduction_level = None
        if index == self._title:
            self._introduction = self._has_structure(self._blocks, self._title)
            return
        if self._aside_level is None and block.text.strip() and self._is_leaf(index, block):
            yield self._entry(block.first, block.last, block.text, self._path(None))
        self._headings.append(block)
        name = _plain(block.text)
        if self._aside_level is None and name in _SET_ASIDE:
            self._aside_level = block.level
        if self._introduction_level is None and name in _INTRODUCTION:
            self._introduction_level = block.level

    def _is_leaf(self, index: int, block: Block) -> bool:
        for after in range(index + 1, len(self._blocks)):
            following = self._blocks[after]
            if following.kind is not BlockKind.OTHER:
                return following.kind is BlockKind.HEADING and following.level <= block.level
        return True

    def _of_paragraph(self, index: int, block: Block) -> Iterator[Requirement]:
        if self._is_lead_in(index, block):
            self._lead_in = block.text
            return
        if not block.text.strip() or (self._in_introduction() and not _KEYWORD.search(block.text)):
            return
        yield self._entry(block.first, block.last, block.text, self._path(None))

    def _of_clause(self, index: int, block: Block, lead_in: str | None) -> Iterator[Requirement]:
        following = self._blocks[index + 1] if index + 1 < len(self._blocks) else None
        deeper = (
            following is not None
            and following.kind is BlockKind.CLAUSE
            and following.number.startswith(f"{block.number}.")
        )
        if deeper and not _KEYWORD.search(block.text):
            return
        if self._is_lead_in(index, block):
            self._lead_in = block.text
            return
        yield self._entry(block.first, block.last, block.text, self._path(lead_in))

    def _is_lead_in(self, index: int, block: Block) -> bool:
        text = block.text.strip()
        if not text.endswith(_COLONS) or _SENTENCE_INSIDE.search(text) or index + 1 >= len(self._blocks):
            return False
        return self._blocks[index + 1].kind in {BlockKind.LIST, BlockKind.TABLE, BlockKind.CLAUSE}

    def _of_items(self, items: Sequence[Item], path: tuple[str, ...]) -> Iterator[Requirement]:
        for item in items:
            own = item.own.strip()
            if item.children and own.endswith(_COLONS):
                yield from self._of_items(item.children, (*path, own))
            elif (item.text.strip() or item.code) and not _ONLY_LOCAL_LINK.match(item.text.strip()):
                yield self._entry(item.first, item.last, item.text, path, done=item.done)

    def _in_introduction(self) -> bool:
        return self._introduction or self._introduction_level is not None

    def _path(self, lead_in: str | None) -> tuple[str, ...]:
        headings = tuple(heading.text for heading in self._headings)
        return headings if lead_in is None else (*headings, lead_in)

    @staticmethod
    def _entry(first: int, last: int, text: str, path: tuple[str, ...], *, done: bool = False) -> Requirement:
        return Requirement(id="", lines=(first, last), text=text.strip(), source="", path=path, done=done)
