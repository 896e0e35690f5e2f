"""Any client dialect to any vendor: what is asked arrives, is adapted and told, or is refused by name."""

import re
from typing import Any

import anthropic
import openai
import pytest

from interlock_providers.testing import Say

from .conftest import House
from .neutral import Body, comparable
from .reading import read
from .table import CLIENTS, TABLE, VENDORS
from .writing import write

pytestmark = pytest.mark.asyncio(loop_scope="session")

SAID = "Gut — 好的 🌍."


def cells(wanted: str) -> list[Any]:
    """The cells of the table that say a word, as feature, client and vendor."""
    return [
        pytest.param(name, client, vendor, id=f"{name}-{client}-{vendor}")
        for name, feature in TABLE["features"].items()
        for client in CLIENTS
        for vendor, word in zip(VENDORS, feature[client], strict=True)
        if word == wanted
    ]


def answer(feature: Body) -> list[Say]:
    """What the vendor is to say."""
    return [Say(feature.get("answer", SAID))]


def check_asked(asked: Body, wanted: Body) -> None:
    """The vendor was asked for what the client asked for."""
    for key, value in wanted.items():
        if key == "turns":
            assert comparable(asked["turns"]) == comparable(value)
        elif key == "choice":
            # What the client did not say, the vendor may be told or not.
            assert {**asked["choice"], **value} == asked["choice"]
        else:
            assert asked.get(key) == value, key


def refusal_of(error: openai.BadRequestError | anthropic.BadRequestError) -> str:
    """What a refusal says, with the field where the dialect has one."""
    body: Any = error.body
    fault = body["error"] if isinstance(error, anthropic.BadRequestError) else body
    return f"{fault.get('param')}: {fault['message']}"


@pytest.mark.promise("G1", "P1", "P3")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("name", "client", "vendor"), cells("kept"))
async def test_what_is_kept_reaches_the_vendor_in_its_own_words(
    house: House, name: str, client: str, vendor: str, stream: bool
) -> None:
    """The vendor is asked for the same, the client reads the answer, and nothing is said to be adapted."""
    feature = TABLE["features"][name]
    server = house.vendors[vendor].then(*answer(feature))
    body = {"model": house.model(vendor), **write(client, feature["ask"])}

    heard = await house.clients[client].ask(body, stream=stream)

    (request,) = server.requests
    sent: Any = request.json()
    check_asked(read(request.path, sent), feature["ask"])
    assert heard.text == feature.get("answer", SAID)
    assert "x-interlock-adapted" not in heard.headers
    assert heard.headers["x-interlock-model"] == house.model(vendor)


@pytest.mark.promise("G1", "P1", "P3")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("name", "client", "vendor"), cells("adapted"))
async def test_what_is_adapted_is_told(
    house: House, name: str, client: str, vendor: str, stream: bool
) -> None:
    """The answer comes, and the header says what was done in another way."""
    feature = TABLE["features"][name]
    server = house.vendors[vendor].then(*answer(feature))
    body = {"model": house.model(vendor), **write(client, feature["ask"])}

    heard = await house.clients[client].ask(body, stream=stream)

    (request,) = server.requests
    sent: Any = request.json()
    check_asked(read(request.path, sent), feature.get("becomes", {}).get(vendor, {}))
    assert heard.text == feature.get("answer", SAID)
    assert len(heard.headers["x-interlock-adapted"]) > 20


@pytest.mark.promise("G1", "P1")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("name", "client", "vendor"), cells("told"))
async def test_what_may_be_adapted_or_refused_is_never_silent(
    house: House, name: str, client: str, vendor: str, stream: bool
) -> None:
    """Either the header tells, or the refusal names the field before the vendor is asked."""
    feature = TABLE["features"][name]
    server = house.vendors[vendor].then(*answer(feature))
    body = {"model": house.model(vendor), **write(client, feature["ask"])}
    try:
        heard = await house.clients[client].ask(body, stream=stream)
    except (openai.BadRequestError, anthropic.BadRequestError) as error:
        said = refusal_of(error)
    else:
        assert heard.text == feature.get("answer", SAID)
        assert len(heard.headers["x-interlock-adapted"]) > 20
        return
    assert re.search(feature["named"], said, re.IGNORECASE), said
    assert not server.requests


@pytest.mark.promise("G1", "P1")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("name", "client", "vendor"), cells("refused"))
async def test_what_is_refused_is_named_before_the_vendor_is_asked(
    house: House, name: str, client: str, vendor: str, stream: bool
) -> None:
    """400 in the client's dialect, with the field and what to do."""
    feature = TABLE["features"][name]
    body = {"model": house.model(vendor), **write(client, feature["ask"])}

    with pytest.raises((openai.BadRequestError, anthropic.BadRequestError)) as refused:
        await house.clients[client].ask(body, stream=stream)

    said = refusal_of(refused.value)
    assert re.search(feature["named"], said, re.IGNORECASE), said
    assert said.count(". ") >= 1, f"no remedy: {said}"
    assert not house.vendors[vendor].requests
