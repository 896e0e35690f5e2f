"""One recorded request through every vendor: what comes out means the same, whole and streamed."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from interlock_core import Completion, CompletionRequest, FinishReason
from interlock_core.errors import UnsupportedError
from interlock_core.jsontypes import Json, as_array, as_object, dump_json, parse_json
from interlock_providers import codec
from interlock_providers.rows import CarrierName
from interlock_providers.testing import Say, ToolUse

from .matrix_cells import Form, ask
from .matrix_columns import COLUMNS, Bench, bench
from .matrix_options import BILL, USAGES
from .matrix_wire import found, holds, says

RECORDED = (Path(__file__).parent / "recorded_request.json").read_bytes()
ANSWER = '{"city": "Paris", "items": ["umbrella", "café guide"]}'
ARGUMENTS = ('{"city": "Paris"}', '{"city": "Orléans", "days": [1, 2]}')
VENDORS = [column for column in COLUMNS if column.server is not None]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an answer says, without whose words it was in.

    Attributes:
        text: Its text; JSON as a value.
        calls: Names and arguments of its calls, in order.
        finish: Why it ended.
        tokens: Input and output, as counted.
        cost: Its price in micro-dollars; None when unknown.
    """

    text: Json
    calls: tuple[tuple[str, str], ...]
    finish: FinishReason
    tokens: tuple[int, int] | None
    cost: int | None


def meaning(answer: Completion) -> Meaning:
    """What an answer says."""
    calls = ((call.name, dump_json(call.parsed())) for call in answer.message.tool_calls)
    usage = answer.usage
    return Meaning(
        text=parse_json(answer.text) if answer.text else None,
        calls=tuple(calls),
        finish=answer.finish,
        tokens=None if usage is None else (usage.input_tokens, usage.output_tokens),
        cost=None if answer.cost is None else answer.cost.micro_usd,
    )


def recorded(*, forwarded: bool) -> CompletionRequest:
    """The request as a client sent it; without its bytes it has to be written anew for everybody."""
    request = codec("openai-chat").parse_request(RECORDED).request
    return request if forwarded else replace(request, original=None)


@pytest.fixture(params=VENDORS, ids=lambda column: column.name)
async def vendor(request: pytest.FixtureRequest, carrier: CarrierName) -> AsyncGenerator[Bench, None]:
    """Each vendor over each carrier."""
    async with bench(request.param, carrier) as ready:
        yield ready


@pytest.fixture(params=["fast", "sdk"])
def carrier(request: pytest.FixtureRequest) -> CarrierName:
    """Both carriers."""
    name: CarrierName = request.param
    return name


@pytest.mark.promise("P1", "P3", "P5")
@pytest.mark.parametrize("form", ["whole", "streamed"])
@pytest.mark.parametrize("forwarded", [True, False])
async def test_an_answer_in_json_means_the_same_from_every_vendor(
    vendor: Bench, form: Form, forwarded: bool
) -> None:
    """The text as a value, the finish, the tokens and the price."""
    assert vendor.server is not None
    vendor.server.then(Say(ANSWER, usage=USAGES[vendor.column.name]))
    told = await ask(vendor, recorded(forwarded=forwarded), form)
    wanted = Meaning(parse_json(ANSWER), (), FinishReason.STOP, (100, 10), BILL.micro_usd)
    assert meaning(told.completion) == wanted


@pytest.mark.promise("P1", "P3", "P5")
@pytest.mark.parametrize("form", ["whole", "streamed"])
@pytest.mark.parametrize("forwarded", [True, False])
async def test_two_calls_mean_the_same_from_every_vendor(vendor: Bench, form: Form, forwarded: bool) -> None:
    """Names and arguments in order, also where pieces of them are cut within a character."""
    assert vendor.server is not None
    calls = (ToolUse("weather", ARGUMENTS[0]), ToolUse("packing_list", ARGUMENTS[1]))
    vendor.server.then(Say(calls=calls, usage=USAGES[vendor.column.name]))
    told = await ask(vendor, recorded(forwarded=forwarded), form)
    names = ("weather", "packing_list")
    called = tuple((name, dump_json(parse_json(text))) for name, text in zip(names, ARGUMENTS, strict=True))
    wanted = Meaning(None, called, FinishReason.TOOL_CALLS, (100, 10), BILL.micro_usd)
    assert meaning(told.completion) == wanted
    assert len({call.id for call in told.completion.message.tool_calls}) == 2


@pytest.mark.promise("P1")
@pytest.mark.parametrize("form", ["whole", "streamed"])
async def test_every_vendor_is_told_all_of_it(vendor: Bench, form: Form) -> None:
    """System prompt, question, image, both tools, the call, its result and the schema are in one request."""
    assert vendor.server is not None
    vendor.server.then(Say(ANSWER))
    await ask(vendor, recorded(forwarded=False), form)
    assert len(vendor.server.requests) == 1
    body = as_object(vendor.server.requests[0].json())
    image = next(found(parse_json(RECORDED), "messages.1.content.1.image_url.url"))
    pixels = str(image).partition(",")[2]
    wanted = ("You plan trips. Answer in JSON.", "Where was this taken", pixels, "call00001", "degrees")
    assert [text for text in wanted if not says(text)(body)] == []
    assert len(as_array(body.get("tools"))) >= 2
    assert says("packing_list", "items")(body)
    assert holds("model", vendor.column.model)(body)


async def test_the_embedded_model_refuses_the_image_and_nothing_else() -> None:
    """The model reads text; the refusal names what is in the way."""
    local = next(column for column in COLUMNS if column.server is None)
    async with bench(local, "fast") as ready:
        with pytest.raises(UnsupportedError, match="an image"):
            await ask(ready, recorded(forwarded=False), "whole")
