"""Networks that guess are locked out by every process at the same store."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from interlock_core.call import Principal
from interlock_core.jsontypes import JsonObject
from interlock_core.store import Store
from interlock_core.testing import FakeClock
from interlock_security import BRANCH, ApiKeys, KeyRequest, LockedOutError, PermissionChecker
from interlock_security.keys._guesses import SharedGuesses

ATTACKER, OTHER = "203.0.113.7", "198.51.100.9"
SECRET = b"s" * 32
WORKER = """
import asyncio, sys
from contextlib import asynccontextmanager
from contextlib import asynccontextmanager
from pathlib import Path
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import JsonObject
from interlock_core.store import Store
from interlock_security import BRANCH, ApiKeys, KeyRules, PermissionChecker

class NoLog:
    @asynccontextmanager
    async def change(self, name, by, data):
        yield

async def nobody(user):
    return frozenset()

async def main(url, home):
    store = await Store.open(url, branches=[BRANCH])
    keys = ApiKeys(store, home=Path(home), checker=PermissionChecker(), changes=NoLog(), roles_of=nobody,
                   rules=KeyRules(most_wrong=5))
    while line := await asyncio.to_thread(sys.stdin.readline):
        address, text = line.split()
        try:
            print((await keys.authenticate(text, address=address)).user, flush=True)
        except InterlockError as error:
            print(type(error).__name__, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


class Gate:
    """One process that recognises keys."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, url: str, home: Path) -> "Gate":
        """Start one."""
        command = (sys.executable, "-c", WORKER, url, str(home))
        pipe = asyncio.subprocess.PIPE
        return cls(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe))

    async def ask(self, text: str, address: str = ATTACKER) -> str:
        """Whom a key stands for, or what it is refused as."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{address} {text}\n".encode())
        return (await self._process.stdout.readline()).decode().strip()

    async def kill(self) -> None:
        """End it as a crash would."""
        self._process.send_signal(signal.SIGKILL)
        await self._process.communicate()


class NoLog:
    """Lets every change be made."""

    @asynccontextmanager
    async def change(self, name: str, by: Principal, data: JsonObject) -> AsyncGenerator[None, None]:
        """Let a change be made."""
        yield


def guess(number: int) -> str:
    """A well-formed key that nobody has."""
    return f"ilk_{number:043d}"


async def made_keys(url: str, home: Path, admin: Principal) -> Mapping[str, str]:
    """Keys of bob and of eve."""
    async with await Store.open(url, branches=[BRANCH]) as store:
        keys = ApiKeys(store, home=home, checker=PermissionChecker(), changes=NoLog(), roles_of=nobody)
        made = {user: await keys.create(KeyRequest(name="k", user=user), by=admin) for user in ("bob", "eve")}
        await keys.aclose()
    return {user: key.text.reveal() for user, key in made.items()}


async def nobody(user: str) -> frozenset[str]:
    """Nobody holds a role beside his key's."""
    del user
    return frozenset()


@pytest.mark.promise("A9")
async def test_guesses_count_together_in_every_process(url: str, home: Path, admin: Principal) -> None:
    """The lock-out holds everywhere and outlives who imposed it; the welcome of a right key does too."""
    keys = await made_keys(url, home, admin)
    one, two = await asyncio.gather(Gate.start(url, home), Gate.start(url, home))
    assert await one.ask(keys["bob"]) == "bob"
    said = [await gate.ask(guess(number)) for number, gate in enumerate((one, two, one, two, one))]
    assert said == ["UnknownKeyError"] * 5
    assert [await gate.ask(guess(9)) for gate in (one, two)] == ["LockedOutError"] * 2
    assert [await gate.ask("nonsense") for gate in (one, two)] == ["LockedOutError"] * 2
    assert [await gate.ask(keys["bob"]) for gate in (one, two)] == ["bob"] * 2
    assert [await gate.ask(keys["eve"]) for gate in (one, two)] == ["LockedOutError"] * 2
    assert await two.ask(keys["eve"], OTHER) == "eve"
    await asyncio.gather(one.kill(), two.kill())
    three = await Gate.start(url, home)
    assert await three.ask(guess(1)) == "LockedOutError"
    assert [await three.ask(keys["bob"]), await three.ask(keys["eve"], OTHER)] == ["bob", "eve"]
    await three.kill()
    async with await Store.open(url, branches=[BRANCH]) as store:
        places = [row[0] for row in await store.fetch_all("SELECT id FROM keys_guesses")]
    assert {len(place) for place in places if isinstance(place, bytes)} == {32}


@pytest.mark.promise("A9")
async def test_without_the_store_a_process_counts_alone(store: Store, clock: FakeClock) -> None:
    """Guessing is no cheaper while the table is away, and counts together again afterwards."""
    guesses = SharedGuesses(store, most=3, clock=clock)
    await store.execute("ALTER TABLE keys_guesses RENAME TO away")
    assert [await guesses.wrong(b"net", guess(1), SECRET) for _ in range(3)] == [False, False, True]
    with pytest.raises(LockedOutError, match="Too many wrong API keys"):
        await guesses.check(b"net", b"", SECRET)
    await store.execute("ALTER TABLE away RENAME TO keys_guesses")
    await guesses.check(b"net", b"", SECRET)
    assert [await guesses.wrong(b"net", guess(1), SECRET) for _ in range(3)] == [False, False, True]
    with pytest.raises(LockedOutError, match="Too many wrong API keys"):
        await SharedGuesses(store, most=3, clock=clock).check(b"net", b"", SECRET)


@pytest.mark.promise("A9")
async def test_what_is_shared_is_bounded(store: Store, clock: FakeClock) -> None:
    """Ten thousand networks are remembered; of more, those that were seen last."""
    rows = [(number.to_bytes(4, "big"), number) for number in range(10_300)]
    async with store.transaction() as transaction:
        await transaction.execute_many(
            "INSERT INTO keys_guesses (id, kind, since, wrong, locked_until, times, last)"
            " VALUES (?, 'network', 0, 1, 0, 0, ?)",
            rows,
        )
    clock.set_now(1e9)
    await SharedGuesses(store, most=3, clock=clock).wrong(b"net", guess(1), SECRET)
    found = await store.fetch_one("SELECT count(*), min(last) FROM keys_guesses WHERE kind = 'network'")
    assert found == (10_000, 301)


@pytest.mark.promise("A9")
async def test_guesses_at_once_are_counted_one_by_one(store: Store, clock: FakeClock) -> None:
    """Two processes that note twenty at the same moment lock the network out once."""
    pair = [SharedGuesses(store, most=10, clock=clock) for _ in range(2)]
    noted = [guesses.wrong(b"net", guess(number), SECRET) for number in range(10) for guesses in pair]
    assert sum(await asyncio.gather(*noted)) == 1
    for guesses in pair:
        with pytest.raises(LockedOutError, match="Too many wrong API keys"):
            await guesses.check(b"net", b"", SECRET)
