"""API keys: made, listed, revoked, recognised."""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from interlock_core.call import Principal
from interlock_core.clock import Clock, SystemClock
from interlock_core.errors import (
    ConfigurationError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RefusedError,
    StoreError,
    UnauthenticatedError,
)
from interlock_core.ids import new_id
from interlock_core.jsontypes import JsonObject
from interlock_core.secret import Secret
from interlock_core.store import Store
from interlock_security._changes import ChangeLog
from interlock_security._files import read_or_create, read_private
from interlock_security.keys._guesses import SharedGuesses
from interlock_security.keys._guessing import UnknownKeyError, network_of
from interlock_security.keys._minting import mint
from interlock_security.keys._record import ApiKey, KeyBudgets, KeyRequest, NewKey
from interlock_security.keys._table import KeyTable
from interlock_security.keys._text import is_key, load_pepper, lookup, new_key
from interlock_security.people import Standing
from interlock_security.permissions import PermissionChecker

_logger = logging.getLogger("interlock.security.keys")

PEPPER_FILE = "keys.pepper"
"""Name of the file with the secret under which keys are looked up."""

ADMIN_KEY_FILE = "admin.key"
"""Name of the file with the first start's admin key."""

_ADMIN_ID = "key_admin"
# A revocation counts everywhere within a second: this, and what a look-up may take.
_CACHE_S = 0.5
_CACHE_ENTRIES = 10_000
_USE_NOTED_EVERY_S = 60.0
_LONGEST_ID = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminKey:
    """The first start's admin key.

    Attributes:
        path: Its file, which may have been taken away since.
        created: It was made just now.
    """

    path: Path
    created: bool


class Owners(Protocol):
    """Knows what a user's name means today. `People` does."""

    async def standing(self, user: str, *, team: str | None = None) -> Standing:
        """Whether the user is disabled, and where the user belongs; `team` where that is nowhere."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRules:
    """What holds for all keys.

    Attributes:
        fallback_role: The role of a key that has none, while its user never held one; None for no right.
        most_wrong: Wrong keys that one network may present within a minute, before it is locked out.
    """

    fallback_role: str | None = "developer"
    most_wrong: int = 20


@dataclass(frozen=True, slots=True)
class _Known:
    index: bytes
    key: ApiKey
    principal: Principal
    until: float


class ApiKeys:
    """All API keys.

    Recognised keys are remembered for half a second: a revocation, like a disabled user, is at once in this
    process, and within a second in others.

    Args:
        store: Where keys are kept.
        home: The data folder: `keys.pepper` and `admin.key` are there (0600).
        checker: Knows the rules.
        changes: Where each change is recorded before it is made.
        roles_of: The roles that a user holds, such as `RoleGrants.roles_of`.
        owners: What users' names mean; nothing in particular when None.
        rules: What holds for all keys.
        clock: Tells the time.
    """

    __slots__ = (
        *("_cache", "_changes", "_checker", "_clock", "_fallback", "_generation", "_guesses", "_home"),
        *("_noted", "_owners", "_pepper", "_roles_of", "_table", "_tasks"),
    )

    def __init__(
        self,
        store: Store,
        *,
        home: Path,
        checker: PermissionChecker,
        changes: ChangeLog,
        roles_of: Callable[[str], Awaitable[frozenset[str]]],
        owners: Owners | None = None,
        rules: KeyRules | None = None,
        clock: Clock | None = None,
    ) -> None:
        chosen = rules or KeyRules()
        self._table = KeyTable(store)
        self._home = home
        self._checker = checker
        self._changes = changes
        self._roles_of = roles_of
        self._owners = owners
        self._fallback = frozenset(() if chosen.fallback_role is None else (chosen.fallback_role,))
        self._clock = clock or SystemClock()
        self._guesses = SharedGuesses(store, most=chosen.most_wrong, clock=self._clock)
        self._pepper: bytes | None = None
        self._cache: dict[bytes, _Known] = {}
        self._generation = 0
        self._noted: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def create(self, request: KeyRequest, *, by: Principal) -> NewKey:
        """Make a key.

        Raises:
            InvalidRequestError: A field is wrong.
            ConfigurationError: There is no such role.
            PermissionDeniedError: `by` may not make such a key.
            AuditUnavailableError: It could not be recorded, so it was not made.
            StoreError: It could not be kept.
        """
        if request.role is not None:
            self._checker.roles.need(request.role, field="role")
        now = self._clock.now()
        user = request.user if request.user is not None else by.user
        minted = mint(
            request,
            by=by,
            made_with=None if by.key_id is None else await self._table.get(by.key_id),
            roles=await self._roles(request.role, user),
            now=now,
            checker=self._checker,
        )
        standing = await self._checked_owner(user, request.team)
        text = new_key()
        key = ApiKey(
            id=new_id("key"),
            name=request.name,
            hint=text[-4:],
            user=minted.user,
            team=request.team,
            role=request.role,
            scopes=minted.scopes,
            created_at=now,
            created_by=by.user,
            expires_at=minted.expires_at,
            revoked_at=None,
            last_used_at=None,
            budgets=KeyBudgets(day=request.budget_day, month=request.budget_month),
            user_kept=standing.kept,
        )
        await self._keep(key, text, by)
        return NewKey(key=key, text=Secret(text, name=f"api_key_{key.hint}"))

    async def list(self, *, by: Principal) -> tuple[ApiKey, ...]:
        """The keys that `by` may see, oldest first: all with the area `keys`, else their own.

        Raises:
            StoreError: They cannot be read.
        """
        everyone = self._checker.may_manage(by, "keys").allowed
        return tuple(key for key in await self._table.all() if everyone or key.user == by.user)

    async def revoke(self, key_id: str, *, by: Principal) -> ApiKey:
        """Revoke a key: at once in this process, within a second in others.

        Raises:
            NotFoundError: There is no such key, or `by` may not revoke it.
            AuditUnavailableError: It could not be recorded, so it was not done.
            StoreError: It could not be kept.
        """
        key = await self._table.get(key_id)
        if key is None or not self._may_revoke(by, key):
            raise NotFoundError(
                f"There is no key {_shown(key_id)} that you may revoke.",
                field="id",
                remedy="`interlock keys list` shows the ids of yours.",
            )
        now = self._clock.now()
        async with self._changes.change(
            "keys.revoke", by, {"id": key.id, "name": key.name, "user": key.user}
        ):
            await self._table.revoke(key.id, now)
            self.forget()
        found = await self._table.get(key_id)
        return key if found is None else found

    async def authenticate(self, text: str | None, *, address: str | None = None) -> Principal:
        """Who presents a key.

        Args:
            text: The key.
            address: The client's network address; None where no network is between, and no guesses are
                counted.

        Raises:
            LockedOutError: Too many wrong keys came from the client's network.
            UnauthenticatedError: It is no key, an unknown, a revoked or an expired one, or its user is
                disabled.
            PermissionDeniedError: None of its roles exists any more.
            ConfigurationError: The lookup secret's file is wrong.
            StoreError: The keys cannot be read: nobody is let in.
        """
        network = None if address is None else network_of(address)
        shaped = text is not None and is_key(text)
        secret = await self._secret()
        index = lookup(secret, text) if text is not None and shaped else b""
        if network is not None:
            await self._guesses.check(network, index, secret)
        try:
            if not shaped:
                raise _unknown()
            known = await self._known(index)
        except UnknownKeyError:
            if network is not None and await self._guesses.wrong(network, text or "", secret):
                _logger.warning("a network is locked out: it presented too many wrong API keys")
            raise
        if network is not None:
            await self._guesses.right(network, index, secret)
        self._note_use(known.key.id)
        return known.principal

    async def renew(self, key_id: str) -> Principal:
        """Whom a recognised key stands for by now, looked up anew: for what stays open after its request.

        Raises:
            UnauthenticatedError: It stands for nobody any more.
            PermissionDeniedError: Its roles do not exist any more.
            StoreError: It cannot be read: nobody may stay.
        """
        key = await self._table.get(key_id)
        try:
            if key is None:
                raise _unknown()
            self._check_expiry(key)
            return await self._stands_for(key)
        except RefusedError:
            self.forget()
            raise

    def forget(self) -> None:
        """Look every key up anew from now on, so that changed roles count at once."""
        self._generation += 1
        self._cache.clear()

    async def ensure_admin_key(self) -> AdminKey:
        """Make the admin key of the first start, once; its text is in `admin.key` in the data folder (0600).

        Where the key was made before, nothing happens, also when its file was taken away or it was revoked.

        Raises:
            ConfigurationError: The file cannot be made, holds something else, or others may read it.
            AuditUnavailableError: It could not be recorded, so it was not made.
            StoreError: It could not be kept.
        """
        path = self._home / ADMIN_KEY_FILE
        if await self._table.get(_ADMIN_ID) is not None:
            return AdminKey(path=path, created=False)
        text = (await asyncio.to_thread(read_or_create, path, f"{new_key()}\n".encode())).decode().strip()
        if not is_key(text):
            raise ConfigurationError(
                f"{path} holds no API key.",
                field=str(path),
                remedy="Move it away, so that a new one is made.",
            )
        owner = Principal(user="admin", roles=frozenset({"admin"}))
        key = ApiKey(
            id=_ADMIN_ID,
            name="first start",
            hint=text[-4:],
            user=owner.user,
            team=None,
            role="admin",
            scopes=frozenset(),
            created_at=self._clock.now(),
            created_by=owner.user,
            expires_at=None,
            revoked_at=None,
            last_used_at=None,
        )
        await self._keep(key, text, owner)
        return AdminKey(path=path, created=True)

    async def aclose(self) -> None:
        """Wait until the last uses and guesses are noted."""
        await self._guesses.aclose()
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _keep(self, key: ApiKey, text: str, by: Principal) -> None:
        index = lookup(await self._secret(), text)
        facts: JsonObject = {
            name: value for name, value in key.as_json().items() if value is not None and name != "hint"
        }
        async with self._changes.change("keys.create", by, facts):
            await self._table.insert(key, index)

    async def _known(self, index: bytes) -> _Known:
        """A key that works now.

        Raises:
            UnauthenticatedError: It does not.
        """
        known = self._cache.get(index)
        if known is None or known.until <= self._clock.monotonic():
            known = await self._recognise(index)
        if not hmac.compare_digest(known.index, index):
            self.forget()
            raise StoreError("What is remembered of API keys is broken; it was thrown away.")
        self._check_expiry(known.key)
        return known

    def _check_expiry(self, key: ApiKey) -> None:
        if key.expires_at is not None and key.expires_at <= self._clock.now():
            raise UnauthenticatedError("This API key has expired.", remedy="Ask for a new one.")

    async def _recognise(self, index: bytes) -> _Known:
        generation, until = self._generation, self._clock.monotonic() + _CACHE_S
        found = await self._table.find(index)
        if found is None or not hmac.compare_digest(found[0], index):
            raise _unknown()
        key = found[1]
        known = _Known(index, key, await self._stands_for(key), until)
        self._noted.setdefault(key.id, key.last_used_at or 0.0)
        if generation == self._generation:
            if len(self._cache) >= _CACHE_ENTRIES:
                self._cache.clear()
            self._cache[index] = known
        return known

    async def _stands_for(self, key: ApiKey) -> Principal:
        """Whom a key stands for today, its expiry aside.

        Raises:
            UnauthenticatedError: Nobody.
            PermissionDeniedError: Its roles do not exist any more.
        """
        if key.revoked_at is not None:
            raise UnauthenticatedError("This API key was revoked.", remedy="Ask for a new one.")
        standing = await self._standing(key.user, key.team)
        if standing.disabled:
            raise _ownerless("The user of this API key is disabled.")
        if key.user_kept and not standing.kept:
            raise _ownerless("There is no record of this API key's user any more.")
        if key.team is not None and standing.left:
            raise _ownerless("The user of this API key was taken out of the team that it was made for.")
        if standing.kept and not key.user_kept:
            self._later(self._table.user_kept(key.id, self._clock.now()), "that its user is kept", key.id)
        roles = await self._roles(key.role, key.user)
        if roles and not any(self._checker.roles.get(role) for role in roles):
            raise PermissionDeniedError(
                "No role of this API key exists any more.", field="role", remedy="Ask an administrator."
            )
        return Principal(
            user=key.user,
            roles=roles,
            key_id=key.id,
            team=standing.team,
            organisation=standing.organisation,
            scopes=key.scopes,
        )

    async def _standing(self, user: str, team: str | None) -> Standing:
        return Standing(team=team) if self._owners is None else await self._owners.standing(user, team=team)

    async def _checked_owner(self, user: str, team: str | None) -> Standing:
        """What a user's name means.

        Raises:
            InvalidRequestError: The user is disabled, or belongs to another team than the key shall name.
        """
        standing = await self._standing(user, team)
        if standing.disabled:
            raise InvalidRequestError(
                f"{user} is disabled.", field="user", remedy="'interlock users enable' undoes it."
            )
        if team is not None and standing.left:
            raise InvalidRequestError(
                f"{user} was taken out of a team.", field="team", remedy="'interlock teams add' undoes it."
            )
        if team is not None and standing.team != team:
            raise InvalidRequestError(
                f"{user} is in the team {standing.team}.", field="team", remedy="Leave the team out."
            )
        return standing

    async def _roles(self, role: str | None, user: str) -> frozenset[str]:
        """The roles of a key today."""
        if role is not None:
            return frozenset({role})
        held = await self._roles_of(user)
        return self._fallback if not held and not await self._table.had_role(user) else held

    async def _secret(self) -> bytes:
        if self._pepper is None:
            self._pepper = await asyncio.to_thread(load_pepper, self._home / PEPPER_FILE)
        return self._pepper

    def _may_revoke(self, by: Principal, key: ApiKey) -> bool:
        if self._checker.may_manage(by, "keys").allowed:
            return True
        return key.user == by.user and self._checker.may_manage(by, "keys.own").allowed

    def _note_use(self, key_id: str) -> None:
        now = self._clock.now()
        if now - self._noted.get(key_id, 0.0) < _USE_NOTED_EVERY_S:
            return
        self._noted[key_id] = now
        self._later(self._table.used(key_id, now), "the last use", key_id)

    def _later(self, writing: Coroutine[None, None, None], what: str, key_id: str) -> None:
        """Note something that no answer waits for."""
        task = asyncio.create_task(_noted(writing, what, key_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _noted(writing: Coroutine[None, None, None], what: str, key_id: str) -> None:
    try:
        await writing
    except StoreError as error:
        _logger.warning("of the key %s %s was not noted: %s", key_id, what, error)


def admin_key_text(home: Path) -> Secret | None:
    """The first start's admin key, while its file is there: for a terminal to print once.

    Raises:
        ConfigurationError: The file may be read by others.
    """
    content = read_private(home / ADMIN_KEY_FILE)
    return None if content is None else Secret(content.decode("ascii", "replace").strip(), name="admin_key")


def _unknown() -> UnknownKeyError:
    return UnknownKeyError(
        "There is no such API key.", remedy="Send one as `Authorization: Bearer ilk_…` or `x-api-key`."
    )


def _ownerless(why: str) -> UnauthenticatedError:
    return UnauthenticatedError(why, remedy="Ask an administrator.")


def _shown(key_id: str) -> str:
    """An id as it was given; what may be a key's text, in its place by mistake, is not shown."""
    return f"with the id {key_id!r}" if len(key_id) <= _LONGEST_ID else "of that id"
