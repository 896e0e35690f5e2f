"""What `interlock tools` says of what cannot be used and of MCP servers, and `interlock tools approve`."""

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
    from interlock_cli._screen import Screen
    from interlock_runtime import Runtime


async def tell_documents(runtime: "Runtime", screen: "Screen") -> None:
    """Warn of every document that gives no tools."""
    for entry in await runtime.tools.unusable():
        remedy = f" {entry['remedy']}" if entry["remedy"] else ""
        screen.warn(f"{entry['place']} cannot be used: {entry['error']}{remedy}")


def tell_servers(runtime: "Runtime", screen: "Screen") -> None:
    """Say which servers failed, and which of their tools wait for an approval."""
    for state in runtime.tools.servers.states():
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


def _show_waiting(screen: "Screen", entry: JsonObject) -> None:
    screen.result(f"withheld  {entry['name']} ({entry['why']})")
    for line in as_array(entry["difference"]):
        screen.result(f"    {line}")


@click.command(
    "approve",
    epilog=examples("interlock tools approve files", "interlock tools approve files.read_file --yes"),
)
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask: what is printed was looked at before.")
@click.pass_obj
def approve(options: Globals, name: str, yes: bool) -> None:
    """Approve what an MCP server says of its tools now: NAME is a server, or one tool of it."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        server, dot, _ = name.partition(".")
        (state,) = await runtime.tools.servers.check(server)
        waiting = [as_object(entry) for entry in as_array(state["withheld"])]
        chosen = [entry for entry in waiting if not dot or entry["name"] == name]
        if not chosen:
            if state["error"]:
                raise UpstreamError(str(state["error"]))
            raise NotFoundError(
                f"Nothing of {name} waits for an approval.",
                field="name",
                remedy=f"See 'interlock tools show {server}'.",
            )
        for entry in chosen:
            _show_waiting(screen, entry)
        if not yes:
            await _ask(options, len(chosen))
        shown = [(str(entry["name"]), str(entry["fingerprint"])) for entry in chosen]
        await runtime.tools.servers.approve(server, shown)
        if screen.as_json:
            screen.json({"approved": [tool for tool, _ in shown]})
        screen.say(f"{len(shown)} tools of {server} are offered now")

    with_runtime(options, action)


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
