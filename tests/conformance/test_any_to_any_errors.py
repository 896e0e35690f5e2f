"""A vendor's errors are those of the client's SDK, within a stream too; who leaves closes the vendor's."""

import asyncio
from dataclasses import replace
from typing import Any

import anthropic
import openai
import pytest

from interlock_providers.testing import Failure, Say

from .conftest import UPSTREAM_KEY, House
from .table import CLIENTS, TABLE, VENDORS
from .writing import write

pytestmark = pytest.mark.asyncio(loop_scope="session")
WAYS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
PAIRS = pytest.mark.parametrize(
    ("client", "vendor"), [(client, vendor) for client in CLIENTS for vendor in VENDORS]
)

FAILURES = {
    "bad_key": Failure.bad_key(UPSTREAM_KEY),
    "permission": Failure.permission(),
    "no_money": Failure.no_money(),
    "rate_limit": Failure.rate_limit(500),
    "overloaded": Failure.overloaded(),
    "server_error": Failure.server_error(),
    "timeout": Failure.timeout(),
    "too_long": Failure.too_long(),
    "content_policy": Failure.content_policy(),
    "invalid": Failure.invalid("top_p is too large.", "top_p"),
}
"""What the vendor says; none asks for a retry that is soon enough to be made."""


@pytest.mark.promise("P4", "G1")
@WAYS
@pytest.mark.parametrize("name", FAILURES)
@PAIRS
async def test_an_error_is_the_one_that_the_sdk_knows(
    house: House, name: str, client: str, vendor: str, stream: bool
) -> None:
    """Its class and status, when to come back, and nobody's key."""
    row = TABLE["errors"][name]
    failure = replace(FAILURES[name], headers=(("retry-after", "500"),))
    server = house.vendors[vendor].then(failure)
    body = {"model": house.model(vendor), **write(client, {})}
    module: Any = anthropic if client == "messages" else openai
    wanted = getattr(module, row["messages" if client == "messages" else "chat"])

    with pytest.raises(wanted) as caught:
        await house.clients[client].ask(body, stream=stream)

    error: Any = caught.value
    assert error.status_code == row.get(f"status_{client}", row["status"])
    assert UPSTREAM_KEY not in f"{error} {error.response.text} {error.response.headers}"
    assert error.response.headers.get("x-interlock-run")
    if "retry_after" in row:
        assert error.response.headers["retry-after"] == str(row["retry_after"])
    if name == "invalid":
        assert "top_p is too large." in str(error)
    assert len(server.requests) == 1


@pytest.mark.promise("P4", "G1")
@PAIRS
async def test_an_error_within_a_stream_is_the_sdks_error(house: House, client: str, vendor: str) -> None:
    """It is raised where the stream broke, not taken for its end."""
    house.vendors[vendor].then(Say("One two three four", fail=Failure.overloaded(), fail_after=2))
    body = {"model": house.model(vendor), **write(client, {})}
    with pytest.raises((openai.APIError, anthropic.APIError)) as caught:
        await house.clients[client].ask(body, stream=True)
    assert vendor in str(caught.value)


@pytest.mark.promise("P4", "G1")
@PAIRS
async def test_a_stream_that_is_cut_is_an_error_too(house: House, client: str, vendor: str) -> None:
    """A vendor that says no more than half is not taken at its word."""
    house.vendors[vendor].then(Say("One two three four", cut_after=700, clean_cut=True))
    body = {"model": house.model(vendor), **write(client, {})}
    with pytest.raises((openai.APIError, anthropic.APIError)) as caught:
        await house.clients[client].ask(body, stream=True)
    assert vendor in str(caught.value)


@pytest.mark.promise("P4", "G1")
@PAIRS
async def test_who_leaves_a_stream_closes_the_vendors(house: House, client: str, vendor: str) -> None:
    """The vendor sees that nobody reads any more."""
    server = house.vendors[vendor].then(Say(pieces=("again ", "and "), endless=True))
    server.client_left.clear()
    body = {"model": house.model(vendor), "stream": True, **write(client, {})}
    sdk: Any = house.clients[client]
    made = {"chat": "chat.completions", "responses": "responses", "messages": "messages"}[client]
    resource = sdk.sdk
    for name in made.split("."):
        resource = getattr(resource, name)
    stream = await resource.create(**body)
    async for _ in stream:
        break

    await stream.close()

    async with asyncio.timeout(20):
        await server.client_left.wait()
    assert server.client_left.is_set()


@pytest.mark.promise("P4", "G1")
@PAIRS
async def test_who_gives_up_while_waiting_closes_the_vendors(house: House, client: str, vendor: str) -> None:
    """A piece that nobody waits for is not waited for either."""
    server = house.vendors[vendor].then(Say(pieces=("never ",), hold=True))
    server.client_left.clear()
    server.asked.clear()
    body = {"model": house.model(vendor), **write(client, {})}
    asking = asyncio.ensure_future(house.clients[client].ask(body, stream=True))
    async with asyncio.timeout(20):
        await server.asked.wait()
        asking.cancel()
        await asyncio.wait([asking])
        await server.client_left.wait()
    assert asking.cancelled()
