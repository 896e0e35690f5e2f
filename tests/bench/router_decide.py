"""What one decision of the router costs, in processor time, over fifty models."""

import statistics
import time
from collections.abc import Iterator

from figure import Figure
from interlock_core import (
    Call,
    CallKind,
    Capability,
    CompletionRequest,
    ModelInfo,
    Performance,
    Price,
    Principal,
)
from interlock_core.messages import user
from interlock_core.testing import ScriptedProvider
from interlock_router import BUILT_IN, Classifier, MoERouter, Seams

MODELS = 50
SENTENCE = (
    "Compare these two database designs for an event log, weigh the trade-offs and recommend one of them. "
)
ABILITIES = frozenset({Capability.STREAMING, Capability.TOOLS, Capability.JSON_SCHEMA})


class Seen:
    """Performance figures for every model, from memory, as the metrics collector keeps them."""

    def __init__(self) -> None:
        self._known = {
            f"vendor/model-{number}": Performance(
                model=f"vendor/model-{number}",
                requests=100,
                latency_p50_s=1 + number / 10,
                quality=0.6,
                judged=40,
            )
            for number in range(MODELS)
        }

    def performance(self, model: str, task: str | None = None) -> Performance | None:
        """The figures of a model, whatever the task."""
        return self._known.get(model)


def router() -> MoERouter:
    """A router over fifty models with prices, limits and outcomes."""
    infos = [
        ModelInfo(
            id=f"vendor/model-{number}",
            provider="vendor",
            context_tokens=128_000,
            max_output_tokens=16_000,
            price=Price(input=100_000 * (number + 1), output=400_000 * (number + 1)),
            capabilities=ABILITIES,
        )
        for number in range(MODELS)
    ]
    provider = ScriptedProvider(name="vendor", models=infos)
    return MoERouter([provider], seams=Seams(performance=Seen()))


def spread(samples: list[float]) -> tuple[float, float]:
    """Median and 99th percentile."""
    ordered = sorted(samples)
    return statistics.median(ordered), ordered[int(len(ordered) * 0.99)]


async def decisions(tokens: int, runs: int) -> tuple[float, float]:
    """Microseconds of CPU a decision, median and 99th percentile, for a prompt of about so many tokens."""
    text = (SENTENCE * (tokens * 4 // len(SENTENCE) + 1))[: tokens * 4]
    request = CompletionRequest(model="auto", messages=(user(text),))
    call = Call(id="c", kind=CallKind.MODEL, name="auto", principal=Principal(user="local:bench"))
    one = router()
    samples: list[float] = []
    for number in range(runs + 50):
        before = time.thread_time_ns()
        await one.explain(request, call)
        if number >= 50:
            samples.append((time.thread_time_ns() - before) / 1000)
    return spread(samples)


def classifications(runs: int) -> tuple[float, float]:
    """Microseconds of CPU a classification of a prompt of about 200 tokens."""
    classifier = Classifier()
    messages = (user((SENTENCE * 9)[:800]),)
    samples: list[float] = []
    for _ in range(runs):
        before = time.thread_time_ns()
        classifier.classify(messages)
        samples.append((time.thread_time_ns() - before) / 1000)
    return spread(samples)


def figures(runs: int) -> Iterator[Figure]:
    """The rows of the report; `runs` scales the number of decisions measured."""
    import asyncio

    assert "default" in BUILT_IN
    yield Figure("classify, 200 tokens, p50", classifications(runs * 200)[0], "us")
    for tokens, bound in ((200, 150.0), (2_000, 300.0)):
        half, most = asyncio.run(decisions(tokens, runs * 100))
        yield Figure(f"decide over {MODELS} models, {tokens} tokens, p50", half, "us", bound)
        yield Figure(f"decide over {MODELS} models, {tokens} tokens, p99", most, "us", 600.0)


if __name__ == "__main__":
    for row in figures(10):
        print(row)
