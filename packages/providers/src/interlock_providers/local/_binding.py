"""The few names of llama.cpp's binding that are used, typed; importing this module does not load it."""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Protocol, cast

from interlock_core.errors import MissingExtraError
from interlock_core.jsontypes import JsonObject

_SPIN = "GOMP_SPINCOUNT"
_SPINS = "1000"
_USERS_OWN = frozenset({_SPIN, "OMP_WAIT_POLICY"})


class ModelFile(Protocol):
    """Which file to load."""

    path: str


class Threads(Protocol):
    """How many threads compute."""

    n_threads: int


class Parameters(Protocol):
    """What a server is started with; names as in llama.cpp."""

    model: ModelFile
    cpuparams: Threads
    cpuparams_batch: Threads
    n_ctx: int
    n_parallel: int
    n_batch: int
    n_ubatch: int
    cache_ram_mib: int
    verbosity: int
    enable_reasoning: int
    warmup: bool
    kv_unified: bool
    ui: bool
    endpoint_slots: bool
    endpoint_metrics: bool
    hostnames: list[str]
    api_keys: list[str]


class Server(Protocol):
    """One loaded model. It is freed when the last reference to it goes."""

    def handle_chat_completions(
        self, prompt: JsonObject, callback: Callable[[JsonObject], bool], /
    ) -> JsonObject | None:
        """Generate, calling back for each piece on this thread; returning True from the callback stops.

        Raises:
            RuntimeError: The request cannot be served.
            ValueError: The request is wrong.
        """
        ...

    def handle_metrics(self) -> str:
        """Figures of the server; comes back once its loop turns."""
        ...


class Binding(Protocol):
    """The binding itself."""

    CommonParams: Callable[[], Parameters]
    Server: Callable[[Parameters], Server]


def load() -> Binding:
    """Import the binding.

    Raises:
        MissingExtraError: It is not installed, or not for this platform.
    """
    try:
        with _short_spinning():
            binding = import_module("xllamacpp")
    except ImportError as exc:
        raise MissingExtraError(
            "The embedded model needs llama.cpp, which is not installed.",
            field="model",
            remedy="Run pip install 'interlock-providers[local]'.",
        ) from exc
    return cast("Binding", binding)


@contextmanager
def _short_spinning() -> Generator[None]:
    """Let the threads of llama.cpp sleep soon while they wait for each other, unless the user chose.

    By default OpenMP lets them spin for long. On idle cores that gains a few percent; where other work
    wants the cores, it takes up to ten times the processor time and makes an answer up to ten times slower.
    OpenMP looks at its settings once, when it is first loaded, so the setting stands only for so long.
    """
    if _USERS_OWN & os.environ.keys():
        yield
        return
    os.environ[_SPIN] = _SPINS
    try:
        yield
    finally:
        os.environ.pop(_SPIN, None)
