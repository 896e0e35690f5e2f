"""One loaded model and the runs on it.

llama.cpp blocks the thread that asks and calls back on it, so each run has a thread of its own. Rules:

- A run waits for one of the engine's slots, computes, and gives the slot back, however it ends.
- A cancelled run ends at its next token, or after the part of the prompt that is being read (at most
  128 tokens); while it waits for a slot it ends at once.
- What a run says goes to its `deliver` function on the run's own thread. Nothing blocks there: a run
  says no more than the context holds, so a slow reader costs memory of that size and never a slot.
- A run holds its engine, so that the model is not freed under it.
- The binding opens an HTTP listener that cannot be switched off. Where there are Unix sockets it
  listens in a folder of its own that only this user may enter, elsewhere on a random port of loopback;
  both want a random key that never leaves this module.
"""

import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from interlock_core.errors import (
    ConfigurationError,
    ContextLengthError,
    InterlockError,
    InvalidRequestError,
    NotFoundError,
    ProtocolError,
)
from interlock_core.jsontypes import JsonObject, as_array, as_int, as_object, as_text
from interlock_providers.local._binding import load

if TYPE_CHECKING:
    from collections.abc import Generator

    from interlock_providers.local._binding import Parameters, Server

_PROMPT_BATCH = 128
_CONTEXT_STEP = 256
_QUIET = 0
_MAGIC = b"GGUF"
_BAD_REQUEST = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """How a model is loaded.

    Attributes:
        context_tokens: Tokens of input and output together that one run may have, rounded up to a multiple
            of 256; memory grows with it (SmolLM2: 23 KB a token and slot).
        slots: Runs that compute at the same time; further ones wait.
        threads: Threads that compute; None takes one a core.
    """

    context_tokens: int = 4096
    slots: int = 2
    threads: int | None = None

    @property
    def context(self) -> int:
        """The context as llama.cpp rounds it."""
        return -(-self.context_tokens // _CONTEXT_STEP) * _CONTEXT_STEP


@dataclass(frozen=True, slots=True)
class Piece:
    """The next characters of the answer."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A run ended well.

    Attributes:
        stopped_by: llama.cpp's word: `eos`, `word` or `limit`.
        input_tokens: Tokens of the prompt, as the model's own tokeniser made them.
        output_tokens: Tokens generated.
        cached_tokens: The part of the prompt that was still in the slot's memory.
    """

    stopped_by: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A run ended badly."""

    error: InterlockError


Event: TypeAlias = Piece | Done | Failed
"""What a run says; the last one is `Done` or `Failed`, unless it was cancelled."""


class _Slots:
    """Counts free slots; whoever waits for one can be told not to."""

    def __init__(self, free: int) -> None:
        self._free = free
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, generation: "Generation") -> "Generator[bool]":
        """Hold a slot; False at once when the run is cancelled before there is one."""
        with self._changed:
            self._changed.wait_for(lambda: self._free > 0 or generation.cancelled)
            got = not generation.cancelled
            self._free -= got
        try:
            yield got
        finally:
            with self._changed:
                self._free += got
                self._changed.notify_all()

    def wake(self) -> None:
        """Let those who wait look again."""
        with self._changed:
            self._changed.notify_all()


class Generation:
    """One run. It starts when it is made; see `Engine.start`."""

    def __init__(self, engine: "Engine", body: JsonObject, deliver: Callable[[Event], None]) -> None:
        self._engine = engine
        self._body = body
        self._deliver = deliver
        self._cancel = threading.Event()
        self._ended = threading.Event()
        self._stopped_by = ""
        threading.Thread(target=self._work, name="interlock-local", daemon=True).start()

    @property
    def cancelled(self) -> bool:
        """Whether it was told to end."""
        return self._cancel.is_set()

    @property
    def ended(self) -> bool:
        """Whether its thread has ended and its slot is free."""
        return self._ended.is_set()

    def cancel(self) -> None:
        """End it; nothing more is delivered. Returns at once; doing it twice does nothing more."""
        self._cancel.set()
        self._engine.slots.wake()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until its thread has ended and its slot is free; False when that took too long."""
        return self._ended.wait(timeout)

    def _work(self) -> None:
        try:
            with self._engine.slots.taken(self) as got:
                if got:
                    self._run()
        finally:
            self._engine.left(self)
            self._ended.set()

    def _run(self) -> None:
        try:
            self._engine.ask(self._body, self._take)
        except (RuntimeError, ValueError) as exc:
            self._say(Failed(_translated(exc)))
        except MemoryError:
            self._say(Failed(ProtocolError("The embedded model ran out of memory.", vendor="local")))

    def _take(self, chunk: JsonObject) -> bool:
        """Read one chunk; the answer True ends the run. Never raises: the binding would go on for ever."""
        error = as_object(chunk.get("error"))
        if error:
            self._say(Failed(_refused(error)))
            return True
        for choice in as_array(chunk.get("choices")):
            text = as_text(as_object(as_object(choice).get("delta")).get("content"))
            if text:
                self._say(Piece(text))
        self._stopped_by = as_text(as_object(chunk.get("__verbose")).get("stop_type")) or self._stopped_by
        usage = as_object(chunk.get("usage"))
        if usage:
            details = as_object(usage.get("prompt_tokens_details"))
            self._say(
                Done(
                    stopped_by=self._stopped_by,
                    input_tokens=as_int(usage.get("prompt_tokens")) or 0,
                    output_tokens=as_int(usage.get("completion_tokens")) or 0,
                    cached_tokens=as_int(details.get("cached_tokens")) or 0,
                )
            )
        return self.cancelled

    def _say(self, event: Event) -> None:
        if self.cancelled:
            return
        try:
            self._deliver(event)
        except RuntimeError:
            # The reader's event loop is closed: nobody will ever ask for the rest.
            self._cancel.set()


class Holds(Protocol):
    """Who counts the holders of engines."""

    def hold(self, engine: "Engine") -> None:
        """One holder more."""
        ...

    def release(self, engine: "Engine") -> None:
        """One holder less; the last one's leaving frees the model."""
        ...


class Engine:
    """One loaded model; making it loads it, which blocks for about half a second.

    Args:
        path: A GGUF file.
        settings: How to load it.
        holds: Where its runs hold it.

    Attributes:
        path: The file.
        settings: How it was loaded.
        slots: Who may compute now.

    Raises:
        NotFoundError: There is no such file.
        InvalidRequestError: It is no GGUF file.
        ConfigurationError: llama.cpp cannot load it.
        MissingExtraError: llama.cpp is not installed.
    """

    def __init__(self, path: Path, settings: EngineSettings, holds: Holds) -> None:
        self.path = path
        self.settings = settings
        self.slots = _Slots(settings.slots)
        self._holds = holds
        self._lock = threading.Lock()
        self._runs: set[Generation] = set()
        self._socket = _socket_folder()
        try:
            self._server: Server | None = _load(path, settings, self._socket)
        except BaseException:
            self._remove_socket()
            raise

    @property
    def loaded(self) -> bool:
        """Whether it can still compute: not freed, and not left behind by a fork."""
        return self._server is not None

    def start(self, body: JsonObject, deliver: Callable[[Event], None]) -> Generation:
        """Begin a run.

        Args:
            body: A chat request in llama.cpp's words.
            deliver: Called on the run's thread with each event; must not block.
        """
        self._holds.hold(self)
        with self._lock:
            generation = Generation(self, body, deliver)
            self._runs.add(generation)
        return generation

    def ask(self, body: JsonObject, take: Callable[[JsonObject], bool]) -> None:
        """Compute on this thread.

        Raises:
            RuntimeError: It cannot be done, or the model was freed.
            ValueError: The request is wrong.
        """
        if self._server is None:
            raise RuntimeError("the model was freed")
        self._server.handle_chat_completions(body, take)

    def left(self, generation: Generation) -> None:
        """A run has ended: let go of the hold that `start` took."""
        with self._lock:
            self._runs.discard(generation)
        self._holds.release(self)

    def cancel_all(self) -> None:
        """Cancel all runs and wait until they have ended."""
        with self._lock:
            runs = tuple(self._runs)
        for run in runs:
            run.cancel()
        for run in runs:
            run.join()

    def free(self) -> None:
        """Free the model's memory. Only for when nobody holds the engine any more."""
        self._server = None
        self._remove_socket()

    def abandon(self) -> None:
        """Never free the model: this process is a fork, and the model's threads live in its parent."""
        import ctypes

        if self._server is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._server))
            self._server = None

    def _remove_socket(self) -> None:
        if self._socket is not None:
            shutil.rmtree(self._socket, ignore_errors=True)


def _socket_folder() -> Path | None:
    return Path(tempfile.mkdtemp(prefix="interlock-")) if os.name == "posix" else None


def _load(path: Path, settings: EngineSettings, folder: Path | None) -> "Server":
    binding = load()
    _check_file(path)
    parameters = binding.CommonParams()
    parameters.model.path = str(path)
    _tune(parameters, settings)
    parameters.api_keys = [secrets.token_urlsafe(32)]
    if folder is not None:
        parameters.hostnames = [str(folder / "engine.sock")]
    try:
        server = binding.Server(parameters)
        # A server that is freed before its loop turns hangs for ever; the figures come once it does.
        server.handle_metrics()
    except RuntimeError as exc:
        raise ConfigurationError(
            f"llama.cpp cannot load {path}.",
            field="model",
            remedy="The file may be damaged, of a kind that this llama.cpp does not know, or too large for "
            "this machine's memory; try another file or a smaller context.",
        ) from exc
    return server


def _check_file(path: Path) -> None:
    try:
        with path.open("rb") as source:
            magic = source.read(len(_MAGIC))
    except OSError as exc:
        raise NotFoundError(
            f"The model file {path} cannot be read: {exc.strerror or type(exc).__name__}.",
            field="model",
            remedy="Give the path of a GGUF file that this user may read.",
        ) from exc
    if magic != _MAGIC:
        raise InvalidRequestError(
            f"{path} is no GGUF file.", field="model", remedy="Give the path of a model in GGUF form."
        )


def _tune(parameters: "Parameters", settings: EngineSettings) -> None:
    parameters.n_ctx = settings.context * settings.slots
    parameters.n_parallel = settings.slots
    parameters.kv_unified = False
    # Between two batches of the prompt the callback is asked, so this is how fast a run can be cancelled.
    parameters.n_batch = parameters.n_ubatch = _PROMPT_BATCH
    parameters.cache_ram_mib = 0
    parameters.verbosity = _QUIET
    parameters.enable_reasoning = 0
    parameters.warmup = False
    parameters.ui = False
    parameters.endpoint_slots = False
    parameters.endpoint_metrics = True
    if settings.threads is not None:
        parameters.cpuparams.n_threads = settings.threads
        parameters.cpuparams_batch.n_threads = settings.threads


def _refused(error: JsonObject) -> InterlockError:
    """llama.cpp's own error, in the words of this house."""
    said = as_text(error.get("message")) or "no reason given"
    if as_text(error.get("type")) == "exceed_context_size_error":
        return ContextLengthError(
            f"The request has {as_int(error.get('n_prompt_tokens'))} tokens, and the context of the embedded "
            f"model holds {as_int(error.get('n_ctx'))}.",
            field="messages",
            remedy="Shorten the messages or tools, or give the model a larger context.",
            vendor="local",
        )
    if as_int(error.get("code")) == _BAD_REQUEST:
        return InvalidRequestError(
            f"The embedded model refused the request: {said}.",
            remedy="Change what it names.",
            vendor="local",
        )
    return ProtocolError(f"The embedded model failed: {said}.", vendor="local")


def _translated(exc: RuntimeError | ValueError) -> InterlockError:
    error = InvalidRequestError(
        f"The embedded model cannot serve the request: {exc}.",
        field="messages",
        remedy="Its chat template may not know these roles or parts; try plain user and assistant messages.",
        vendor="local",
    )
    error.__cause__ = exc
    return error
