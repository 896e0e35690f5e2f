"""What the wrapper of GitHub has to do against any server that speaks as GitHub does: the steps, once.

The stand-in and the servers of others stand the same steps; each begins with a repository that has a branch
`main` with at least one file, and neither issues nor pull requests. A step that goes wrong raises
`AssertionError`.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from interlock_core.errors import InterlockError, InvalidRequestError, NotFoundError
from interlock_tools.wrappers import GitHub

__all__ = [
    "Work",
    "a_change_from_branch_to_merge",
    "code_can_be_read",
    "errors_say_what_to_do",
    "issues_from_start_to_end",
    "many_issues_in_one_list",
]

Work: TypeAlias = Callable[[GitHub], Awaitable[None]]
"""Steps that a server has to stand."""


async def _refusal(refused: Awaitable[object], kind: type[InterlockError]) -> InterlockError:
    """The error with which a call is refused."""
    try:
        await refused
    except kind as error:
        return error
    raise AssertionError(f"it was not refused with {kind.__name__}")


async def issues_from_start_to_end(github: GitHub) -> None:
    """Open, read, change, label, discuss, find and close issues."""
    first = await github.create_issue("Find umlauts", body="Searching `Uebung` does not find `Übung`.")
    assert (first.state, first.labels, first.comments) == ("open", (), 0)
    label = await github.create_label("search", color="1d76db", description="Finding things")
    assert (label.name, label.color) == ("search", "1d76db")
    milestone = await github.create_milestone("First release", description="What people can use")
    assert milestone.state == "open"
    changed = await github.update_issue(
        first.number, {"labels": ["search"], "milestone": milestone.number, "assignees": [github.owner]}
    )
    assert changed.labels == ("search",)
    assert changed.milestone == milestone.number
    comment = await github.comment(first.number, "It is the folding.")
    assert [one.body for one in await github.comments(first.number)] == [comment.body]
    assert (await github.issue(first.number)).comments == 1
    removed = await github.update_issue(first.number, {"milestone": None})
    assert removed.milestone is None
    assert await github.add_labels(first.number, ["bug"])
    assert set((await github.issue(first.number)).labels) == {"search", "bug"}
    assert (await github.close_issue(first.number)).state == "closed"
    assert [one.number for one in await github.issues()] == []
    assert [one.number for one in await github.issues(state="closed", labels=["search"])] == [first.number]
    assert "search" in {one.name for one in await github.labels()}
    renamed = await github.update_label("search", new_name="finding")
    assert renamed.name == "finding"
    await github.delete_label("finding")
    assert "finding" not in {one.name for one in await github.labels()}
    assert [one.title for one in await github.milestones()] == ["First release"]


async def many_issues_in_one_list(github: GitHub) -> None:
    """More than a page, each once; a server may order those of one second as it likes."""
    for number in range(103):
        await github.create_issue(f"Issue {number}")
    listed = [one.number for one in await github.issues()]
    assert len(listed) == 103
    assert len(set(listed)) == 103


async def errors_say_what_to_do(github: GitHub) -> None:
    """What is not there, and what is not taken."""
    missing = await _refusal(github.issue(4_711), NotFoundError)
    assert missing.vendor_status == 404
    assert "Check owner, name and number" in str(missing)
    await github.create_label("taken")
    taken = await _refusal(github.create_label("taken"), InvalidRequestError)
    assert taken.vendor_status == 422
    nameless = await _refusal(github.create_issue(""), InvalidRequestError)
    assert "title" in str(nameless)


async def a_change_from_branch_to_merge(github: GitHub) -> None:
    """Write a file on a branch, propose it, review it, merge it, and read it where it went."""
    main = await github.branch("main")
    await github.create_branch("fix-search", main.sha)
    assert {"main", "fix-search"} <= {one.name for one in await github.branches()}
    commit = await github.write_file("docs/note.md", b"A note.\n", "Add a note", branch="fix-search")
    assert len(commit) == 40
    written = await github.file("docs/note.md", ref="fix-search")
    assert (written.content, written.kind) == (b"A note.\n", "file")
    again = await github.write_file(
        "docs/note.md", b"A better note.\n", "Say it better", branch="fix-search", sha=written.sha
    )
    assert again != commit
    assert "docs/note.md" in {one.path for one in await github.folder("docs", ref="fix-search")}
    pull = await github.create_pull_request("Add a note", head="fix-search", base="main", body="For readers.")
    assert (pull.state, pull.head, pull.base, pull.merged) == ("open", "fix-search", "main", False)
    assert [one.number for one in await github.pull_requests()] == [pull.number]
    better = await github.update_pull_request(pull.number, {"title": "Add a better note"})
    assert better.title == "Add a better note"
    review = await github.review(pull.number, "COMMENT", body="Reads well.")
    assert review.state == "COMMENTED"
    assert [one.body for one in await github.reviews(pull.number)] == ["Reads well."]
    assert await github.merge(pull.number, method="squash")
    merged = await github.pull_request(pull.number)
    assert (merged.state, merged.merged) == ("closed", True)
    assert await github.pull_requests() == ()
    assert [one.number for one in await github.issues(state="all")] == []


async def code_can_be_read(github: GitHub) -> None:
    """Commits of a branch, newest first."""
    commits = await github.commits(branch="main")
    assert commits[0].sha
    assert commits[0].message
