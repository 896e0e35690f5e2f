"""`interlock tools convert`."""

from collections import Counter
from typing import TYPE_CHECKING

import click

from interlock_cli._bar import Bar
from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._session import with_runtime
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import JsonObject, as_array, as_int, as_object, as_text

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_runtime import Runtime

_MOST_NAMED = 20
"""How many documents that could not be loaded are named on standard error."""


@click.command(
    "convert",
    epilog=examples(
        "interlock tools convert petstore.yaml",
        "interlock tools convert *.yaml --for all --json > tools.json",
        "interlock tools convert github.json --report --strict",
    ),
)
@click.argument("sources", nargs=-1, required=True, metavar="SPEC...")
@click.option(
    "--for",
    "dialect",
    type=click.Choice(["openai", "anthropic", "mistral", "cohere", "local", "all"]),
    default="openai",
    show_default=True,
    help="Whose form the tools take.",
)
@click.option("--strict", is_flag=True, help="Ask for the vendor's strict mode where the schema fits it.")
@click.option(
    "--overlay",
    "overlays",
    multiple=True,
    metavar="F",
    help="OpenAPI Overlay to lay over each, in this order.",
)
@click.option("--report", is_flag=True, help="Sum up sizes, effects, what was folded, skipped and tolerated.")
@click.pass_obj
def convert(
    options: Globals,
    sources: tuple[str, ...],
    dialect: str,
    strict: bool,
    overlays: tuple[str, ...],
    report: bool,
) -> None:
    """Convert OpenAPI documents and say what became of every operation."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        made = await runtime.tools.convert(
            sources,
            dialect=dialect,
            strict=strict,
            overlays=overlays,
            summary=report,
            progress=Bar(screen, "operations"),
        )
        documents = [as_object(entry) for entry in as_array(made["documents"])]
        bad = [document for document in documents if not document.get("ok")]
        if screen.as_json:
            screen.json(made)
        for document in documents:
            if document.get("ok"):
                _show_document(screen, document)
        for problem in [said for document in documents for said in as_array(document.get("problems"))]:
            screen.warn(str(problem))
        for document in bad[:_MOST_NAMED]:
            screen.warn(f"{document.get('source')} is not loaded: {document.get('error')}")
        if report and len(documents) > 1:
            _show_total(screen, documents)
        if bad:
            raise InterlockError(f"{len(bad)} of {len(documents)} documents could not be loaded.")

    with_runtime(options, action)


def _show_document(screen: "Screen", document: JsonObject) -> None:
    source = as_text(document.get("source"))
    skipped = [as_object(entry) for entry in as_array(document.get("skipped"))]
    screen.result(f"{source}: {document.get('converted')} of {document.get('operations')} operations")
    for entry in skipped:
        screen.result(f"  skipped {entry.get('operation')}: {entry.get('reason')}")
    if isinstance(document.get("summary"), dict):
        _show_summary(screen, as_object(document["summary"]))
    for vendor, listed in as_object(document.get("strict")).items():
        classes = Counter(as_text(as_object(one).get("class")) or "" for one in as_array(listed))
        told = ", ".join(f"{count} {name}" for name, count in classes.most_common())
        screen.result(f"  {vendor}: {told or 'no tools'}")


def _show_summary(screen: "Screen", summary: JsonObject) -> None:
    effects = as_object(summary.get("effects"))
    screen.result(f"  effects: {', '.join(f'{count} {effect}' for effect, count in effects.items())}")
    largest = as_object(summary.get("largest"))
    screen.result(
        f"  prompt: about {as_int(summary.get('tokens')) or 0:,} tokens in all; the largest tool is "
        f"{as_text(largest.get('name')) or 'none'} with {as_int(largest.get('tokens')) or 0:,}"
    )
    screen.result(f"  folded: {summary.get('folded')} tools show a model less than their whole schema")
    for entry in as_array(summary.get("problems"))[:_MOST_NAMED]:
        problem = as_object(entry)
        screen.result(f"  tolerated {problem.get('count')}x: {problem.get('message')}")


def _show_total(screen: "Screen", documents: list[JsonObject]) -> None:
    loaded = [document for document in documents if document.get("ok")]
    operations = sum(as_int(document.get("operations")) or 0 for document in loaded)
    converted = sum(as_int(document.get("converted")) or 0 for document in loaded)
    tokens = sum(as_int(as_object(document.get("summary")).get("tokens")) or 0 for document in loaded)
    screen.result(
        f"In all: {len(loaded)} of {len(documents)} documents, {converted:,} of {operations:,} operations, "
        f"about {tokens:,} tokens"
    )
