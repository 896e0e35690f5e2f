"""Doubles for tests of routing: made-up models, requests, and figures of how models have done."""

import asyncio
from collections.abc import Iterable, Sequence

from interlock_core import (
    FREE,
    Call,
    Capability,
    CompletionRequest,
    Embeddings,
    ModelInfo,
    Performance,
    Price,
    Provider,
)
from interlock_core.errors import InterlockError
from interlock_core.messages import user
from interlock_core.testing import ScriptedProvider

ABLE = frozenset({Capability.STREAMING, Capability.TOOLS, Capability.JSON_SCHEMA, Capability.IMAGES})
"""What a made-up model can do unless a test says otherwise."""


def model_info(
    model: str,
    *,
    usd: tuple[float, float] | None = (1.0, 4.0),
    context: int | None = 128_000,
    able: frozenset[Capability] = ABLE,
    local: bool = False,
    embedding: bool = False,
) -> ModelInfo:
    """A made-up model.

    Args:
        model: `provider/model`.
        usd: Dollars for a million tokens of input and of output; None for an unknown price.
        context: Most tokens of input and output together.
        able: What it can do.
        local: It runs here, and costs nothing.
        embedding: It makes vectors.
    """
    price = None if usd is None else Price(input=round(usd[0] * 1e6), output=round(usd[1] * 1e6))
    return ModelInfo(
        id=model,
        provider=model.partition("/")[0],
        context_tokens=context,
        price=FREE if local else price,
        capabilities=able,
        local=local,
        embedding=embedding,
    )


def prompt(text: str = "What is the capital of Peru?", *, model: str = "auto") -> CompletionRequest:
    """A request of one user message."""
    return CompletionRequest(model=model, messages=(user(text),))


class KnownPerformance:
    """A `PerformanceSource` over a table; a figure without a task answers for every task.

    Args:
        rows: The figures.
    """

    def __init__(self, rows: Iterable[Performance] = ()) -> None:
        self._rows = {(row.model, row.task): row for row in rows}

    def performance(self, model: str, task: str | None = None) -> Performance | None:
        """What the table has."""
        return self._rows.get((model, task)) or self._rows.get((model, None))


class UnlistedProvider(ScriptedProvider):
    """A `ScriptedProvider` whose models cannot be listed.

    Args:
        name: Its name.
        trouble: What listing raises; None makes it wait until the test ends.
    """

    def __init__(self, name: str, trouble: Exception | None) -> None:
        super().__init__(["answered all the same"], name=name, repeat=True)
        self.trouble = trouble
        self.listed = 0

    async def models(self) -> Sequence[ModelInfo]:
        """Nothing.

        Raises:
            Exception: What it was given.
        """
        self.listed += 1
        if self.trouble is None:
            await asyncio.Event().wait()
            raise AssertionError("an event that nobody sets was set")
        raise self.trouble


class VectorProvider(ScriptedProvider):
    """A `ScriptedProvider` that makes vectors of the lengths of texts."""

    async def embed(self, model: str, texts: Sequence[str], call: Call | None = None) -> Embeddings:
        """One vector a text: its length."""
        return Embeddings(model=model, vectors=tuple((float(len(text)),) for text in texts))


def scripted(
    name: str, *infos: ModelInfo, script: Sequence[str | InterlockError] = ("ok",)
) -> ScriptedProvider:
    """A provider of some models that answers from a script, the last answer for ever."""
    return ScriptedProvider(script, name=name, models=infos, repeat=True)


def is_provider(value: object) -> bool:
    """Whether a value has everything that a `Provider` has."""
    return isinstance(value, Provider)
