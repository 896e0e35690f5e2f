"""Anthropic's models. A model that is not here is offered all the same, with an unknown price."""

from collections.abc import Mapping

from interlock_providers.catalogue import KnownModel

MODELS: Mapping[str, KnownModel] = {}
"""Anthropic's known models by name."""
