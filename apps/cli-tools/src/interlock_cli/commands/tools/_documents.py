"""`interlock tools add`, `reload` and `remove`."""

import os
import re
from typing import TYPE_CHECKING

import click

from interlock_cli._bar import Bar
from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._session import with_runtime
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import JsonObject, as_array, as_object

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_runtime import Runtime

_NAMESPACE = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9_-]{1,24}")


def _named(context: click.Context, parameter: click.Parameter, given: str) -> str:
    """A namespace that tools can have."""
    if given and not _NAMESPACE.fullmatch(given):
        raise click.BadParameter("use letters, digits, '_' and '-', at most 24.")
    return given


def _reference(context: click.Context, parameter: click.Parameter, given: str) -> str:
    """Where a credential is; never the credential itself, which stays out of the message, too."""
    if given and not given.startswith(("env:", "file:", "vault:")):
        raise click.BadParameter("it is not kept; write where it is: vault:NAME, env:NAME or file:PATH.")
    return given


@click.command(
    "add",
    epilog=examples(
        "interlock tools add petstore.yaml --name pets",
        "interlock tools add shop.yaml --base-url https://shop.example/v2 --credential env:SHOP_TOKEN",
    ),
)
@click.argument("source")
@click.option(
    "--name",
    default="",
    callback=_named,
    help="Namespace: tools become NAME.operation; from the file unless given.",
)
@click.option("--base-url", default="", help="Address of the API in place of the document's own.")
@click.option(
    "--credential",
    default="",
    callback=_reference,
    help="Where its credential is: vault:NAME, env:NAME or file:PATH.",
)
@click.option("--allow", multiple=True, metavar="GLOB", help="Operations to offer; all unless given.")
@click.option(
    "--overlay", "overlays", multiple=True, metavar="F", help="OpenAPI Overlay to lay over it, in this order."
)
@click.pass_obj
def add(
    options: Globals,
    source: str,
    name: str,
    base_url: str,
    credential: str,
    allow: tuple[str, ...],
    overlays: tuple[str, ...],
) -> None:
    """Add an OpenAPI document to the registry: a file, a folder, an archive or an address."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        added = await runtime.tools.add(
            source,
            namespace=name,
            base_url=base_url,
            credential=credential,
            allow=allow,
            overlays=overlays,
            progress=Bar(screen, "operations"),
        )
        if screen.as_json:
            screen.json(added)
        said = f"{added['converted']} of {added['operations']} operations are tools now"
        replaced = f"; replaced {added['replaced']}" if added["replaced"] else ""
        screen.result(f"{added['namespace']}: {said}{replaced}")
        for problem in as_array(added["problems"]):
            screen.warn(str(problem))
        _warn_of_credential(screen, credential, base_url)

    with_runtime(options, action)


def _warn_of_credential(screen: "Screen", credential: str, base_url: str) -> None:
    """Say what will keep a credential from being sent."""
    if not credential:
        return
    if not base_url:
        screen.warn("the credential is not sent before you say where to: add it again with --base-url URL.")
    kind, _, name = credential.partition(":")
    if kind == "env" and not os.environ.get(name):
        screen.warn(f"{credential} names a variable that is not set here.")


@click.command("reload", epilog=examples("interlock tools reload pets", "interlock tools reload"))
@click.argument("name", default="")
@click.pass_obj
def reload(options: Globals, name: str) -> None:
    """Read a document again, or all of them, and show which tools changed by that."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        report = await runtime.tools.reload(name)
        documents = [as_object(entry) for entry in as_array(report["documents"])]
        if screen.as_json:
            screen.json(report)
        for document in documents:
            _show_change(screen, document)
        failed = [document for document in documents if "error" in document]
        if failed:
            raise InterlockError(f"{len(failed)} of {len(documents)} documents stay as they were.")

    with_runtime(options, action)


def _show_change(screen: "Screen", document: JsonObject) -> None:
    name = document["namespace"]
    if "error" in document:
        screen.warn(f"{name} stays as it was: {document['error']}")
        return
    marks = (("+", "added"), ("~", "changed"), ("-", "removed"))
    lines = [f"  {mark} {tool}" for mark, kind in marks for tool in as_array(document[kind])]
    held = [as_object(entry) for entry in as_array(document["withheld"])]
    lines += [f"  ! {entry['name']} is held back ({entry['why']})" for entry in held]
    said = f"{document['converted']} of {document['operations']} operations are tools"
    screen.result(f"{name}: {said}{'' if lines else ', nothing changed'}")
    for line in lines:
        screen.result(line)
    if held:
        screen.say(f"Look at them with 'interlock tools show {name}', then 'interlock tools approve {name}'.")


@click.command("remove", epilog=examples("interlock tools remove pets"))
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
