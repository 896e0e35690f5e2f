"""What the cells of the model in this process are: nobody is asked over a wire, so effects are looked at."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace

from interlock_core import Completion, CompletionRequest, FinishReason
from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import parse_json
from interlock_core.messages import Reasoning, Refusal, Text, system, user
from interlock_core.money import Money

from .matrix_cells import PATIENCE, ROWS, Cell, Form, Told, ask
from .matrix_columns import Bench
from .matrix_features import ASKED, TURNS, answered

CITY = replace(ASKED, messages=(user("Name the capital of France."),), max_tokens=8, temperature=0.0)
WILD = replace(CITY, temperature=1.9, max_tokens=4)
_KNOWN: dict[str, bool] = {}


@dataclass(frozen=True, slots=True)
class Room:
    """Where the model is asked.

    Attributes:
        bench: The provider.
        form: Whole or streamed.
        known: What was found out before.
    """

    bench: Bench
    form: Form
    known: dict[str, bool]

    async def ask(self, request: CompletionRequest) -> Completion:
        """Ask."""
        told: Told = await ask(self.bench, request, self.form)
        return told.completion

    async def text(self, request: CompletionRequest) -> str:
        """What is answered."""
        return (await self.ask(request)).text

    async def wild(self) -> bool:
        """Whether another seed gives another answer where nothing holds the model; found out once."""
        if "wild" not in self.known:
            told = {await self.text(replace(WILD, seed=seed)) for seed in (1, 2, 3)}
            self.known["wild"] = len(told) > 1
        return self.known["wild"]

    async def read(self, request: CompletionRequest) -> int:
        """How many tokens the prompt has."""
        usage = (await self.ask(request)).usage
        assert usage is not None
        return usage.input_tokens


Effect = Callable[[Room, Completion], Awaitable[bool]]
"""Whether what was asked had its effect, given the answer to the row's request."""


def seen(test: Callable[[Completion], bool]) -> Effect:
    """An effect that the answer itself shows."""

    async def effect(room: Room, answer: Completion) -> bool:
        del room
        return test(answer)

    return effect


def longer_than(other: CompletionRequest) -> Effect:
    """The prompt holds more than that of another request."""

    async def effect(room: Room, answer: Completion) -> bool:
        assert answer.usage is not None
        return answer.usage.input_tokens > await room.read(replace(other, max_tokens=1))

    return effect


def shorter_than(other: CompletionRequest) -> Effect:
    """The prompt holds less than that of another request."""

    async def effect(room: Room, answer: Completion) -> bool:
        assert answer.usage is not None
        return answer.usage.input_tokens < await room.read(replace(other, max_tokens=1))

    return effect


def steady(request: CompletionRequest) -> Effect:
    """Whatever the seed, the same is said, though without this option it would differ."""

    async def effect(room: Room, answer: Completion) -> bool:
        del answer
        same = {await room.text(replace(request, seed=seed)) for seed in (1, 2)}
        return len(same) == 1 and await room.wild()

    return effect


async def _seeded(room: Room, answer: Completion) -> bool:
    del answer
    told = {await room.text(replace(WILD, seed=1)) for _ in range(2)}
    return len(told) == 1 and await room.wild()


async def _stopped(room: Room, answer: Completion) -> bool:
    del answer
    whole = await room.text(CITY)
    cut = await room.ask(replace(CITY, stop=("Paris",)))
    return "Paris" in whole and "Paris" not in cut.text and cut.finish is FinishReason.STOP_SEQUENCE


async def _remembered(room: Room, answer: Completion) -> bool:
    """The prompt of a moment ago is read from memory, and counted as such."""
    del answer
    usage = (await room.ask(replace(CITY, max_tokens=1))).usage
    return usage is not None and 0 < usage.cache_read_tokens < usage.input_tokens


async def _penalised(room: Room, answer: Completion) -> bool:
    del answer
    plain = replace(CITY, messages=(user("Say yes yes yes yes yes yes."),), max_tokens=16)
    return await room.text(plain) != await room.text(
        replace(plain, presence_penalty=2.0, frequency_penalty=2.0)
    )


async def _freed(room: Room, answer: Completion) -> bool:
    """The run ends when its reader goes, and the next request is answered."""
    del answer
    long = replace(CITY, messages=(user("Tell a very long story."),), max_tokens=900)
    asked = replace(long, model=room.bench.column.id)
    if room.form == "streamed":
        async with aclosing(room.bench.provider.stream(asked)) as chunks:
            async for chunk in chunks:
                if chunk.text:
                    break
    else:
        task = asyncio.create_task(room.bench.provider.complete(asked))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(PATIENCE):
        return "Paris" in await room.text(CITY)


def _called(name: str) -> Effect:
    return seen(lambda answer: [call.name for call in answer.message.tool_calls] == [name])


def _called_or_formed(answer: Completion) -> bool:
    return bool(answer.message.tool_calls) or isinstance(parse_json(answer.text), dict)


def _object(*names: str) -> Effect:
    def shown(answer: Completion) -> bool:
        value = parse_json(answer.text)
        return isinstance(value, dict) and all(isinstance(value.get(name), int) for name in names)

    return seen(shown)


_SAYS_NOTHING = replace(ASKED, messages=(user("Say."),))
EFFECTS: Mapping[str, Effect] = {
    "system_prompt": shorter_than(
        replace(ASKED, messages=(system("Be brief, be brief, be brief."), *ASKED.messages))
    ),
    "several_turns": longer_than(replace(ASKED, messages=TURNS[-1:])),
    "text": longer_than(_SAYS_NOTHING),
    "no_limit": seen(lambda answer: bool(answer.text)),
    "max_tokens": seen(lambda answer: answer.usage is not None and answer.usage.output_tokens <= 4),
    "tool_call": _called("weather"),
    "tool_choice_none": seen(lambda answer: bool(answer.text) and not answer.message.tool_calls),
    "tool_choice_required": seen(lambda answer: len(answer.message.tool_calls) == 1),
    "tool_choice_named": _called("weather"),
    "parallel_off": seen(lambda answer: len(answer.message.tool_calls) <= 1),
    "strict_tools": seen(lambda answer: set(answer.message.tool_calls[0].parsed()) == {"city"}),
    "tool_result_text": longer_than(answered(Text(""))),
    "tool_result_json": longer_than(answered(Text(""))),
    "tool_result_error": longer_than(answered(Text("There is no such city."))),
    "json_object": _object(),
    "json_schema": _object("answer"),
    "json_schema_tools": seen(_called_or_formed),
    "seed": _seeded,
    "stop": _stopped,
    "temperature": steady(replace(CITY, temperature=0.0)),
    "top_p": steady(replace(WILD, top_p=0.0001)),
    "top_k": steady(replace(WILD, top_k=1)),
    "penalties": _penalised,
    "usage": seen(
        lambda answer: (
            answer.usage is not None and min(answer.usage.input_tokens, answer.usage.output_tokens) > 0
        )
    ),
    "cached_usage": _remembered,
    "cost": seen(lambda answer: answer.cost == Money(0)),
    "cancellation": _freed,
}
"""What shows that the model took what was asked, by row."""

PARTS: Mapping[str, Callable[[Completion], bool]] = {
    "parallel_tool_calls": lambda answer: len(answer.message.tool_calls) > 1,
    "reasoning_returned": lambda answer: any(isinstance(part, Reasoning) for part in answer.message.content),
    "citations": lambda answer: any(
        isinstance(part, Text) and bool(part.citations) for part in answer.message.content
    ),
    "refusals": lambda answer: any(isinstance(part, Refusal) for part in answer.message.content),
    "reasoning_usage": lambda answer: answer.usage is not None and answer.usage.reasoning_tokens > 0,
}
"""Parts that an answer has or has not, by row."""

SHORT: Mapping[str, CompletionRequest] = {
    "max_tokens": replace(ASKED, max_tokens=4, temperature=0.0),
    "cached_usage": CITY,
}
_LONG = frozenset(
    {
        "tool_call",
        "parallel_tool_calls",
        "parallel_off",
        "strict_tools",
        "json_object",
        "json_schema",
        "json_schema_tools",
    }
)
_FULL = frozenset({*_LONG, "tool_choice_required", "tool_choice_named", "no_limit"})


def _request(name: str) -> CompletionRequest:
    """What is asked: as of the vendors, but repeatable, and short where the answer does not matter."""
    if name in SHORT:
        return SHORT[name]
    row = ROWS.get(name)
    request = CITY if row is None else row.request
    if name == "reasoning_back":
        request = ROWS["reasoning_foreign"].request
    most = 64 if name in _FULL else 4
    limit = None if name == "no_limit" else min(request.max_tokens or most, most)
    plain = request.temperature if name == "temperature" else 0.0
    return replace(request, max_tokens=limit, temperature=plain)


async def find_local(name: str, bench: Bench, form: Form) -> Cell:
    """What a cell of the model in this process is."""
    if name == "rate_limit":
        return await _unlimited(Room(bench, form, _KNOWN))
    room = Room(bench, form, _KNOWN)
    try:
        if name == "embeddings":
            if form == "streamed":
                return Cell("absent")
            await bench.provider.embed(bench.column.id, ["one"])
            return Cell("native")
        answer = await room.ask(_request(name))
    except InvalidRequestError as error:
        return Cell("refused", (str(error),))
    if name in PARTS:
        return Cell("native" if PARTS[name](answer) else "absent")
    had_effect = name in EFFECTS and await EFFECTS[name](room, answer)
    if answer.adapted:
        return Cell("emulated" if name not in EFFECTS or had_effect else "silent", answer.adapted)
    return Cell("native" if had_effect else "silent", () if had_effect else (str(answer.message),))


async def _unlimited(room: Room) -> Cell:
    """As many requests as come at once are answered."""
    answers = await asyncio.gather(*(room.text(replace(CITY, max_tokens=2)) for _ in range(4)))
    return Cell("absent" if all(answers) else "silent")
