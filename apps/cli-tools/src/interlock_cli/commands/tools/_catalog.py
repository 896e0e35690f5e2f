"""`interlock tools list`, `search` and `show`."""

from typing import TYPE_CHECKING

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._session import with_runtime
from interlock_cli.commands.tools._servers import show_server, show_withheld, tell_documents, tell_servers
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, dump_json

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_core import ToolSpec
    from interlock_runtime import Runtime


@click.command("list", epilog=examples("interlock tools list 'github.*'"))
@click.argument("pattern", nargs=-1)
@click.pass_obj
def list_(options: Globals, pattern: tuple[str, ...]) -> None:
    """List tools, all or those whose names match a PATTERN such as 'github.*'."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        patterns = pattern or ("*",)
        catalog = await runtime.tools.catalog_of(patterns)
        _show(screen, list(catalog.list(patterns)), runtime.tools.held.states())
        await tell_documents(runtime, screen)
        tell_servers(runtime, screen)

    with_runtime(options, action)


@click.command(
    "search",
    epilog=examples(
        "interlock tools search 'close an issue' --limit 3",
        "interlock tools search 'who may push' --effect read --category repos",
    ),
)
@click.argument("query")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(min=1), help="Most results.")
@click.option("--namespace", metavar="PATTERN", help="Only documents of such a name.")
@click.option("--category", metavar="PATTERN", help="Only such a category or tag.")
@click.option(
    "--effect", type=click.Choice(["read", "write", "destructive"]), help="Only tools of such an effect."
)
@click.pass_obj
def search(
    options: Globals, query: str, limit: int, namespace: str | None, category: str | None, effect: str | None
) -> None:
    """Find tools by what they do, best first."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        from interlock_core import Effect

        found = await runtime.tools.find(
            query,
            limit=limit,
            namespace=namespace,
            category=category,
            effect=None if effect is None else Effect(effect),
        )
        if screen.as_json:
            screen.json(
                {"tools": [{**as_object(_row(tool)), "score": round(score, 4)} for tool, score in found]}
            )
        _table(screen, [tool for tool, _ in found])
        await tell_documents(runtime, screen)

    with_runtime(options, action)


def _show(screen: "Screen", found: "list[ToolSpec]", states: "list[JsonObject]") -> None:
    if screen.as_json:
        held = [as_object(entry) for state in states for entry in as_array(state["withheld"])]
        withheld: list[Json] = [{"name": entry["name"], "why": entry["why"]} for entry in held]
        screen.json({"tools": [_row(tool) for tool in found], "withheld": withheld})
    _table(screen, found)


def _table(screen: "Screen", found: "list[ToolSpec]") -> None:
    rows = [[tool.name, tool.effect, tool.summary or tool.description.split("\n")[0]] for tool in found]
    screen.table(["NAME", "EFFECT", "SUMMARY"], [[cell[:90] for cell in row] for row in rows], fitted=True)
    if not found:
        screen.say("No tool fits. 'interlock tools add SPEC --name NAME' adds some.")


def _row(tool: "ToolSpec") -> Json:
    return {
        "name": tool.name,
        "summary": tool.summary,
        "effect": tool.effect,
        "category": tool.category,
        "endpoint": tool.endpoint,
    }


@click.command(
    "show",
    epilog=examples(
        "interlock tools show github.issues_create",
        "interlock tools show github.issues_create --part /labels",
        "interlock tools show files",
    ),
)
@click.argument("name")
@click.option("--full", is_flag=True, help="All of its arguments, nothing folded.")
@click.option(
    "--part", metavar="POINTER", help="One part of its arguments, such as /filter/kind, in all words."
)
@click.pass_obj
def show(options: Globals, name: str, *, full: bool, part: str | None) -> None:
    """Show one tool as a model sees it, or what waits for an approval of a server, a document or a tool."""
    if full and part is not None:
        raise click.UsageError("Give --full or --part, not both.")

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        if name in runtime.tools.servers.names:
            await show_server(runtime, screen, name)
            return
        if await show_withheld(runtime, screen, name):
            return
        tool = await runtime.tools.named(name)
        wanted = full or part is not None
        parameters = await runtime.tools.describe(name, part) if wanted else tool.parameters
        if screen.as_json:
            facts: JsonObject = {"description": tool.description, "parameters": parameters}
            screen.json({**as_object(_row(tool)), **facts})
        screen.result(f"{tool.name} ({tool.effect})")
        screen.result(f"{tool.endpoint or 'in process'}\n\n{tool.description}\n")
        screen.result(dump_json(parameters, indent=2))

    with_runtime(options, action)
