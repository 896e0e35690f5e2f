"""`interlock tools`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._session import with_runtime
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, as_text, dump_json, parse_json

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_core import ToolSpec
    from interlock_runtime import Runtime

_MOST_NAMED = 20
"""How many documents that could not be loaded are named on standard error."""

_LONGEST_REASON = 2000
"""Characters of a failed call's answer that the error repeats."""


@click.group()
def tools() -> None:
    """Turn OpenAPI documents into tools; list and call them."""


@tools.command(
    "convert",
    epilog=examples(
        "interlock tools convert petstore.yaml",
        "interlock tools convert *.yaml --for all --json > tools.json",
    ),
)
@click.argument("sources", nargs=-1, required=True, metavar="SPEC...")
@click.option(
    "--for",
    "dialect",
    type=click.Choice(["openai", "anthropic", "mistral", "cohere", "local", "all"]),
    default="openai",
    show_default=True,
    help="Whose form the tools take; this version writes for openai and local.",
)
@click.option("--strict", is_flag=True, help="Ask for the vendor's strict mode where the schema fits it.")
@click.pass_obj
def convert(options: Globals, sources: tuple[str, ...], dialect: str, strict: bool) -> None:
    """Convert OpenAPI documents and say what became of every operation."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        report = await runtime.tools.convert(sources, dialect=dialect, strict=strict, progress=screen.status)
        documents = [as_object(entry) for entry in as_array(report["documents"])]
        bad = [document for document in documents if not document.get("ok")]
        if screen.as_json:
            screen.json(report)
        for document in documents:
            if document.get("ok"):
                _show_document(screen, document)
        for document in bad[:_MOST_NAMED]:
            screen.warn(f"{document.get('source')} is not loaded: {document.get('error')}")
        if bad:
            raise InterlockError(f"{len(bad)} of {len(documents)} documents could not be loaded.")

    with_runtime(options, action)


def _show_document(screen: "Screen", document: JsonObject) -> None:
    source = as_text(document.get("source"))
    skipped = [as_object(entry) for entry in as_array(document.get("skipped"))]
    screen.result(f"{source}: {document.get('converted')} of {document.get('operations')} operations")
    for entry in skipped:
        screen.result(f"  skipped {entry.get('operation')}: {entry.get('reason')}")


@tools.command(
    "add", epilog=examples("interlock tools add petstore.yaml --name pets --credential env:PETS_TOKEN")
)
@click.argument("source")
@click.option(
    "--name", default="", help="Namespace: tools become NAME.operation; from the file unless given."
)
@click.option("--base-url", default="", help="Address of the API in place of the document's own.")
@click.option("--credential", default="", help="Where its credential is: env:NAME or file:PATH.")
@click.option("--allow", multiple=True, metavar="GLOB", help="Operations to offer; all unless given.")
@click.pass_obj
def add(
    options: Globals, source: str, name: str, base_url: str, credential: str, allow: tuple[str, ...]
) -> None:
    """Add an OpenAPI document to the registry."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        added = await runtime.tools.add(
            source, namespace=name, base_url=base_url, credential=credential, allow=allow
        )
        if screen.as_json:
            screen.json(added)
        screen.result(
            f"{added['namespace']}: {added['converted']} of {added['operations']} operations are tools now"
        )

    with_runtime(options, action)


@tools.command("remove", epilog=examples("interlock tools remove pets"))
@click.argument("name")
@click.pass_obj
def remove(options: Globals, name: str) -> None:
    """Remove a document that was added, by its namespace."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        await runtime.tools.remove(name)
        if screen.as_json:
            screen.json({"removed": name})
        screen.result(f"{name}: removed")

    with_runtime(options, action)


@tools.command("list", epilog=examples("interlock tools list 'github.*'"))
@click.argument("pattern", nargs=-1)
@click.pass_obj
def list_(options: Globals, pattern: tuple[str, ...]) -> None:
    """List tools, all or those whose names match a PATTERN such as 'github.*'."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        catalog = await runtime.tools.catalog()
        _show(screen, list(catalog.list(pattern or ("*",))))

    with_runtime(options, action)


@tools.command("search", epilog=examples("interlock tools search 'close an issue' --limit 3"))
@click.argument("query")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(min=1), help="Most results.")
@click.pass_obj
def search(options: Globals, query: str, limit: int) -> None:
    """Find tools by what they do, best first."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        catalog = await runtime.tools.catalog()
        _show(screen, list(catalog.search(query, limit=limit)))

    with_runtime(options, action)


def _show(screen: "Screen", found: "list[ToolSpec]") -> None:
    if screen.as_json:
        screen.json({"tools": [_row(tool) for tool in found]})
    rows = [[tool.name, tool.effect, tool.summary or tool.description.split("\n")[0]] for tool in found]
    screen.table(["NAME", "EFFECT", "SUMMARY"], [[cell[:90] for cell in row] for row in rows])
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


@tools.command("show", epilog=examples("interlock tools show github.issues_create"))
@click.argument("name")
@click.pass_obj
def show(options: Globals, name: str) -> None:
    """Show one tool as a model sees it."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        tool = (await runtime.tools.catalog()).get(name)
        if screen.as_json:
            facts: JsonObject = {"description": tool.description, "parameters": tool.parameters}
            screen.json({**as_object(_row(tool)), **facts})
        screen.result(f"{tool.name} ({tool.effect})")
        screen.result(f"{tool.endpoint or 'in process'}\n\n{tool.description}\n")
        screen.result(dump_json(tool.parameters, indent=2))

    with_runtime(options, action)


@tools.command(
    "call",
    epilog=examples(
        'interlock tools call github.repos_get --args \'{"owner": "acme", "repo": "notes"}\'',
        "interlock tools call github.issues_create --args @issue.json --dry-run",
    ),
)
@click.argument("name")
@click.option(
    "--args", "arguments", default="{}", metavar="JSON|@FILE", help="Arguments: JSON, or a file of it."
)
@click.option("--dry-run", is_flag=True, help="Send nothing; print the exact request.")
@click.pass_obj
def call(options: Globals, name: str, arguments: str, dry_run: bool) -> None:
    """Call one tool."""
    text = _arguments(arguments)

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        if dry_run:
            prepared = await runtime.tools.prepare(name, text)
            screen.json(prepared) if screen.as_json else screen.result(dump_json(prepared, indent=2))
            return
        result = await runtime.tools.call(name, text)
        shown: Json = result.structured if result.structured is not None else result.text
        if screen.as_json:
            facts: JsonObject = {"ok": not result.is_error, "status": result.status, "result": shown}
            screen.json(facts)
        if result.is_error:
            status = f" with HTTP {result.status}" if result.status else ""
            raise InterlockError(f"{name} failed{status}: {result.text[:_LONGEST_REASON]}")
        screen.result(result.text if isinstance(shown, str) else dump_json(shown, indent=2))

    with_runtime(options, action)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError as exc:
        raise click.BadParameter(f"there is no file {path}.", param_hint="--args") from exc
    except (OSError, UnicodeError) as exc:
        raise click.BadParameter(f"{path} cannot be read as text in UTF-8.", param_hint="--args") from exc


def _arguments(given: str) -> str:
    text = given
    if given.startswith("@"):
        text = _read(Path(given[1:]))
    try:
        value = parse_json(text)
    except ValueError as exc:
        example = '{"owner": "acme"}'
        raise click.BadParameter(
            f"it is not JSON ({exc}). Write it like {example}.", param_hint="--args"
        ) from exc
    if not isinstance(value, dict):
        raise click.BadParameter("it is no JSON object. Write {…}.", param_hint="--args")
    return dump_json(value)
