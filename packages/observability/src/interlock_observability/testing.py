"""Doubles for tests of what is recorded: calls with their outcomes, and a store whose answers get lost."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypedDict, Unpack

from interlock_core import CallKind, Money, Outcome, Recorder, Usage
from interlock_core.errors import StoreError
from interlock_core.store import Params, Row, Store, Transaction
from interlock_core.testing import make_call


class Noted(TypedDict, total=False):
    """What may be said of a made-up call; what is left out is ordinary.

    Attributes:
        task: Class of its task.
        seconds: How long it took.
        first_token: Seconds to its first token.
        tokens: Tokens in and out; None when the vendor told none.
        usd: Its price in dollars; None when unknown.
        error: Code of its error; None when it did what it was for.
        score: How good it was.
        run: Id of its run.
    """

    task: str
    seconds: float
    first_token: float | None
    tokens: tuple[int, int] | None
    usd: str | None
    error: str | None
    score: float | None
    run: str | None


def note(recorder: Recorder, model: str = "alpha/small", **said: Unpack[Noted]) -> None:
    """Record one made-up call to a model, named `provider/model`."""
    tokens, usd, error = said.get("tokens", (10, 5)), said.get("usd", "0.001"), said.get("error")
    outcome = Outcome(
        ok=error is None,
        error=error,
        model=model,
        task=said.get("task", "writing"),
        usage=None if tokens is None else Usage(input_tokens=tokens[0], output_tokens=tokens[1]),
        cost=None if usd is None else Money.usd(usd),
        duration_s=said.get("seconds", 1.0),
        first_token_s=said.get("first_token"),
        score=said.get("score"),
    )
    recorder.record(replace(make_call(model), run=said.get("run")), outcome)


def note_tool(
    recorder: Recorder, tool: str = "git.issue", *, seconds: float = 0.1, error: str | None = None
) -> None:
    """Record one made-up call to a tool."""
    call = make_call(tool, kind=CallKind.TOOL)
    recorder.record(call, Outcome(ok=error is None, error=error, duration_s=seconds))


class LossyStore(Store):
    """A store over a real one that can be away, or lose the answer to a commit that was made.

    Args:
        real: The store that does the work.

    Attributes:
        away: Everything fails.
        lose_answers: How many of the next commits are made and reported as failed.
    """

    def __init__(self, real: Store) -> None:
        super().__init__(real, clock=real.clock)
        self._real = real
        self.away = False
        self.lose_answers = 0

    async def execute(self, sql: str, params: Params = ()) -> int:
        """As the real store, unless away."""
        self._must_be_here()
        return await self._real.execute(sql, params)

    async def fetch_all(self, sql: str, params: Params = ()) -> list[Row]:
        """As the real store, unless away."""
        self._must_be_here()
        return await self._real.fetch_all(sql, params)

    async def fetch_one(self, sql: str, params: Params = ()) -> Row | None:
        """As the real store, unless away."""
        self._must_be_here()
        return await self._real.fetch_one(sql, params)

    @asynccontextmanager
    async def transaction(self, *, lock: str = "store") -> AsyncGenerator[Transaction, None]:
        """As the real store, unless away or losing answers.

        Raises:
            StoreError: It is away, or the answer was lost after the commit.
        """
        self._must_be_here()
        async with self._real.transaction(lock=lock) as transaction:
            yield transaction
        if self.lose_answers:
            self.lose_answers -= 1
            raise StoreError("The connection broke while the transaction was committed.")

    async def drift(self) -> list[str]:
        """As the real store."""
        return await self._real.drift()

    async def aclose(self) -> None:
        """Close the real store."""
        await self._real.aclose()

    def _must_be_here(self) -> None:
        if self.away:
            raise StoreError("The database is away.", remedy="Bring it back.")


def lines_of(text: str, *starts: str) -> Sequence[str]:
    """The lines of an exposition that begin with one of the given words."""
    return [line for line in text.splitlines() if line.startswith(starts)]
