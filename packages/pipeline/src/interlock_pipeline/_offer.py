"""Which tools a model is shown: all of them while they are few, else a way to find the fitting ones.

With more tools than a prompt should hold, a model is shown `find_tools`, `describe_tool`, what is pinned, and
the tools that fit the prompt best. Whatever it finds is shown from the next turn on, whole tools with their
schemas, until there is no room: then the one that was not used for longest makes way. What was not shown but
exists and is wanted can be called all the same: it is validated and judged like any other.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias

from interlock_core import CompletionRequest, JsonObject, Permit, ToolCatalog, ToolResult, ToolSpec
from interlock_core.jsontypes import as_array, as_object
from interlock_core.tokens import EstimatingCounter
from interlock_core.toolspec import Effect

FIND, DESCRIBE = "find_tools", "describe_tool"
META_TOOLS = frozenset({FIND, DESCRIBE})
"""Names of the tools that the pipeline answers itself."""

_LARGE = 360
_MOST_SUMMARY = 90
_MOST_QUERY = 2_000

Describe: TypeAlias = Callable[[str, str], JsonObject]
"""Gives a part of a tool's schema in full, by the tool's name and a JSON pointer."""

Allowed: TypeAlias = Callable[[ToolSpec], bool]
"""Whether whoever asks may call a tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOffering:
    """How many tools a model is shown at a time.

    Attributes:
        max_tools: Most tools that are shown all together.
        max_tokens: Most tokens of all of them, estimated.
        search: Whether a model finds tools itself: `auto` where there are more than that, `always`, `never`.
        found_tools: Most tools that are shown because they were found.
        found_tokens: Most tokens of those, estimated; one tool is shown however large.
        seeds: How many tools that fit the prompt are shown from the first turn on.
        pinned: Patterns of tools that are always shown where they may be called.
        latent: Names of tools that are shown only once a result names them, such as one that reads on in it.
        permit: Says which tools may be called: no other is found. None finds every one.
        describe: Gives parts of schemas; without it, a model is given what the catalogue shows.
    """

    max_tools: int = 50
    max_tokens: int = 16_000
    search: Literal["auto", "always", "never"] = "auto"
    found_tools: int = 12
    found_tokens: int = 900
    seeds: int = 3
    pinned: tuple[str, ...] = ()
    latent: tuple[str, ...] = ()
    permit: Permit | None = None
    describe: Describe | None = None

    def is_searched(self, tools: Sequence[ToolSpec]) -> bool:
        """Whether these tools are too many to be shown together."""
        if self.search != "auto" or not tools:
            return self.search == "always" and bool(tools)
        return len(tools) > self.max_tools or any(total > self.max_tokens for total in _running_total(tools))

    def at_first(self, tools: Sequence[ToolSpec]) -> tuple[ToolSpec, ...]:
        """What a run over these tools is shown at the least: all of them, or what finds them."""
        return (FIND_TOOL, DESCRIBE_TOOL) if self.is_searched(tools) else tuple(tools)


def tool_tokens(tools: Sequence[ToolSpec]) -> int:
    """What some tools take of a prompt, estimated."""
    return _tokens_of(tools) - _tokens_of(())


def _tokens_of(tools: Sequence[ToolSpec]) -> int:
    return EstimatingCounter().count(CompletionRequest(model="", messages=(), tools=tuple(tools))).tokens


def _running_total(tools: Sequence[ToolSpec]) -> Iterator[int]:
    total = 0
    for tool in tools:
        total += tool_tokens((tool,))
        yield total


FIND_TOOL = ToolSpec(
    name=FIND,
    description="Finds tools for a task; they can be called from your next turn on.",
    parameters={
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "What should be done, in a few words"},
            "limit": {"type": "integer", "minimum": 1, "maximum": 10},
        },
        "required": ["query"],
        "additionalProperties": False,
    },
    effect=Effect.READ,
    untrusted=False,
)

DESCRIBE_TOOL = ToolSpec(
    name=DESCRIBE,
    description="Shows the whole schema of a tool's arguments, or a part of it.",
    parameters={
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "part": {"type": "string", "description": "JSON pointer, as /filter/kind"},
        },
        "required": ["name"],
        "additionalProperties": False,
    },
    effect=Effect.READ,
    untrusted=False,
)


@dataclass(slots=True)
class Offer:
    """What one run is shown of the tools that it may use.

    Attributes:
        usable: Every tool that the run may use, by name.
        offering: How many are shown.
        catalog: Finds tools.
        searching: The model finds tools itself.
        pinned: The tools that are always shown.
        found: The tools that were found, those used last at the end.
        asleep: Names of the tools that no result has named yet.
    """

    usable: Mapping[str, ToolSpec]
    offering: ToolOffering
    catalog: ToolCatalog
    searching: bool = field(init=False)
    pinned: tuple[ToolSpec, ...] = field(init=False, default=())
    found: dict[str, ToolSpec] = field(init=False, default_factory=dict[str, ToolSpec])

    asleep: set[str] = field(init=False, default_factory=set[str])

    def __post_init__(self) -> None:
        self.asleep = {name for name in self.offering.latent if name in self.usable}
        self.searching = self.offering.is_searched(
            [tool for name, tool in self.usable.items() if name not in self.asleep]
        )

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """What the next request shows."""
        if not self.searching:
            return tuple(tool for name, tool in self.usable.items() if name not in self.asleep)
        named = [self.usable[name] for name in self.offering.latent if self._is_awake(name)]
        shown = {tool.name: tool for tool in (FIND_TOOL, DESCRIBE_TOOL, *self.pinned, *named)}
        return (*({name: tool for name, tool in self.found.items() if name not in shown} | shown).values(),)

    @property
    def callable(self) -> Mapping[str, ToolSpec]:
        """What may be called, shown or not."""
        if not self.searching:
            return self.usable
        return {**self.usable, FIND: FIND_TOOL, DESCRIBE: DESCRIBE_TOOL}

    def hear(self, results: Iterable[ToolResult]) -> None:
        """Show the tools that results name, from now on."""
        if self.asleep:
            texts = [result.text for result in results]
            self.asleep -= {name for name in self.asleep if any(name in text for text in texts)}

    def _is_awake(self, name: str) -> bool:
        return name in self.usable and name not in self.asleep

    def pin(self, may: Allowed) -> None:
        """Show what is pinned from now on, as far as it may be called."""
        self.pinned = tuple(
            tool
            for name, tool in self.usable.items()
            if any(fnmatchcase(name, pattern) for pattern in self.offering.pinned) and may(tool)
        )

    def seed(self, prompt: str, may: Allowed) -> None:
        """Show the tools that fit a prompt best."""
        if self.searching and self.offering.seeds and prompt.strip():
            self._show(self.search(prompt, self.offering.seeds, may))

    def find(self, query: str, limit: int, may: Allowed) -> list[ToolSpec]:
        """The tools that fit best, best first; they are shown from now on."""
        best = self.search(query, limit, may)
        self._show(best)
        return best

    def search(self, query: str, limit: int, may: Allowed) -> list[ToolSpec]:
        """The tools that fit best and may be called."""
        wanted = limit
        while True:
            wanted = max(4 * wanted, 16)
            told = self.catalog.search(query[:_MOST_QUERY], limit=wanted)
            best: list[ToolSpec] = []
            for tool in told:
                if self._is_awake(tool.name) and may(tool):
                    best.append(tool)
                if len(best) == limit:
                    return best
            if len(told) < wanted:
                return best

    def used(self, name: str) -> None:
        """A tool is called: it is shown for longer."""
        tool = self.usable.get(name)
        if self.searching and tool is not None:
            self._show([tool])

    def _show(self, tools: Sequence[ToolSpec]) -> None:
        """Put tools at the end of those that are kept, the best last, and let the first make way."""
        for tool in reversed(tools):
            self.found.pop(tool.name, None)
            self.found[tool.name] = compact(tool)
        kept: dict[str, ToolSpec] = {}
        total = 0
        for name, tool in reversed(self.found.items()):
            total += tool_tokens((tool,))
            if kept and (len(kept) == self.offering.found_tools or total > self.offering.found_tokens):
                break
            kept[name] = tool
        self.found = dict(reversed(kept.items()))


def compact(tool: ToolSpec) -> ToolSpec:
    """The tool as it is shown in a small room: a large one without what `describe_tool` tells as well.

    What its arguments must be is checked against the whole schema however much of it is shown.
    """
    if tool_tokens((tool,)) <= _LARGE:
        return tool
    schema = tool.parameters
    required = {name for name in as_array(schema.get("required")) if isinstance(name, str)}
    shown: JsonObject = {}
    room = _LARGE
    properties = as_object(schema.get("properties"))
    for name in sorted(properties, key=lambda name: name not in required):
        facts = as_object(properties[name])
        kind = facts.get("type")
        small: JsonObject = {} if kind is None else {"type": kind}
        if kind == "array":
            small["items"] = {}
        room -= 8 + len(name) // 4
        if room < 0 and name not in required:
            break
        shown[name] = small
    folded: JsonObject = {"type": "object", "properties": shown}
    if required:
        folded["required"] = [name for name in as_array(schema.get("required")) if name in required]
    note = f"{summary(tool)} Folded: {DESCRIBE} tells more."
    return replace(tool, parameters=folded, description=note, strict=None)


def summary(tool: ToolSpec) -> str:
    """What a tool does, in one short line."""
    said = " ".join((tool.summary or tool.description).split())
    return said if len(said) <= _MOST_SUMMARY else f"{said[: _MOST_SUMMARY - 1]}…"
