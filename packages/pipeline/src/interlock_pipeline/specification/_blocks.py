"""A document as a flat list of blocks with their lines, made from markdown-it's syntax tree.

Line numbers are 1-based and inclusive. Only structure is read here; what a block means is decided in
`_split`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

_FENCES = {"---": "---", "+++": "+++"}
_CLAUSE = re.compile(r"^ {0,3}(\d+(?:\.\d+)+)\.?[ \t\u00a0]+(\S.*)$")
_BOX = re.compile(r"^\[([ xX])\](?:\s+|$)")
_BULLET = re.compile(r"^(\s*)•(?=\s)")
_HEADING = re.compile(r"^ {0,3}#{1,6}(\s|$)")
_UNDERLINE = re.compile(r"^ {0,3}(=+|-+)\s*$")
_UNSAID = re.compile(
    r"<!--.*?(?:-->|$)|<(script|style|summary|h[1-6]|title|caption|th)\b.*?(?:</\1\s*>|$)|<[!?/a-z][^>]*(?:>|$)",
    re.DOTALL | re.IGNORECASE,
)
_DEEPEST = 120  # markdown-it's own bound of 20 loses the words of a list in its tenth level


class BlockKind(StrEnum):
    """What a block is by its form."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    CLAUSE = "clause"
    QUOTE = "quote"
    LIST = "list"
    TABLE = "table"
    CODE = "code"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A list item or a table row.

    Attributes:
        first: Its first line.
        last: Its last line, nested items included.
        own: Its own words, before nested items, without box and marker.
        text: All its words, nested items in order, without code.
        done: Its box is ticked.
        code: A block of code stands in it, before nested items.
        children: Nested items, and paragraphs after them.
    """

    first: int
    last: int
    own: str
    text: str
    done: bool = False
    code: bool = False
    children: tuple["Item", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block of a document.

    Attributes:
        kind: What it is.
        first: Its first line.
        last: Its last line.
        text: Its words without markers.
        level: Level of a heading, from 1.
        number: Number of a clause, such as `4.2`.
        items: Items of a list, or rows of a table.
    """

    kind: BlockKind
    first: int
    last: int
    text: str = ""
    level: int = 0
    number: str = ""
    items: tuple[Item, ...] = field(default=())


def lines_of(text: str) -> list[str]:
    """The lines of a text; a line ends at LF, CR LF or CR, and at nothing else."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def blocks_of(lines: Sequence[str]) -> list[Block]:
    """The blocks of a document in order."""
    body = _without_front_matter([_BULLET.sub(r"\1-", line) for line in lines])
    parser = MarkdownIt("commonmark", {"maxNesting": _DEEPEST}).enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])  # what stands within a line is kept as it is
    if not _has_heading(body):
        parser.disable("code")
    # NUL and the Unicode line separators stay what they are: markdown-it only splits at LF.
    tree = SyntaxTreeNode(parser.parse("\n".join(body)))
    return [block for node in tree.children for block in _blocks_of_node(node, body)]


def _without_front_matter(lines: list[str]) -> list[str]:
    closing = _FENCES.get(lines[0].strip()) if lines else None
    if closing is None:
        return lines
    for number, line in enumerate(lines[1:], start=1):
        if line.strip() == closing:
            return [""] * (number + 1) + lines[number + 1 :]
    return lines


def _has_heading(lines: Sequence[str]) -> bool:
    pairs = zip(lines, ["", *lines[:-1]], strict=True)
    return any(_HEADING.match(line) or (_UNDERLINE.match(line) and before.strip()) for line, before in pairs)


def _span(node: SyntaxTreeNode, lines: Sequence[str]) -> tuple[int, int]:
    first, end = node.map or (0, 0)
    while end > first + 1 and not lines[end - 1].strip():
        end -= 1
    while first + 1 < end and not lines[first].strip():  # a form feed is no blank line to Markdown
        first += 1
    return first + 1, max(end, first + 1)


def _blocks_of_node(node: SyntaxTreeNode, lines: Sequence[str]) -> Iterator[Block]:
    first, last = _span(node, lines)
    match node.type:
        case "heading":
            yield from _heading(node, first, last)
        case "paragraph":
            yield from _paragraph(_inline(node), first, last)
        case "blockquote":
            yield Block(kind=BlockKind.QUOTE, first=first, last=last, text=_quoted(node, lines, first, last))
        case "bullet_list" | "ordered_list":
            items = tuple(_item(child, lines) for child in node.children)
            yield Block(kind=BlockKind.LIST, first=first, last=last, items=items)
        case "table":
            yield Block(kind=BlockKind.TABLE, first=first, last=last, items=tuple(_rows(node)))
        case _ if node.type in _CODE:
            yield Block(kind=BlockKind.CODE, first=first, last=last)
        case "html_block":
            words = _words(node)
            kind = BlockKind.PARAGRAPH if words else BlockKind.OTHER
            yield Block(kind=kind, first=first, last=last, text=words)
        case _:
            yield Block(kind=BlockKind.OTHER, first=first, last=last)


def _heading(node: SyntaxTreeNode, first: int, last: int) -> Iterator[Block]:
    text = _inline(node)
    if node.markup in {"=", "-"} and "\n" in text:
        yield from _paragraph(text, first, first + text.count("\n"))
        yield Block(kind=BlockKind.OTHER, first=last, last=last)
        return
    yield Block(kind=BlockKind.HEADING, first=first, last=last, text=text, level=int(node.tag[1:]))


def _paragraph(text: str, first: int, last: int) -> Iterator[Block]:
    """One paragraph, or the clauses that it is made of when it begins with one."""
    source = text.split("\n")
    if not _CLAUSE.match(source[0]):
        yield Block(kind=BlockKind.PARAGRAPH, first=first, last=last, text=" ".join(source))
        return
    starts = [index for index, line in enumerate(source) if _CLAUSE.match(line)]
    for start, end in zip(starts, [*starts[1:], len(source)], strict=True):
        found = _CLAUSE.match(source[start])
        number, words = (found[1], found[2]) if found else ("", source[start])
        said = [index for index in range(start, end) if source[index].strip()]
        yield Block(
            kind=BlockKind.CLAUSE,
            first=first + start,
            last=first + said[-1],
            text=" ".join([words, *(source[index] for index in said[1:])]),
            number=number,
        )


def _inline(node: SyntaxTreeNode) -> str:
    return "\n".join(child.content for child in node.children if child.type == "inline")


def _words(node: SyntaxTreeNode) -> str:
    """All words below a node, code and tags left out, lines and blocks joined by one space."""
    if node.type == "inline":
        return node.content.replace("\n", " ")
    if node.type == "html_block":
        words = " ".join(_UNSAID.sub(" ", node.content).split())
        return words if any(map(str.isalnum, words)) else ""
    return " ".join(part for child in node.children if (part := _words(child)))


def _quoted(node: SyntaxTreeNode, lines: Sequence[str], first: int, last: int) -> str:
    """The words of a quotation; of one that is nested deeper than is read, its lines without marks."""
    words = _words(node)
    if words or any(below.type in {*_CODE, "html_block"} for below in node.walk()):
        return words
    return " ".join(line.strip("> \t") for line in lines[first - 1 : last]).strip()


def _item(node: SyntaxTreeNode, lines: Sequence[str]) -> Item:
    first, last = _span(node, lines)
    nested = next((index for index, child in enumerate(node.children) if child.type in _LISTS), None)
    before = node.children if nested is None else node.children[:nested]
    own, done = _without_box(" ".join(part for child in before if (part := _words(child))))
    children: list[Item] = []
    for child in [] if nested is None else node.children[nested:]:
        if child.type in _LISTS:
            children += [_item(entry, lines) for entry in child.children]
        elif words := _words(child):
            start, end = _span(child, lines)
            children.append(Item(first=start, last=end, own=words, text=words))
        else:
            children[-1] = replace(children[-1], last=_span(child, lines)[1])
    text = " ".join(part for part in [own, *(child.text for child in children)] if part)
    code = any(child.type in _CODE for child in before)
    return Item(first=first, last=last, own=own, text=text, done=done, code=code, children=tuple(children))


_LISTS = frozenset({"bullet_list", "ordered_list"})
_CODE = frozenset({"fence", "code_block"})


def _without_box(text: str) -> tuple[str, bool]:
    found = _BOX.match(text)
    return (text, False) if found is None else (text[found.end() :], found[1] != " ")


def _rows(table: SyntaxTreeNode) -> Iterator[Item]:
    for body in table.children:
        if body.type != "tbody":
            continue
        for row in body.children:
            line = (row.map or (0, 0))[0] + 1
            cells = " ".join(cell for cell in (_words(child) for child in row.children) if cell)
            yield Item(first=line, last=line, own=cells, text=cells)
