"""Chooses the model for each request, and can say why.

Four steps, a module each: classify the task, filter the models that cannot or may not take it, score the
rest under a policy, choose an order; then call them in that order until one answers.
"""

from interlock_router._attempts import OnDecision
from interlock_router._choose import BestFirst, Choice, Chooser, Scored
from interlock_router._classify import Classified, Classifier
from interlock_router._cues import TASKS
from interlock_router._decide import Seams
from interlock_router._names import AUTO
from interlock_router._policy import BUILT_IN, Policy
from interlock_router._priors import Published, prior_quality, published
from interlock_router._router import MANUAL, MoERouter, RouterOptions
from interlock_router._score import Estimate

__all__ = [
    "AUTO",
    "BUILT_IN",
    "MANUAL",
    "TASKS",
    "BestFirst",
    "Choice",
    "Chooser",
    "Classified",
    "Classifier",
    "Estimate",
    "MoERouter",
    "OnDecision",
    "Policy",
    "Published",
    "RouterOptions",
    "Scored",
    "Seams",
    "prior_quality",
    "published",
]
