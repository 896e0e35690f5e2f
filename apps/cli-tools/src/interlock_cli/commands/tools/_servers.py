"""What `interlock tools` says of what cannot be used or waits for a yes, and `interlock tools approve`."""

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._session import with_runtime
from interlock_core.errors import ApprovalDeniedError, NotFoundError, UpstreamError
from interlock_core.jsontypes import JsonObject, as_array, as_object

if TYPE_CHECKING:
    from collections.abc import Sequence

    from interlock_cli._screen import Screen
    from interlock_runtime import Runtime


async def tell_documents(runtime: "Runtime", screen: "Screen") -> None:
    """Warn of every document that gives no tools."""
    for entry in await runtime.tools.unusable():
        remedy = f" {entry['remedy']}" if entry["remedy"] else ""
        screen.warn(f"{entry['place']} cannot be used: {entry['error']}{remedy}")


def tell_servers(runtime: "Runtime", screen: "Screen") -> None:
    """Say which servers failed, and of which servers and documents tools wait for an approval."""
    for state in runtime.tools.held.states():
        if state["error"]:
            screen.say(f"{state['name']}: {state['error']}")
        if waiting := as_array(state["withheld"]):
            name = state["name"]
            screen.say(f"{name}: {len(waiting)} tools are withheld; see 'interlock tools show {name}'.")


async def show_server(runtime: "Runtime", screen: "Screen", name: str) -> None:
    """Show one server: what it offers, what waits and why, what is refused."""
    (state,) = await runtime.tools.servers.check(name)
    if screen.as_json:
        screen.json(state)
    if state["error"]:
        screen.result(f"{name} cannot be used: {state['error']}")
    for offered in as_array(state["offered"]):
        screen.result(f"offered   {offered}")
    for entry in map(as_object, as_array(state["refused"])):
        screen.result(f"refused   {entry['name']}: {entry['reason']}")
    for note in as_array(state["notes"]):
        screen.result(f"note      {note}")
    for entry in map(as_object, as_array(state["withheld"])):
        _show_waiting(screen, entry)


async def show_withheld(runtime: "Runtime", screen: "Screen", name: str) -> bool:
    """Show what waits of a document, or one tool of it that does; whether there is anything to show."""
    namespace, dot, _ = name.partition(".")
    if namespace in runtime.tools.servers.names:
        return False
    state = await runtime.tools.held.of(namespace)
    chosen = _chosen(state, (name,) if dot else ())
    if chosen and screen.as_json:
        screen.json({**state, "withheld": [*chosen]})
    for entry in chosen:
        _show_waiting(screen, entry)
    return bool(chosen)


def _chosen(state: JsonObject, names: "Sequence[str]") -> list[JsonObject]:
    """What waits of a server or a document, all of it or what is named."""
    waiting = [as_object(entry) for entry in as_array(state["withheld"])]
    return [entry for entry in waiting if not names or entry["name"] in names]


def _show_waiting(screen: "Screen", entry: JsonObject) -> None:
    screen.result(f"withheld  {entry['name']} ({entry['why']})")
    for line in as_array(entry["difference"]):
        screen.result(f"    {line}")


@click.command(
    "approve",
    epilog=examples(
        "interlock tools approve files",
        "interlock tools approve files.read_file --yes",
        "interlock tools approve shop orders_create orders_cancel",
    ),
)
@click.argument("name")
@click.argument("tool", nargs=-1)
@click.option("--yes", is_flag=True, help="Do not ask: what is printed was looked at before.")
@click.pass_obj
def approve(options: Globals, name: str, tool: tuple[str, ...], yes: bool) -> None:
    """Approve what is said of tools now: NAME is an MCP server, a document from an address, or one tool.

    With TOOL, only those tools of the server or the document.
    """

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        server, dot, _ = name.partition(".")
        names = [*((name,) if dot else ()), *(_whole(server, each) for each in tool)]
        state = await runtime.tools.held.of(server)
        chosen = _chosen(state, names)
        if missing := set(names) - {str(entry["name"]) for entry in chosen}:
            chosen, asked = [], min(missing)
        else:
            asked = name
        if not chosen:
            if state["error"]:
                raise UpstreamError(str(state["error"]))
            raise NotFoundError(
                f"Nothing of {asked} waits for an approval.",
                field="name",
                remedy=f"See 'interlock tools show {server}'.",
            )
        for entry in chosen:
            _show_waiting(screen, entry)
        if not yes:
            await _ask(options, len(chosen))
        shown = [(str(entry["name"]), str(entry["fingerprint"])) for entry in chosen]
        await runtime.tools.held.approve(server, shown)
        if screen.as_json:
            screen.json({"approved": [tool for tool, _ in shown]})
        screen.say(f"{len(shown)} tools of {server} are offered now")

    with_runtime(options, action)


def _whole(namespace: str, tool: str) -> str:
    """A tool's whole name."""
    return tool if tool.startswith(f"{namespace}.") else f"{namespace}.{tool}"


async def _ask(options: Globals, count: int) -> None:
    """Ask whether what was shown is meant.

    Raises:
        ApprovalDeniedError: Nobody can be asked, or the answer is no.
    """
    if options.no_input or options.json or not sys.stdin.isatty():
        raise ApprovalDeniedError(
            "Nobody is at a terminal to approve it.", remedy="Look at what is printed, then add --yes."
        )
    words = f"Offer {count} tools to models with these words?"
    if not await asyncio.to_thread(click.confirm, words, default=False, err=True):
        raise ApprovalDeniedError("It was not approved.", remedy="The tools stay withheld.")
