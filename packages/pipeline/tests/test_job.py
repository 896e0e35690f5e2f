"""The job: a specification in, issues out, and an account of every requirement."""

from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from interlock_core import (
    Event,
    EventKind,
    Money,
    Usage,
)
from interlock_core.errors import (
    CredentialError,
    InterlockError,
    InvalidRequestError,
    NotFoundError,
    ProtocolError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamRateLimitError,
)
from interlock_core.jsontypes import Json, as_array, as_object, as_text, dump_json
from interlock_pipeline.spec_to_github import (
    IssueState,
    SpecToGitHub,
)

if TYPE_CHECKING:
    from .conftest import Desk


def worded(title: str, summary: str = "", *labels: str) -> str:
    """A model's answer."""
    return dump_json({"title": title, "summary": summary, "labels": list[Json](labels or ("enhancement",))})


@pytest.mark.promise("T6")
async def test_each_requirement_becomes_one_issue(desk: "Desk") -> None:
    """In the order of the specification, with the user's labels beside the model's."""
    result = await desk.run(labels=("spec",))
    assert desk.repository.titles == [
        "Have notes exported as PDF",
        "Have notes searched by author",
        "Have notes shared by link",
    ]
    assert [
        (record.state, record.number, record.url, record.draft.drafted_by) for record in result.issues
    ] == [(IssueState.CREATED, n, f"https://example.org/issues/{n}", "model") for n in (1, 2, 3)]
    assert result.issues[0].draft.labels == ("enhancement", "spec")
    assert (result.ok, result.unassigned, result.failed) == (True, (), ())
    assert result.usage == Usage(input_tokens=21, output_tokens=9)
    assert [context.name for context in desk.repository.contexts] == [
        *["github.issues_list"],
        *["github.issues_create"] * 3,
    ]
    assert {context.principal.user for context in desk.repository.contexts} == {"ann"}
    assert {context.run for context in desk.repository.contexts} == {result.run}


@pytest.mark.promise("T6")
async def test_a_dry_run_shows_what_would_be_sent_and_sends_nothing(desk: "Desk") -> None:
    """Its JSON has the agreed keys; a live run sends exactly the requests that it shows."""
    planned = (await desk.run(dry_run=True)).as_json()
    assert (desk.repository.attempts, desk.repository.listed) == ([], [])
    assert [as_object(entry)["state"] for entry in as_array(planned["issues"])] == ["planned"] * 3
    assert as_array(planned["requirements"])[0] == {
        "id": "R1",
        "lines": [3, 3],
        "text": "Notes are exported as PDF.",
    }
    first = as_object(as_array(planned["issues"])[0])
    assert as_array(planned["requests"])[0] == {
        "method": "POST",
        "url": "https://api.example/repos/acme/notes/issues",
        "body": {name: first[name] for name in ("title", "body", "labels")},
    }
    assert (first["requirements"], planned["unassigned"]) == (["R1"], [])
    live = (await desk.run()).as_json()
    assert live["requests"] == planned["requests"]


async def test_a_body_that_is_no_json_is_shown_as_text(desk: "Desk") -> None:
    """Whatever form another tool sends."""
    from dataclasses import replace

    from interlock_core import HttpRequest
    from interlock_core.testing import MemoryCatalog, ScriptedExecutor, ScriptedProvider
    from interlock_core.toolspec import ToolSpec

    create = ToolSpec(name="github.issues_create")
    runner = SpecToGitHub(
        provider=ScriptedProvider(["?"], repeat=True),
        catalog=MemoryCatalog([create]),
        executor=ScriptedExecutor({create.name: ""}),
    )
    result = await runner.run(desk.request("# T\n\n- one\n- two", dry_run=True))
    assert result.as_json()["requests"] == []
    sent = [
        replace(record, request=HttpRequest(method="PUT", url="http://x", body=body))
        for record, body in zip(result.issues, (b"a=1", None), strict=True)
    ]
    shown = as_array(replace(result, issues=tuple(sent)).as_json()["requests"])
    assert [as_object(entry)["body"] for entry in shown] == ["a=1", None]


@pytest.mark.promise("T7")
async def test_a_ticked_box_is_done_and_said_so(desk: "Desk") -> None:
    """It is listed, and has no issue."""
    result = await desk.run("# T\n\n- [x] Done.\n- [ ] To do.")
    assert result.unassigned == (("R1", "its box is ticked at line 3: it is done"),)
    assert (result.ok, desk.repository.titles) == (True, ["To do"])


async def test_a_specification_that_is_all_done_asks_nothing(desk: "Desk") -> None:
    """Neither a model nor the repository."""
    result = await desk.run("- [x] One.\n- [x] Two.")
    assert (result.ok, len(result.unassigned), desk.repository.listed, desk.writer.asked) == (True, 2, [], [])
    assert (result.usage, result.cost) == (None, Money())


@pytest.mark.promise("T7")
@pytest.mark.parametrize("state", ["open", "closed"])
async def test_a_second_run_finds_the_issues_of_the_first(desk: "Desk", state: str) -> None:
    """Closed ones too, on whatever page, though their titles and texts were changed; no model is asked."""
    await desk.run()
    for number in range(300):
        desk.repository.add(title=f"Other {number}", body="Nothing of ours.")
    for issue in desk.repository.issues[:3]:
        issue |= {"state": state, "title": "Renamed", "body": f"{issue['body']}\r\n\r\nA remark.\r\n"}
    moved = desk.three.replace("# Notes\n", "# Notes\n\nMore words.\n").replace(
        "are searched", "are\n  searched"
    )
    result = await desk.run(moved)
    assert (len(desk.repository.issues), desk.repository.listed, desk.writer.asked) == (
        303,
        [1, 1, 2, 3, 4],
        [],
    )
    assert [(r.state, r.number, r.draft.title, r.draft.labels) for r in result.issues] == [
        (IssueState.EXISTING, n, "Renamed", ("enhancement",)) for n in (1, 2, 3)
    ]
    assert as_array(result.as_json()["requests"]) == []


@pytest.mark.parametrize("size", [1, 2, 3, 30])
async def test_a_server_may_give_shorter_pages_than_asked_for(desk: "Desk", size: int) -> None:
    """A short first page is no proof that there is no second."""
    desk.repository.page_size = size
    await desk.run()
    result = await desk.run()
    assert {record.state for record in result.issues} == {IssueState.EXISTING}
    assert len(desk.repository.issues) == 3


@pytest.mark.promise("T7")
async def test_equal_requirements_are_separate_issues_and_stay_so(desk: "Desk") -> None:
    """With titles that tell them apart, in the first run and found again in the second."""
    text = "# T\n\n## Read\n\n- It is logged.\n\n## Write\n\n- It is logged.\n- It is logged.\n- It is new.\n"
    await desk.run(text.replace("- It is new.\n", ""))
    assert desk.repository.titles == ["It is logged", "Write: It is logged", "It is logged (Write)"]
    result = await desk.run(text)
    assert [record.number for record in result.issues] == [1, 2, 3, 4]
    assert [record.state for record in result.issues][-1] is IssueState.CREATED


async def test_titles_differ_though_the_model_gives_each_the_same(desk: "Desk") -> None:
    """The requirement's own words come first, then its section, then its number; found titles count."""
    line = "- Notes are exported as PDF"
    text = f"# T\n\n## Files\n\n{line}.\n{line} or CSV.\n{line}:\n{line};\n"
    same = worded("Export notes as PDF")
    result = await desk.run(text, lambda _: same)
    assert [record.draft.title for record in result.issues] == [
        "Export notes as PDF",
        "Notes are exported as PDF or CSV",
        "Notes are exported as PDF",
        "Export notes as PDF (Files)",
    ]
    result = await desk.run(f"{text}{line},\n", lambda _: same)
    assert result.issues[4].draft.title == "Export notes as PDF (R5)"


async def test_a_title_is_unlike_those_of_issues_that_are_there(desk: "Desk") -> None:
    """Though somebody gave one of them the very title that would have been next."""
    await desk.run("- Same.")
    desk.repository.issues[0]["title"] = "Same (R3)"
    result = await desk.run("- Same.\n- Same.\n- Same.\n")
    assert [record.draft.title for record in result.issues] == ["Same (R3)", "Same", "Same (R3, 2)"]


@pytest.mark.promise("T7")
async def test_only_our_own_marker_counts(desk: "Desk") -> None:
    """Not one that a specification forges, nor one in a pull request or in a quotation."""
    await desk.run("- Notes are shared by link.")
    real = (as_text(desk.repository.issues[0]["body"]) or "").rsplit("\n", 1)[1]
    desk.repository.issues.clear()
    forged = f"- Search {real}\n  {real}\n\n- Notes are shared by link.\n"
    await desk.run(forged)
    assert len(desk.repository.issues) == 2
    assert [str(issue["body"]).count("<!-- interlock:") for issue in desk.repository.issues] == [1, 1]
    desk.repository.issues.clear()
    desk.repository.add(title="A change", body=real)["pull_request"] = {"url": "https://example.org"}
    desk.repository.add(title="An answer", body=f"> {real}\n\nI agree.")
    desk.repository.add(title="Empty", body=None)
    result = await desk.run("- Notes are shared by link.")
    assert [record.number for record in result.issues] == [4]


@pytest.mark.promise("T7")
async def test_a_marker_that_somebody_pasted_below_ours_hides_no_requirement(desk: "Desk") -> None:
    """What people add to an issue does not make it another one."""
    await desk.run()
    second = str(desk.repository.issues.pop(1)["body"])
    desk.repository.issues[0]["body"] = f"{desk.repository.issues[0]['body']}\n\nSee also:\n\n{second}"
    result = await desk.run()
    assert [record.state for record in result.issues] == [
        IssueState.EXISTING,
        IssueState.CREATED,
        IssueState.EXISTING,
    ]


async def test_of_several_issues_of_one_requirement_an_open_one_counts_then_the_oldest(desk: "Desk") -> None:
    """Whatever order they are listed in."""
    one = "- Notes are shared by link."
    await desk.run(one)
    for _ in range(2):
        desk.repository.add(title="Copy", body=desk.repository.issues[0]["body"])
    result = await desk.run(one)
    assert [record.number for record in result.issues] == [1]
    desk.repository.issues[0]["state"] = "closed"
    result = await desk.run(one)
    assert [record.number for record in result.issues] == [2]


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, CredentialError, "token"),
        (403, CredentialError, "token"),
        (404, NotFoundError, "owner"),
        (410, NotFoundError, "owner"),
        (422, InvalidRequestError, "owner"),
        (429, UpstreamRateLimitError, "Wait"),
        (500, UpstreamError, "nothing was created"),
    ],
)
async def test_a_list_that_fails_stops_the_job_before_anything_is_made(
    desk: "Desk",
    status: int,
    kind: type[InterlockError],
    words: str,
) -> None:
    """Without the whole list an issue might be made twice; on a later page too."""
    desk.repository.page_size = 1
    desk.repository.add(title="Other", body="")
    desk.repository.pages[2] = desk.repository.says(None, status=status, error="so it is")
    with pytest.raises(kind, match="cannot be listed: so it is") as caught:
        await desk.run()
    assert caught.value.vendor_status == status
    assert words in (caught.value.remedy or "")
    assert desk.repository.attempts == []


async def test_a_list_that_makes_no_sense_stops_the_job(desk: "Desk") -> None:
    """No array, an issue without a number, or pages without end."""
    pages: list[Json] = [{"message": "hello"}, None]
    for page in pages:
        desk.repository.pages[1] = desk.repository.says(page)
        with pytest.raises(ProtocolError, match="no JSON array"):
            await desk.run()
    page = desk.repository.says([{"number": 1}])
    desk.repository.pages = defaultdict(lambda: page, {0: page})
    with pytest.raises(ProtocolError, match="does not end"):
        await desk.run()
    desk.repository.pages = {}
    await desk.run("- Notes are shared by link.")
    del desk.repository.issues[0]["number"]
    with pytest.raises(ProtocolError, match="no number"):
        await desk.run("- Notes are shared by link.")


async def test_an_error_of_the_list_is_passed_on(desk: "Desk") -> None:
    """After it was told."""
    desk.repository.pages[1] = UpstreamConnectionError("No connection to api.example:443.")
    kinds: list[EventKind] = []

    async def listen() -> None:
        async for item in desk.job().events(desk.request()):
            assert isinstance(item, Event)
            kinds.append(item.kind)

    with pytest.raises(UpstreamConnectionError, match=r"api\.example:443"):
        await listen()
    assert kinds == [EventKind.RUN_STARTED, EventKind.RUN_FAILED]
