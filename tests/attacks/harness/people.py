"""A gateway with two tenants and keys of every role, for attacks on keys, roles and other people's things."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from interlock_api import running
from interlock_api.testing import RawAnswer, talk
from interlock_core.jsontypes import JsonObject, as_object, parse_json
from interlock_providers.testing import OpenAIChatServer, Say
from interlock_runtime import KeyRequest, Runtime, Settings
from interlock_runtime.settings import ProviderSettings, ServerSettings

CANARY_B = "tenantb7c1e90"
"""Stands in every name of tenant b."""

ROLES = ("admin", "developer", "agent", "readonly")
_FREE = ("audit_", "metrics_", "alembic_", "sqlite_", "alerts_", "limits_", "runtime_", "keys_guesses")


@dataclass(slots=True)
class Town:
    """A gateway and the people who have keys to it.

    Attributes:
        runtime: What is served.
        port: Where.
        vendor: The provider `stub`.
        database: The file of the store.
        keys: Texts of keys, by role; `a` and `b` are of two tenants; `revoked` and `unknown` are none.
        ids: Ids of those keys.
    """

    runtime: Runtime
    port: int
    vendor: OpenAIChatServer
    database: Path
    keys: dict[str, str] = field(default_factory=dict[str, str])
    ids: dict[str, str] = field(default_factory=dict[str, str])

    async def ask(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> RawAnswer:
        """One request on a connection of its own.

        Args:
            method: Such as `GET`.
            path: As it stands on the wire.
            key: The text of a key for `Authorization`; none when None.
            headers: Further headers; a `Host` among them replaces the right one.
            body: Sent as JSON unless the headers say otherwise.
        """
        given = [*(headers.items() if isinstance(headers, Mapping) else headers)]
        names = {name.lower() for name, _ in given}
        lines = [f"{method} {path} HTTP/1.1", "connection: close"]
        lines += [] if "host" in names else [f"host: 127.0.0.1:{self.port}"]
        lines += [] if key is None else [f"authorization: Bearer {key}"]
        lines += [] if not body or "content-type" in names else ["content-type: application/json"]
        lines += [f"content-length: {len(body)}"] if body else []
        lines += [f"{name}: {value}" for name, value in given]
        (found,) = await talk(self.port, "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + body)
        return found

    async def described(self) -> JsonObject:
        """What `/openapi.json` says."""
        return as_object(parse_json((await self.ask("GET", "/openapi.json", key=self.keys["admin"])).body))

    def stored(self) -> dict[str, list[tuple[object, ...]]]:
        """Every row of every table that only a command changes, but for the time of a key's last use."""
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as connection:
            tables = [
                str(name)
                for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                if not str(name).startswith(_FREE)
            ]
            found: dict[str, list[tuple[object, ...]]] = {}
            for table in sorted(tables):
                columns = [str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")]
                kept = ", ".join(name for name in columns if name != "last_used_at")
                found[table] = sorted(connection.execute(f"SELECT {kept} FROM {table}"), key=repr)
            return found


@asynccontextmanager
async def town(folder: Path, *, most_wrong: int = 1_000_000, **tables: object) -> AsyncGenerator[Town, None]:
    """A gateway on SQLite with a key for every role, two tenants that hold the same, and a revoked key.

    Args:
        folder: Its data folder.
        most_wrong: Wrong keys that a network may present within a minute.
        tables: Further tables of its settings.
    """
    async with OpenAIChatServer(models=("small",), key="sk-town-4c1d") as vendor:
        for _ in range(64):
            vendor.then(Say("ok"))
        settings = Settings(
            home=folder,
            server=ServerSettings(max_wrong_keys=most_wrong),
            roles={"powerless": {}},
            providers={
                "stub": ProviderSettings(
                    kind="openai-compatible", base_url=vendor.url, api_key="env:STUB", models=("small",)
                ),
                "local": ProviderSettings(kind="local", enabled=False),
            },
        )
        settings = replace(settings, **tables)
        async with (
            Runtime.open(settings, environment={"STUB": "sk-town-4c1d"}, open_paths=False) as runtime,
            running(runtime) as address,
        ):
            made = Town(runtime, int(address.rpartition(":")[2]), vendor, folder / "interlock.db")
            await _people(made)
            yield made


async def _people(made: Town) -> None:
    access = made.runtime.access
    for tenant, mark in (("a", "tenanta"), ("b", CANARY_B)):
        await access.people.create_team(f"{mark}-team", organisation=f"{mark}-org")
        await access.people.create_user(f"{mark}-user", team=f"{mark}-team")
        await access.grant(f"{mark}-user", "developer")
        await _key(made, tenant, KeyRequest(name=f"{mark}-key", user=f"{mark}-user"))
        await _key(made, f"{tenant}2", KeyRequest(name=f"{mark}-second", user=f"{mark}-user"))
    for role in (*ROLES, "powerless"):
        await _key(made, role, KeyRequest(name=role, user=f"the-{role}", role=role))
    await _key(made, "revoked", KeyRequest(name="revoked", user="gone", role="admin"))
    await access.revoke_key(made.ids["revoked"])
    made.keys["unknown"] = "ilk_" + "A" * 43
    body = json.dumps({"model": "stub/small", "messages": [{"role": "user", "content": CANARY_B}]}).encode()
    asked = await asyncio.gather(
        *(made.ask("POST", "/v1/chat/completions", key=made.keys[who], body=body) for who in ("a", "b"))
    )
    assert [answer.status for answer in asked] == [200, 200]


async def _key(made: Town, name: str, request: KeyRequest) -> None:
    told = await made.runtime.access.create_key(request)
    made.keys[name], made.ids[name] = str(told["key"]), str(told["id"])
