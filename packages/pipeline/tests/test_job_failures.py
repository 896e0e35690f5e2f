"""What fails costs its own requirement and is said; what would fail every time stops the job."""

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core.errors import (
    ApprovalDeniedError,
    ConfigurationError,
    ContextLengthError,
    CredentialError,
    InterlockError,
    InvalidRequestError,
    OverloadedError,
    PermissionDeniedError,
    ProtocolError,
    QuotaExceededError,
    UpstreamConnectionError,
    UpstreamTimeoutError,
)
from interlock_core.jsontypes import Json, as_array, as_object, dump_json
from interlock_pipeline.spec_to_github import (
    IssueState,
)
from interlock_pipeline.specification import split

if TYPE_CHECKING:
    from .conftest import Desk


def worded(title: str, summary: str = "", *labels: str) -> str:
    """A model's answer."""
    return dump_json({"title": title, "summary": summary, "labels": list[Json](labels or ("enhancement",))})


@pytest.mark.promise("T7")
@pytest.mark.parametrize("status", [403, 404, 422, 500])
async def test_an_issue_that_the_api_refuses_costs_only_itself(desk: "Desk", status: int) -> None:
    """The reason is stated, and a second run makes it."""
    desk.repository.before[2] = desk.repository.says(None, status=status, error="Not this one.")
    result = await desk.run()
    assert result.unassigned == (("R2", f"HTTP {status}: Not this one."),)
    assert (result.ok, [record.number for record in result.issues]) == (False, [1, 2])
    assert [(record.state, record.number) for record in result.failed] == [(IssueState.FAILED, None)]
    assert len(as_array(result.as_json()["requests"])) == 3
    again = await desk.run()
    assert (again.ok, [r.state for r in again.issues].count(IssueState.CREATED)) == (True, 1)


@pytest.mark.promise("T7")
@pytest.mark.parametrize(
    "fault",
    [
        UpstreamConnectionError("The connection broke."),
        UpstreamTimeoutError("No answer in 30 seconds."),
        ProtocolError("The answer is cut."),
    ],
)
async def test_an_issue_whose_fate_is_unknown_is_said_to_be_so_and_found_by_a_second_run(
    desk: "Desk", fault: InterlockError
) -> None:
    """It was made, and the answer was lost."""
    desk.repository.after[2] = fault
    result = await desk.run()
    ((entry, reason),) = result.unassigned
    assert (entry, result.ok, result.failed[0].state) == ("R2", False, IssueState.UNKNOWN)
    assert reason.startswith(f"whether it was created is not known: {fault}")
    again = await desk.run()
    assert (again.ok, len(desk.repository.issues)) == (True, 3)
    assert {record.state for record in again.issues} == {IssueState.EXISTING}


@pytest.mark.parametrize("said", ["a timeout", "a bad gateway", "no number"])
async def test_results_that_leave_it_open_are_told_from_failures(desk: "Desk", said: str) -> None:
    """An executor may give a result instead of an error."""
    desk.repository.before[1] = {
        "a timeout": desk.repository.says(None, error="late", code=UpstreamTimeoutError.code),
        "a bad gateway": desk.repository.says(None, error="", status=502),
        "no number": desk.repository.says({"message": "thanks"}, status=202),
    }[said]
    result = await desk.run()
    assert result.failed[0].state is IssueState.UNKNOWN
    assert "not known" in result.unassigned[0][1]


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequestError("Too long."),
        OverloadedError("Busy."),
        ApprovalDeniedError("Not this one."),
    ],
)
async def test_an_error_of_one_issue_costs_only_itself(desk: "Desk", error: InterlockError) -> None:
    """Also when a person turns down just this one."""
    desk.repository.before[1] = error
    result = await desk.run()
    assert (result.unassigned, len(desk.repository.issues)) == ((("R1", str(error)),), 2)


async def test_an_issue_that_the_tool_does_not_take_is_not_sent(desk: "Desk") -> None:
    """Its problem is the reason."""
    desk.repository.refuses[2] = InvalidRequestError("The title is too long.", remedy="Shorten it.")
    for dry_run in (True, False):
        desk.repository.prepared = 0
        result = await desk.run(dry_run=dry_run)
        assert result.unassigned == (("R2", "The title is too long. Shorten it."),)
        assert result.failed[0].request is None
    assert len(desk.repository.attempts) == 2


@pytest.mark.parametrize("where", ["before", "refuses"])
async def test_a_refusal_of_the_first_issue_is_raised(desk: "Desk", where: str) -> None:
    """Nothing was sent, so there is nothing to account for."""
    errors = desk.repository.before if where == "before" else desk.repository.refuses
    errors[1] = PermissionDeniedError("Ann may not.")
    with pytest.raises(PermissionDeniedError, match="Ann may not"):
        await desk.run()
    assert desk.repository.issues == []


@pytest.mark.promise("T7")
@pytest.mark.parametrize(
    "error",
    [PermissionDeniedError("No more."), ConfigurationError("No token."), QuotaExceededError("Spent.")],
)
async def test_a_refusal_after_the_first_issue_stops_the_job_with_an_account(
    desk: "Desk", error: InterlockError
) -> None:
    """What was made is listed, the rest says why it was not tried, and nothing further is sent."""
    desk.repository.before[2] = error
    result = await desk.run()
    assert (len(result.issues), len(desk.repository.attempts), result.ok) == (1, 2, False)
    assert result.stopped is error
    assert [reason for _, reason in result.unassigned] == [f"not tried, because the job stopped: {error}"] * 2
    assert as_object(result.as_json()["stopped"])["code"] == error.code


async def test_what_an_api_says_is_made_visible(desk: "Desk") -> None:
    """Neither its reasons nor its addresses bring control characters onto a terminal."""
    desk.repository.before = {
        1: desk.repository.says(None, status=422, error="\x1b[2JNo."),
        2: desk.repository.says({"number": 9, "html_url": "https://x/\x1b[2J"}),
        3: desk.repository.says({"number": 10, "html_url": "javascript:alert(1)"}),
    }
    result = await desk.run()
    assert result.unassigned == (("R1", "HTTP 422: <U+001B>[2JNo."),)
    assert [record.url for record in result.issues] == [None, None]


@pytest.mark.promise("T7")
async def test_five_failures_in_a_row_stop_the_job(desk: "Desk") -> None:
    """An API that is down is not asked a hundred times more."""
    text = "# T\n\n" + "".join(f"- Note number {n}.\n" for n in range(40))
    for attempt in (1, 2, 3, 4, 6, 7, 8, 9, 10):
        desk.repository.before[attempt] = UpstreamConnectionError("Down.")
    result = await desk.run(text)
    assert (len(desk.repository.attempts), len(result.failed), len(result.issues)) == (10, 9, 1)
    assert "5 issues in a row" in str(result.stopped)


@pytest.mark.promise("T7")
@given(
    lines=st.lists(
        st.sampled_from(
            ["- Same.", "- Other @all.", "- [x] Done.", "", "## Part", "Words must be.", "| a |"]
        ),
        min_size=1,
        max_size=14,
    ),
    faults=st.dictionaries(
        st.integers(1, 12),
        st.sampled_from(
            [
                UpstreamConnectionError("Broke."),
                InvalidRequestError("Wrong."),
                PermissionDeniedError("No."),
                CredentialError("Old."),
            ]
        ),
        max_size=6,
    ),
    lost=st.sets(st.integers(1, 12), max_size=4),
    moods=st.lists(st.integers(0, 5), min_size=1, max_size=12),
)
async def test_whatever_fails_every_requirement_is_accounted_for(
    new_desk: "type[Desk]",
    lines: list[str],
    faults: dict[int, InterlockError],
    lost: set[int],
    moods: list[int],
) -> None:
    """And once everything works again, runs end with one issue for each, none twice."""
    desk = new_desk()
    desk.repository.before |= faults
    desk.repository.after |= {attempt: UpstreamTimeoutError("Late.") for attempt in lost}
    script = [
        "nonsense",
        worded("Add same"),
        OverloadedError("Busy."),
        ContextLengthError("Long."),
        worded("Invented thing"),
        QuotaExceededError("Spent."),
    ]
    turns = iter(moods * 40)
    specification = split("\n".join(lines), name="x.md")
    if not specification.requirements:
        with pytest.raises(InvalidRequestError):
            await desk.run(specification)
        return
    try:
        result = await desk.run(specification, lambda _: script[next(turns)])
    except InterlockError:
        assert desk.repository.issues == []
    else:
        placed = [record for record in result.issues if record.state is IssueState.CREATED]
        unknown = [record for record in result.failed if record.state is IssueState.UNKNOWN]
        assert len(placed) <= len(desk.repository.issues) <= len(placed) + len(unknown)
    desk.repository.before.clear()
    desk.repository.after.clear()
    result = await desk.run(specification)
    assert result.ok
    wanted = [entry for entry in specification.requirements if not entry.done]
    assert len(result.issues) == len(desk.repository.issues) == len(wanted)
    assert len({title.casefold() for title in desk.repository.titles}) == len(wanted)
