"""The approver at a real pseudo-terminal."""

import asyncio
import hashlib
import io
import os
import pty
import select
import sys
from collections.abc import Iterator

import pytest

from interlock_cli._approver import Terminal
from interlock_core import Approval, Call, CallKind, Effect, HttpRequest, Prepared, Principal, ToolSpec

CALL = Call(
    id="call_1",
    kind=CallKind.TOOL,
    name="github.issues_delete",
    principal=Principal(user="alice"),
    effect=Effect.DESTRUCTIVE,
)
TOOL = ToolSpec(
    name="github.issues_delete", description="Deletes an issue.", parameters={}, effect=Effect.DESTRUCTIVE
)
PREPARED = Prepared(
    tool=TOOL,
    arguments={"number": 1},
    request=HttpRequest(method="DELETE", url="http://127.0.0.1/issues/1", body=b'{"a":"\x1b[2J"}'),
)


class Person:
    """Who sits at the other end of a terminal that is standard input and standard error of this process."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._near, far = pty.openpty()
        self._streams = (os.fdopen(far, closefd=False), os.fdopen(far, "w"))
        self._patch = patch

    def sit_down(self) -> None:
        """Make the terminal that of this process."""
        self._patch.setattr(sys, "stdin", self._streams[0])
        self._patch.setattr(sys, "stderr", self._streams[1])

    def read(self, until: str) -> str:
        """What is on the screen up to some words, or after half a minute without any."""
        seen = ""
        while until not in seen and select.select([self._near], [], [], 30)[0]:
            seen += os.read(self._near, 4096).decode()
        return seen

    def type(self, text: str) -> None:
        """Type a text."""
        os.write(self._near, text.encode())

    def leave(self) -> None:
        """Close the terminal."""
        for stream in self._streams:
            stream.close()
        os.close(self._near)


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    """A person, who sits down once the test has begun: until then the streams are the test runner's."""
    made = Person(monkeypatch)
    yield made
    monkeypatch.undo()
    made.leave()


async def asked(person: Person, answer: str, prepared: Prepared = PREPARED) -> tuple[str, Approval]:
    """What the person saw and what came of the answer."""
    person.sit_down()
    asking = asyncio.create_task(Terminal().approve(CALL, prepared))
    seen = await asyncio.to_thread(person.read, "[y/N] ")
    person.type(answer)
    return seen, await asking


@pytest.mark.parametrize(
    ("answer", "granted"), [("y\n", True), (" YES \n", True), ("n\n", False), ("\n", False)]
)
async def test_only_yes_means_yes(person: Person, answer: str, granted: bool) -> None:
    """The exact request is shown first, and nothing in it steers the terminal."""
    seen, approval = await asked(person, answer)
    assert "DELETE http://127.0.0.1/issues/1" in seen
    assert '{"a":"\\x1b[2J"}' in seen
    assert approval.granted is granted
    assert approval.by == "alice"


async def test_headers_and_what_is_no_text_are_shown_before_a_yes(person: Person) -> None:
    """Two calls that differ in a header, a cookie or a byte do not look alike."""
    headers = (("x-scope", "everything"), ("cookie", "tenant=victim"))
    request = HttpRequest(method="DELETE", url="http://127.0.0.1/all", headers=headers, body=b"\xff\x00")
    seen, _ = await asked(person, "n\n", Prepared(tool=TOOL, arguments={}, request=request))
    assert "x-scope: everything" in seen
    assert "cookie: tenant=victim" in seen
    assert "2 bytes that are not text" in seen
    assert hashlib.sha256(b"\xff\x00").hexdigest() in seen


async def test_a_call_without_a_request_shows_its_arguments(person: Person) -> None:
    """A tool of this process sends nothing."""
    seen, approval = await asked(person, "y\n", Prepared(tool=TOOL, arguments={"number": 7}))
    assert '"number": 7' in seen
    assert approval.granted


async def test_what_was_typed_before_the_question_does_not_count(person: Person) -> None:
    """A yes that was pasted ahead is forgotten."""
    person.type("y\n")
    _, approval = await asked(person, "n\n")
    assert not approval.granted


async def test_waiting_for_an_answer_can_be_cancelled(person: Person) -> None:
    """Ctrl-C ends a run that asks, without another key."""
    person.sit_down()
    asking = asyncio.create_task(Terminal().approve(CALL, PREPARED))
    await asyncio.to_thread(person.read, "[y/N] ")
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_nobody_means_no(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where questions are forbidden, or no terminal is there."""
    person.sit_down()
    assert not (await Terminal(ask=False).approve(CALL, PREPARED)).granted
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    approval = await Terminal().approve(CALL, PREPARED)
    assert not approval.granted
    assert "nobody" in approval.reason
