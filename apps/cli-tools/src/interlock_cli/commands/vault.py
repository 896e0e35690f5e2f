"""`interlock vault`."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._session import with_runtime
from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object
from interlock_core.secret import Secret

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_runtime import Runtime


@click.group()
def vault() -> None:
    """Keep secrets sealed; `vault:NAME` stands for one wherever a secret may stand."""


@vault.command(
    "set",
    epilog=examples(
        "interlock vault set github --for tools.github --host api.github.com",
        "interlock vault set openai < key.txt",
    ),
)
@click.argument("name")
@click.option("--for", "uses", multiple=True, metavar="PLACE", help="Where it may be used; may be repeated.")
@click.option("--host", "hosts", multiple=True, help="Host that it may be sent to; may be repeated.")
@click.option("--anywhere", is_flag=True, help="Take away what bound it before.")
@click.pass_obj
def set_(
    options: Globals, name: str, uses: tuple[str, ...], hosts: tuple[str, ...], *, anywhere: bool
) -> None:
    """Keep a secret, which is asked for or read from standard input: never an argument."""
    if anywhere and (uses or hosts):
        raise click.UsageError("--anywhere takes away what --for and --host would bind.")
    value = _value(options, name)
    bound = anywhere or bool(uses or hosts)

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        kept = await runtime.vault.set(
            name,
            value,
            by=runtime.principal,
            uses=uses if bound else None,
            hosts=hosts if bound else None,
        )
        _say_kept(kept, screen)

    with_runtime(options, action)


@vault.command("list", epilog=examples("interlock vault list"))
@click.pass_obj
def list_(options: Globals) -> None:
    """List secrets: names, versions, where they may be used; never a value."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        found = await runtime.vault.list(by=runtime.principal)
        if screen.as_json:
            rows: list[Json] = [*found]
            screen.json({"secrets": rows})
        screen.table(
            ["NAME", "VERSION", "FOR", "HOSTS", "SET", "LAST USED"],
            [
                [
                    str(row["name"]),
                    str(row["version"]),
                    _bound(row, "for"),
                    _bound(row, "hosts"),
                    _time(row["created_at"]),
                    _time(row["last_used_at"]),
                ]
                for row in found
            ],
        )
        if not found:
            screen.say("No secret yet: 'interlock vault set NAME' keeps one.")

    with_runtime(options, action)


@vault.command(
    "rotate", epilog=examples("interlock vault rotate github < new.txt", "interlock vault rotate --key")
)
@click.argument("name", required=False)
@click.option("--key", is_flag=True, help="Change the key that seals the vault instead.")
@click.pass_obj
def rotate(options: Globals, name: str | None, *, key: bool) -> None:
    """Replace a secret's value, or the vault's own key, while everything can be read.

    A secret's former value stays readable as NAME@VERSION until the next one is set. A change of the key that
    was interrupted goes on where it stopped.
    """
    if key is (name is not None):
        raise click.UsageError("Name a secret, or say --key for the vault's own key.")
    value = None if name is None else _value(options, name)

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        if name is not None and value is not None:
            _say_kept(await runtime.vault.set(name, value, by=runtime.principal, new=False), screen)
            return
        done = await runtime.vault.rotate_key(by=runtime.principal)
        if screen.as_json:
            screen.json(done)
        screen.result(f"{done['key']}: the key now, {done['rewrapped']} versions wrapped anew")

    with_runtime(options, action)


@vault.command("remove", epilog=examples("interlock vault remove github", "interlock vault remove github@3"))
@click.argument("name")
@click.pass_obj
def remove(options: Globals, name: str) -> None:
    """Forget a secret, or its former version alone."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        await runtime.vault.remove(name, by=runtime.principal)
        if screen.as_json:
            screen.json({"removed": name})
        screen.result(f"{name}: removed")

    with_runtime(options, action)


def _value(options: Globals, name: str) -> Secret:
    """The value: asked for at a terminal, else standard input without the line's end.

    Raises:
        InvalidRequestError: Nobody may be asked, or there is nothing, or it is no text.
    """
    if sys.stdin.isatty():
        if options.no_input:
            raise InvalidRequestError(
                "The value has to be given.", field="value", remedy="Give it on standard input."
            )
        return Secret(click.prompt(f"Value of {name}", hide_input=True, err=True), name=name)
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as exc:
        raise InvalidRequestError(
            "The value is no UTF-8.", field="value", remedy="Give text in UTF-8."
        ) from exc
    return Secret(text.removesuffix("\n").removesuffix("\r"), name=name)


def _say_kept(kept: JsonObject, screen: "Screen") -> None:
    if screen.as_json:
        screen.json(kept)
    screen.result(f"{kept['name']}: version {kept['version']}; write vault:{kept['name']} where it is used")


def _bound(row: JsonObject, key: str) -> str:
    return ", ".join(str(item) for item in as_array(as_object(row["scope"]).get(key))) or "any"


def _time(value: Json) -> str:
    if not isinstance(value, float):
        return "-"
    return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M")
