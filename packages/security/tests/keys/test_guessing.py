"""Networks that guess at keys, and those beside them."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock_core.call import Principal
from interlock_core.errors import UnauthenticatedError
from interlock_core.store import Store
from interlock_core.testing import FakeClock
from interlock_security import (
    ApiKeys,
    AuditLog,
    KeyRequest,
    KeyRules,
    LockedOutError,
    PermissionChecker,
    RoleGrants,
)
from interlock_security.keys._guessing import GuessGuard, UnknownKeyError, network_of

ATTACKER = "203.0.113.7"
OTHER = "198.51.100.9"


@pytest.fixture
def keys(store: Store, home: Path, log: AuditLog, clock: FakeClock) -> ApiKeys:
    """All keys, of which a network may get five wrong."""
    checker = PermissionChecker()
    grants = RoleGrants(store, checker=checker, changes=log)
    return ApiKeys(
        store,
        home=home,
        checker=checker,
        changes=log,
        roles_of=grants.roles_of,
        rules=KeyRules(most_wrong=5),
        clock=clock,
    )


def guess(number: int, ending: str = "") -> str:
    """A well-formed key that nobody has."""
    return "ilk_" + f"{number:043d}"[: 43 - len(ending)] + ending


async def guessed(keys: ApiKeys, text: str, address: str = ATTACKER) -> type[Exception]:
    """How a wrong key is refused."""
    with pytest.raises((UnauthenticatedError, LockedOutError)) as caught:
        await keys.authenticate(text, address=address)
    return caught.type


@pytest.mark.promise("A9")
async def test_a_network_that_guesses_is_locked_out(keys: ApiKeys, clock: FakeClock) -> None:
    """Told how long; twice as long the next time; and let in again afterwards."""
    for wait in (30.0, 60.0, 120.0):
        assert [await guessed(keys, guess(number)) for number in range(5)] == [UnknownKeyError] * 5
        with pytest.raises(LockedOutError) as caught:
            await keys.authenticate(guess(9), address=ATTACKER)
        assert (caught.value.status, caught.value.retry_after) == (429, wait)
        clock.advance(wait)
    assert await guessed(keys, guess(1)) is UnknownKeyError


@pytest.mark.promise("A9")
@pytest.mark.parametrize("text", ["", "x", "ilk_", "ilk_\x00", "x" * 100_000, "\ud800", "null"])
async def test_what_is_no_key_counts_as_a_guess(keys: ApiKeys, text: str) -> None:
    """Whatever its form."""
    for _ in range(5):
        assert await guessed(keys, text) is UnknownKeyError
    assert await guessed(keys, text) is LockedOutError


@pytest.mark.promise("A9")
async def test_the_right_holder_on_another_network_is_never_locked_out(
    keys: ApiKeys, admin: Principal
) -> None:
    """Neither by one network that guesses, nor by hundreds that guess at the very ending of that key."""
    made = await keys.create(KeyRequest(name="k", user="bob"), by=admin)
    text = made.text.reveal()
    for network in range(300):
        for number in range(6):
            await guessed(keys, guess(number, text[-4:]), f"10.{network // 256}.{network % 256}.1")
    assert (await keys.authenticate(text, address=OTHER)).user == "bob"
    await keys.aclose()


@pytest.mark.promise("A9")
async def test_guesses_at_one_ending_from_many_networks_are_cut_short(keys: ApiKeys) -> None:
    """A network needs fewer wrong keys to be locked out, once fifty guesses were made at that ending."""
    for network in range(51):
        await guessed(keys, guess(network, "abcd"), f"10.0.{network}.1")
    refused = [await guessed(keys, guess(number, "abcd"), "10.9.9.9") for number in range(4)]
    assert refused == [UnknownKeyError] * 3 + [LockedOutError]
    calm = [await guessed(keys, guess(number, "wxyz"), "10.8.8.8") for number in range(4)]
    assert calm == [UnknownKeyError] * 4


@pytest.mark.promise("A9")
async def test_a_key_that_was_right_from_a_network_stays_welcome_there(
    keys: ApiKeys, admin: Principal
) -> None:
    """A neighbour behind the same proxy that guesses locks nobody out but who is new."""
    made = await keys.create(KeyRequest(name="k", user="bob"), by=admin)
    new = await keys.create(KeyRequest(name="n", user="eve"), by=admin)
    text = made.text.reveal()
    await keys.authenticate(text, address=ATTACKER)
    for number in range(6):
        await guessed(keys, guess(number))
    assert (await keys.authenticate(text, address=ATTACKER)).user == "bob"
    assert await guessed(keys, new.text.reveal()) is LockedOutError
    assert (await keys.authenticate(new.text.reveal(), address=OTHER)).user == "eve"
    await keys.aclose()


@pytest.mark.promise("A9")
async def test_a_lock_out_says_nothing_about_a_key(keys: ApiKeys, admin: Principal) -> None:
    """A right one, a wrong one and none at all are refused in the same words, before any look-up."""
    made = await keys.create(KeyRequest(name="k"), by=admin)
    for number in range(5):
        await guessed(keys, guess(number))
    said: set[tuple[str, str | None, float | None]] = set()
    for text in (made.text.reveal(), guess(77), "nonsense"):
        with pytest.raises(LockedOutError) as caught:
            await keys.authenticate(text, address=ATTACKER)
        said.add((caught.value.message, caught.value.remedy, caught.value.retry_after))
        assert text not in str(caught.value)
    assert len(said) == 1


@pytest.mark.promise("A9")
async def test_a_key_that_ended_is_no_guess(keys: ApiKeys, admin: Principal) -> None:
    """A program that goes on with a revoked key locks nobody out."""
    made = await keys.create(KeyRequest(name="k"), by=admin)
    await keys.revoke(made.key.id, by=admin)
    for _ in range(20):
        assert await guessed(keys, made.text.reveal()) is UnauthenticatedError
    assert await guessed(keys, guess(1)) is UnknownKeyError


async def test_calls_without_a_network_between_are_not_counted(keys: ApiKeys, admin: Principal) -> None:
    """Such as those of a program that holds the runtime itself."""
    made = await keys.create(KeyRequest(name="k"), by=admin)
    for number in range(20):
        with pytest.raises(UnauthenticatedError):
            await keys.authenticate(guess(number))
    await keys.authenticate(made.text.reveal())
    await keys.aclose()


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.floats(0, 40)), max_size=60),
    most=st.integers(1, 6),
)
def test_a_network_without_a_wrong_key_is_never_refused(
    steps: list[tuple[int, bool, float]], most: int
) -> None:
    """Whatever the others do, in any order, at any time; and nobody is refused before their count is full."""
    guard, now = GuessGuard(most=most), 0.0
    wrong: dict[int, int] = {}
    for who, is_right, wait in steps:
        now += wait
        network, index = bytes([who]), bytes([who]) * 32
        try:
            guard.check(network, index, now)
        except LockedOutError:
            assert wrong.get(who, 0) >= min(most, 3)
            continue
        if is_right or who == 0:
            guard.right(network, index)
        else:
            wrong[who] = wrong.get(who, 0) + 1
            guard.wrong(network, "same", now)


def test_what_is_remembered_is_bounded() -> None:
    """However many networks guess, ten thousand of each kind are remembered."""
    guard = GuessGuard(most=1)
    for number in range(12_000):
        network = number.to_bytes(8, "big")
        guard.wrong(network, str(number), 0.0)
        guard.right(network, network)
    assert guard.remembered == 30_000


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", b"\xc0\x00\x02\x01"),
        ("::ffff:192.0.2.1", b"\xc0\x00\x02\x01"),
        ("2001:db8:1:2:3:4:5:6", b"\x20\x01\x0d\xb8\x00\x01\x00\x02"),
        ("2001:db8:1:2::9%eth0", b"\x20\x01\x0d\xb8\x00\x01\x00\x02"),
        ("", b""),
        ("somewhere", b""),
    ],
)
def test_a_network_is_an_address_or_the_half_of_one(address: str, network: bytes) -> None:
    """Who has one address of IPv6 has all that share its first half."""
    assert network_of(address) == network
