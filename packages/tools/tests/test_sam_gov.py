"""SAM.gov: entities, opportunities and the hierarchy, its dates and limits, and a key that nobody sees."""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from interlock_core import ToolCall
from interlock_core.errors import InvalidRequestError, PermissionDeniedError, UpstreamRateLimitError
from interlock_core.testing import MemorySecrets, make_call
from interlock_tools import DocumentOptions, ToolExecutor, ToolRegistry, builtin_document
from interlock_tools.testing.sam_gov import SamGovStandIn
from interlock_tools.wrappers import SamGov, opened_sam_gov

NOON = datetime(2027, 1, 15, 12, tzinfo=UTC)


@pytest.fixture
async def standin() -> AsyncIterator[SamGovStandIn]:
    """A stand-in with a few of everything."""
    async with SamGovStandIn(now=lambda: NOON) as running:
        for number in range(23):
            running.add_entity(
                f"ACME {number:02} LLC", uei=f"ACME{number:08}", state="VA" if number % 2 else "MD"
            )
        for number in range(5):
            running.add_opportunity(f"Repair of bridge {number}", posted=date(2027, 1, 4 + number))
        running.add_organization("ENERGY, DEPARTMENT OF", number=100_011_980)
        for number in range(3):
            running.add_organization(f"OFFICE {number}", number=100_011_981 + number, above=100_011_980)
        yield running


@pytest.fixture
async def sam(standin: SamGovStandIn) -> AsyncIterator[SamGov]:
    """The wrapper over it."""
    secrets = MemorySecrets({"SAM_API_KEY": standin.key})
    async with opened_sam_gov(secrets=secrets, base_url=standin.url) as wrapper:
        yield wrapper


@pytest.mark.promise("O14")
async def test_entities_are_found_page_by_page(standin: SamGovStandIn, sam: SamGov) -> None:
    """By name and state, ten a page, as many pages as are asked for."""
    one = await sam.entities("acme")
    assert (one.total, len(one.rows)) == (23, 10)
    every = await sam.entities("acme", pages=5)
    assert len({entity.uei for entity in every.rows}) == 23
    assert [request.query.get("page") for request in standin.requests] == [None, None, "1", "2"]
    found = await sam.entities(state="MD", name="ACME 04")
    assert [(entity.name, entity.state, entity.cage) for entity in found.rows] == [
        ("ACME 04 LLC", "MD", "ACME0")
    ]
    assert (await sam.entities(uei="ACME00000007")).rows[0].status == "Active"


@pytest.mark.promise("O14")
async def test_opportunities_are_found_between_two_days(standin: SamGovStandIn, sam: SamGov) -> None:
    """With the days as SAM.gov writes them."""
    found = await sam.opportunities(date(2027, 1, 5), date(2027, 1, 31), title="bridge", naics="237310")
    assert (found.total, len(found.rows)) == (4, 4)
    first = found.rows[0]
    assert (first.title, first.posted, first.set_aside, first.active) == (
        "Repair of bridge 1",
        "2027-01-05",
        "SBA",
        True,
    )
    assert standin.requests[0].query["postedFrom"] == "01/05/2027"
    assert standin.requests[0].query["limit"] == "1000"


@pytest.mark.promise("O14")
async def test_the_offset_of_opportunities_is_the_index_of_a_page(standin: SamGovStandIn) -> None:
    """A call that gathers pages knows it from the document."""
    registry = ToolRegistry()
    await registry.add(
        builtin_document("sam_gov")[0],
        namespace="sam_gov",
        options=DocumentOptions(base_url=standin.url, credential="key"),
    )
    executor = ToolExecutor(registry, secrets=MemorySecrets({"key": standin.key}))
    arguments = '{"postedFrom": "01/01/2027", "postedTo": "01/31/2027", "limit": 2}'
    call = ToolCall(id="c", name="sam_gov.search_opportunities", arguments=arguments)
    result = await executor.execute(call, replace(make_call(), max_pages=9))
    await executor.aclose()
    assert [request.query.get("offset") for request in standin.requests] == [None, "1", "2"]
    assert "5 elements of 3 pages" in result.text


@pytest.mark.promise("O14")
async def test_the_hierarchy_is_walked(sam: SamGov) -> None:
    """Departments by name, and what stands below one."""
    found = await sam.organizations("energy")
    (department,) = found.rows
    assert (department.kind, department.id, department.cgac) == (
        "Department/Ind. Agency",
        "100011980",
        ("980",),
    )
    below = await sam.below(department.id)
    assert [one.name for one in below.rows] == ["OFFICE 0", "OFFICE 1", "OFFICE 2"]
    assert {one.department for one in below.rows} == {department.id}
    assert (await sam.organizations(active=None)).total == 4
    assert (await sam.organizations(active=False)).total == 0
    with pytest.raises(InvalidRequestError, match="No children"):
        await sam.below("4711")


@pytest.mark.promise("O14")
async def test_more_than_a_year_is_refused_before_a_request_is_spent(
    standin: SamGovStandIn, sam: SamGov
) -> None:
    """A key without a role has ten a day."""
    with pytest.raises(InvalidRequestError, match="at most a year"):
        await sam.opportunities(date(2026, 1, 1), date(2027, 1, 2))
    with pytest.raises(InvalidRequestError, match="at most a year"):
        await sam.opportunities(date(2027, 1, 2), date(2027, 1, 1))
    with pytest.raises(InvalidRequestError, match="takes none of"):
        await sam.entities("a|b")
    assert standin.requests == []


@pytest.mark.promise("O14")
async def test_a_days_requests_that_are_used_up_are_told_with_the_time() -> None:
    """And nothing more is sent that day."""
    async with SamGovStandIn(daily_limit=1, now=lambda: datetime.now(UTC)) as standin:
        secrets = MemorySecrets({"SAM_API_KEY": standin.key})
        async with opened_sam_gov(secrets=secrets, base_url=standin.url) as sam:
            await sam.organizations("a")
            for name in ("b", "c"):
                with pytest.raises(UpstreamRateLimitError) as caught:
                    await sam.organizations(name)
            assert "begin anew at midnight UTC" in str(caught.value) or "used up" in str(caught.value)
        assert [request.status for request in standin.requests] == [200, 429]


@pytest.mark.promise("O14")
@pytest.mark.promise("O11")
async def test_the_key_is_in_no_error_and_no_log(
    standin: SamGovStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    """Though it stands in every address that is asked."""
    caplog.set_level(logging.DEBUG)
    secret = "SAM-wrong-key-4711"
    async with opened_sam_gov(secrets=MemorySecrets({"SAM_API_KEY": secret}), base_url=standin.url) as sam:
        with pytest.raises(PermissionDeniedError, match="keys end after 90 days") as caught:
            await sam.entities("acme")
    assert "An invalid api_key was supplied" in str(caught.value)
    assert secret not in str(caught.value)
    assert secret not in caplog.text


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("size=11", 400, "size is 11"),
        ("size=10&page=1000", 400, "Results Too Large"),
        ("nope=1", 400, "nope does not exist"),
        ("registrationDate=2027-01-01", 400, "MM/DD/YYYY"),
        ("page=x", 400, "positive number"),
    ],
)
async def test_the_stand_in_refuses_as_the_reference_says(
    standin: SamGovStandIn, query: str, status: int, said: str
) -> None:
    """In the form of version 3 of the entities."""
    from interlock_core import HttpRequest
    from interlock_core.http import Egress, HttpClient

    client = HttpClient(egress=Egress(allowed_origins=[standin.url]))
    url = f"{standin.url}/entity-information/v3/entities?api_key={standin.key}&{query}"
    answer = await client.send(HttpRequest(method="GET", url=url))
    missing = await client.send(HttpRequest(method="GET", url=f"{standin.url}/nowhere?api_key={standin.key}"))
    without = await client.send(HttpRequest(method="GET", url=f"{standin.url}/nowhere"))
    await client.aclose()
    assert (answer.status, missing.status, without.status) == (status, 404, 403)
    assert said in answer.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ('{"postedFrom": "2027-01-01", "postedTo": "01/31/2027"}', "/postedFrom"),
        ('{"postedTo": "01/31/2027"}', '"postedFrom" is a required property'),
        ('{"postedFrom": "01/01/2027", "postedTo": "01/31/2027", "limit": 1001}', "/limit"),
        ('{"postedFrom": "01/01/2026", "postedTo": "01/31/2027"}', "1 year"),
        ('{"postedFrom": "02/30/2027", "postedTo": "02/30/2027"}', "MM/dd/yyyy"),
    ],
)
async def test_wrong_days_are_told_so_that_a_model_can_mend_them(
    standin: SamGovStandIn, arguments: str, said: str
) -> None:
    """By the schema where it can, else by the API."""
    registry = ToolRegistry()
    options = DocumentOptions(base_url=standin.url, credential="key")
    await registry.add(builtin_document("sam_gov")[0], namespace="sam_gov", options=options)
    executor = ToolExecutor(registry, secrets=MemorySecrets({"key": standin.key}))
    call = ToolCall(id="c", name="sam_gov.search_opportunities", arguments=arguments)
    result = await executor.execute(call, make_call())
    await executor.aclose()
    assert result.is_error
    assert said in result.text
