"""LiteLLM's adaptive router as a learner: its own code, unchanged.

`.ci/peers routing` brings the package into `build/litellm`; its version stands in `litellm.txt` beside this
file. Nothing here reaches a network.

A choice is made by `AdaptiveRouter.async_pre_routing_hook`, as in its proxy. Its own signals of success are
words of thanks and of anger in the next message, of which a table has none; so it is told the score itself by
its own `apply_delta`, which is more than its proxy would ever learn: the score to alpha, the rest to beta.
"""

import os
import random
import sys
from collections.abc import Coroutine
from functools import cache
from importlib import import_module
from typing import Final, Protocol, cast

from .stream import Problem
from .tables import ROOT

PLACE: Final = ROOT / "build" / "litellm"
_PACKAGE: Final = "litellm.router_strategy.adaptive_router"
_MIDDLE: Final = 2
_NAME: Final = "auto"


class _Answer(Protocol):
    model: str


class _Router(Protocol):
    def async_pre_routing_hook(
        self, model: str, request_kwargs: dict[str, object], messages: list[dict[str, object]]
    ) -> Coroutine[None, None, _Answer]: ...


class _Bandit(Protocol):
    def apply_delta(self, cell: object, delta_alpha: float, delta_beta: float) -> object: ...


class _Classifier(Protocol):
    def classify_prompt(self, text: str) -> object: ...


def installed() -> str | None:
    """The version of LiteLLM that is there; None where there is none."""
    found = [path.name for path in PLACE.glob("litellm-*.dist-info")]
    return found[0].removeprefix("litellm-").removesuffix(".dist-info") if found else None


class LiteLLM:
    """LiteLLM's adaptive router.

    It knows prices and nothing else of the models: each is in its middle tier, without strengths. Its score
    is quality x sample + cost x (1 at the cheapest, 0 at the dearest), the two adding up to one, so that the
    weights given here make it want what the stream pays for.
    """

    def __init__(self, problem: Problem) -> None:
        _import()
        random.seed(problem.seed)  # it draws from the random numbers of the process
        self._bandit = cast("_Bandit", import_module(f"{_PACKAGE}.bandit"))
        self._classifier = cast("_Classifier", import_module(f"{_PACKAGE}.classifier"))
        types = import_module("litellm.types.router")
        quality = 1.0 / (1.0 + problem.weight)
        weights = types.AdaptiveRouterWeights(quality=quality, cost=1.0 - quality)
        middle = types.AdaptiveRouterPreferences(quality_tier=_MIDDLE, strengths=[])
        made = import_module(f"{_PACKAGE}.adaptive_router").AdaptiveRouter(
            router_name=_NAME,
            config=types.AdaptiveRouterConfig(available_models=list(problem.models), weights=weights),
            model_to_prefs=dict.fromkeys(problem.models, middle),
            model_to_cost=dict(problem.prices),
        )
        self._router = cast("_Router", made)
        self._cells = cast("dict[tuple[object, str], object]", vars(made)["_cells"])

    def choose(self, prompt: str, task: str | None) -> str:
        """What its hook before a call decides; it has classes of its own and takes no task."""
        hook = self._router.async_pre_routing_hook(_NAME, {}, [{"role": "user", "content": prompt}])
        try:
            hook.send(None)
        except StopIteration as done:
            return cast("_Answer", done.value).model
        hook.close()
        raise RuntimeError("LiteLLM's hook waits for something, and nothing is there that it could wait for")

    def learn(
        self, prompt: str, task: str | None, model: str, score: float, cost: float, utility: float
    ) -> None:
        """Put the score into its cell of this kind of request and this model; costs it knows as prices."""
        cell = (self._classifier.classify_prompt(prompt), model)
        self._cells[cell] = self._bandit.apply_delta(self._cells[cell], score, 1.0 - score)


@cache
def _import() -> None:
    # LiteLLM would ask a server for a list of prices when it is imported.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    sys.path.append(str(PLACE))
