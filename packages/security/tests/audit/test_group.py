"""Group commit."""

import asyncio
from collections.abc import Sequence

import pytest

from interlock_core.errors import AuditUnavailableError, StoreError
from interlock_security.audit._group import GroupCommit


class Press:
    """Writes batches, one at a time, when it is let to."""

    def __init__(self, *errors: BaseException) -> None:
        self.batches: list[list[int]] = []
        self.errors = list(errors)
        self.begun = asyncio.Event()
        self.open = asyncio.Event()

    async def write(self, items: Sequence[int]) -> list[int]:
        """Double every item, or fail."""
        self.batches.append(list(items))
        self.begun.set()
        await self.open.wait()
        if self.errors:
            raise self.errors.pop(0)
        return [item * 2 for item in items]


async def test_what_comes_while_a_batch_is_written_goes_into_the_next() -> None:
    """One alone is written at once; nobody waits for a timer."""
    press = Press()
    group = GroupCommit(press.write)
    tasks = [asyncio.create_task(group.submit(0))]
    await press.begun.wait()
    tasks += [asyncio.create_task(group.submit(number)) for number in range(1, 2_000)]
    await asyncio.sleep(0)
    press.open.set()
    assert await asyncio.gather(*tasks) == [number * 2 for number in range(2_000)]
    assert [len(batch) for batch in press.batches] == [1, 1_024, 975]
    await group.drain()


async def test_an_error_fails_its_batch_alone() -> None:
    """A typed error as it is, any other as a log that cannot be written; the next batch goes on."""
    press = Press(StoreError("full"), RuntimeError("a fault of ours"))
    press.open.set()
    group = GroupCommit(press.write)
    with pytest.raises(StoreError, match="full"):
        await group.submit(1)
    with pytest.raises(AuditUnavailableError):
        await group.submit(2)
    assert await group.submit(3) == 6


async def test_whoever_waits_when_the_writer_ends_is_told() -> None:
    """The loop is shut down under it: nobody waits for ever, and nobody takes silence for a yes."""
    press = Press()
    group = GroupCommit(press.write)
    first = asyncio.create_task(group.submit(1))
    await press.begun.wait()
    second = asyncio.create_task(group.submit(2))
    await asyncio.sleep(0)
    others = asyncio.all_tasks() - {asyncio.current_task(), first, second}
    for task in others:
        task.cancel()
    answers = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(answer) for answer in answers] == [AuditUnavailableError] * 2
