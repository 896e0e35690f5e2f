"""The embedded model as a `Provider`."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from interlock_core.assembly import CompletionAssembler
from interlock_core.call import Call
from interlock_core.clock import Clock, SystemClock
from interlock_core.completion import (
    Chunk,
    Completion,
    CompletionRequest,
    Embeddings,
    FinishReason,
    ToolCallDelta,
    Usage,
)
from interlock_core.errors import ConfigurationError, NotFoundError, ProtocolError, UnsupportedError
from interlock_core.ids import new_id
from interlock_core.models import FREE, Capability, ModelInfo
from interlock_core.nearest import suggestion
from interlock_providers.local._engine import Done, Engine, EngineSettings, Event, Failed, Generation, Piece
from interlock_providers.local._left_out import left_out
from interlock_providers.local._plan import Attempt, attempts
from interlock_providers.local._reader import MisreadError
from interlock_providers.local._shared import acquire, hold, release
from interlock_providers.local._weights import WEIGHTS, find, known, located, verify

_CAPABILITIES = frozenset(
    {
        Capability.STREAMING,
        Capability.TOOLS,
        Capability.JSON_SCHEMA,
        Capability.JSON_OBJECT,
        Capability.SEED,
    }
)
_SMALL_FILE = 600_000_000
_FINISHES = {"eos": FinishReason.STOP, "word": FinishReason.STOP_SEQUENCE, "limit": FinishReason.LENGTH}


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """A GGUF file under a name of the operator's.

    Attributes:
        path: The file.
        sha256: Its checksum in hex, checked before it is loaded; None checks nothing.
        small: Whether the model needs the help that a small one gets (short prompts, made-up examples,
            narrowed choices); None decides by the size of the file, small being below 600 MB.
    """

    path: Path
    sha256: str | None = None
    small: bool | None = None


class LocalProvider:
    """Answers with a model that runs in this process: no key, no cost, nothing leaves the machine.

    Text, streaming, tool calls and JSON Schema answers, the last two by constrained decoding: what is given
    as whole always parses and fits. One call comes at a time. Several requests at once share one loaded
    model; the first request loads it.

    Args:
        name: What stands before the slash.
        folder: The data folder that `pull` fills; None knows only installed wheels.
        models: Further models by name.
        settings: How models are loaded.
        open_paths: Whether `local//folder/file.gguf` may name any file. Off when strangers may ask, because
            it tells them which files there are and loads what they name.
        keep: Models that stay loaded at once; with one more, the one that was used longest ago goes.
        clock: Where the time of an answer comes from.
    """

    def __init__(
        self,
        *,
        name: str = "local",
        folder: Path | None = None,
        models: Mapping[str, LocalModel] | None = None,
        settings: EngineSettings | None = None,
        open_paths: bool = True,
        keep: int = 2,
        clock: Clock | None = None,
    ) -> None:
        self._name = name
        self._folder = folder
        self._models = dict(models or {})
        self._settings = settings or EngineSettings()
        self._open_paths = open_paths
        self._keep = keep
        self._clock: Clock = clock or SystemClock()
        self._engines: dict[Path, Engine] = {}
        self._holds: set[_Hold] = set()
        self._running: dict[Generation, asyncio.Queue[Event]] = {}
        self._closed = False

    @property
    def name(self) -> str:
        """What stands before the slash."""
        return self._name

    async def complete(self, request: CompletionRequest, call: Call | None = None) -> Completion:
        """Answer whole.

        Raises:
            InterlockError: As `stream` does.
        """
        assembler = CompletionAssembler()
        async with aclosing(self.stream(request, call)) as chunks:
            async for chunk in chunks:
                assembler.feed(chunk)
        return assembler.completion(created=int(self._clock.now()))

    async def stream(
        self, request: CompletionRequest, call: Call | None = None
    ) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece; closing the generator ends the run at its next token.

        Raises:
            NotFoundError: There is no such model or file.
            UnsupportedError: The model cannot do what is asked; nothing was run.
            ContextLengthError: The request is longer than the context.
            VerificationError: The weights are not what they claim to be; nothing was loaded.
            MissingExtraError: llama.cpp or the weights are not installed.
            ProtocolError: The model did not manage what was asked for.
        """
        name, model = self._resolve(request.model)
        planned = attempts(request, small=_is_small(model))
        attempt = next(planned)
        answer = _Answer(model=f"{self._name}/{name}", id=new_id("cmpl"))
        async with self._engine(model) as engine:
            yield Chunk(model=answer.model, id=answer.id, adapted=left_out(request))
            while True:
                try:
                    async with aclosing(self._run(engine, attempt, answer)) as chunks:
                        async for chunk in chunks:
                            yield chunk
                except MisreadError as exc:
                    further = None if answer.shown else next(planned, None)
                    if further is None:
                        raise ProtocolError(
                            f"The embedded model did not manage what was asked for: {exc}.",
                            remedy="Ask for something simpler, or choose a larger model.",
                            vendor=self._name,
                        ) from exc
                    attempt = further
                else:
                    return

    async def embed(self, model: str, texts: Sequence[str], call: Call | None = None) -> Embeddings:
        """No vectors.

        Raises:
            UnsupportedError: Always.
        """
        raise UnsupportedError(
            "The embedded model makes no vectors.",
            field="model",
            remedy="Choose an embedding model of another provider.",
        )

    async def models(self) -> Sequence[ModelInfo]:
        """The models whose files are here; none when llama.cpp is not installed."""
        if find_spec("xllamacpp") is None:
            return ()
        bundled = {weights.name: weights for weights in WEIGHTS if find(weights.name, self._folder)}
        here = [name for name, model in self._models.items() if model.path.is_file()]
        described = {name: f"{name}, {weights.licence}, in this process" for name, weights in bundled.items()}
        trained = {name: weights.context for name, weights in bundled.items()}
        return tuple(
            self._info(name, described.get(name, ""), trained.get(name, self._settings.context))
            for name in sorted({*bundled, *here})
        )

    async def aclose(self) -> None:
        """End all runs and let go of the models; the last provider that lets go frees their memory.

        Streams that are still read end with a `ConfigurationError`.
        """
        self._closed = True
        running, self._running = self._running, {}
        for generation, events in running.items():
            generation.cancel()
            events.put_nowait(Failed(self._closed_error()))
        holds, self._holds = self._holds, set()
        engines, self._engines = self._engines, {}
        await asyncio.to_thread(_let_go, tuple(running), (*holds, *map(_Hold, engines.values())))

    def _info(self, name: str, description: str, trained: int) -> ModelInfo:
        context = min(self._settings.context, trained)
        return ModelInfo(
            id=f"{self._name}/{name}",
            provider=self._name,
            context_tokens=context,
            max_output_tokens=context,
            price=FREE,
            capabilities=_CAPABILITIES,
            description=description or f"{name}, in this process",
            local=True,
        )

    def _resolve(self, asked: str) -> tuple[str, LocalModel]:
        """The model's name without the provider's, and its file."""
        name = asked.removeprefix(f"{self._name}/")
        if name in self._models:
            return name, self._models[name]
        if name.endswith(".gguf") and Path(name).is_absolute():
            if not self._open_paths:
                raise UnsupportedError(
                    "Models by path are switched off here.",
                    field="model",
                    remedy="Ask the operator to configure the file under a name.",
                )
            return name, LocalModel(path=Path(name))
        if any(weights.name == name for weights in WEIGHTS):
            weights = known(name)
            return name, LocalModel(path=located(name, self._folder), sha256=weights.sha256, small=True)
        raise NotFoundError(
            f"The provider {self._name} has no model {name}.",
            field="model",
            remedy=suggestion(name, [*self._models, *(weights.name for weights in WEIGHTS)]),
        )

    @asynccontextmanager
    async def _engine(self, model: LocalModel) -> AsyncGenerator[Engine]:
        """The loaded model, held for one request; the provider itself goes on to hold it after that."""
        path = model.path.resolve()
        engine = self._engines.get(path)
        if engine is not None and engine.loaded:
            hold(engine)
        else:
            engine = await self._load(path, model.sha256)
        held = _Hold(engine)
        try:
            spare = self._keep_loaded(path, engine)
            self._holds.add(held)
            if spare:
                await asyncio.to_thread(_let_go, (), spare)
            yield engine
        finally:
            self._holds.discard(held)
            held.let_go()

    def _keep_loaded(self, path: Path, engine: Engine) -> list["_Hold"]:
        """Hold a model as the one used last; gives those to let go of instead."""
        if self._closed:
            raise self._closed_error()
        hold(engine)
        spare = [_Hold(held) for held in (self._engines.pop(path, None),) if held is not None]
        self._engines[path] = engine
        while len(self._engines) > self._keep:
            spare.append(_Hold(self._engines.pop(next(iter(self._engines)))))
        return spare

    def _closed_error(self) -> ConfigurationError:
        return ConfigurationError(f"The provider {self._name} is closed.", remedy="Open a new one.")

    async def _load(self, path: Path, sha256: str | None) -> Engine:
        loading = asyncio.ensure_future(asyncio.to_thread(_verified, path, sha256, self._settings))
        try:
            return await asyncio.shield(loading)
        except asyncio.CancelledError:
            loading.add_done_callback(_release_late)
            raise

    async def _run(self, engine: Engine, attempt: Attempt, answer: "_Answer") -> AsyncGenerator[Chunk, None]:
        """Make one run; its thread hands events over, and no reader can make it wait."""
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[Event] = asyncio.Queue()

        def deliver(event: Event) -> None:
            loop.call_soon_threadsafe(events.put_nowait, event)

        generation = engine.start(attempt.body, deliver)
        self._running = {run: queue for run, queue in self._running.items() if not run.ended}
        self._running[generation] = events
        try:
            while True:
                match await events.get():
                    case Piece(text):
                        shown = attempt.reader.feed(text)
                        if shown:
                            answer.shown = True
                            yield Chunk(text=shown)
                    case Failed(error):
                        raise error
                    case Done() as done:
                        answer.count(done)
                        for chunk in answer.ending(attempt, done, engine.settings.context):
                            yield chunk
                        return
        finally:
            generation.cancel()


class _Hold:
    """One hold on an engine, let go of once by whoever comes first: the request's end or the provider's."""

    def __init__(self, engine: Engine) -> None:
        self._lock = threading.Lock()
        self._engine: Engine | None = engine

    def let_go(self) -> None:
        """Let go; a second time does nothing."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            release(engine)


@dataclass(slots=True, kw_only=True)
class _Answer:
    """What is known of an answer over all runs that it took.

    Attributes:
        model: `provider/model`.
        id: Its id.
        usage: Tokens of all runs.
        shown: Some of it was shown, so that it cannot be begun again.
    """

    model: str
    id: str
    usage: Usage = field(default_factory=Usage)
    shown: bool = False

    def count(self, done: Done) -> None:
        """Add the tokens of a run."""
        self.usage = self.usage + Usage(
            input_tokens=done.input_tokens,
            output_tokens=done.output_tokens,
            cache_read_tokens=done.cached_tokens,
        )

    def ending(self, attempt: Attempt, done: Done, context: int) -> Sequence[Chunk]:
        """The last chunks of a run."""
        finish = _FINISHES.get(done.stopped_by, FinishReason.UNKNOWN)
        if finish is FinishReason.LENGTH and done.input_tokens + done.output_tokens >= context:
            finish = FinishReason.CONTEXT
        ending = attempt.reader.end(cut=finish is not FinishReason.STOP)
        chunks: list[Chunk] = []
        if ending.text:
            chunks.append(Chunk(text=ending.text))
        if ending.call is not None:
            chunks.append(_call_chunk(ending.call.id, ending.call.name, ending.call.arguments))
            finish = FinishReason.TOOL_CALLS if finish is FinishReason.STOP else finish
        last = Chunk(finish=finish, native_finish=done.stopped_by, model=self.model, id=self.id)
        return [*chunks, replace(last, usage=self.usage, cost=FREE.cost(self.usage))]


def _call_chunk(call_id: str, name: str, arguments: str) -> Chunk:
    return Chunk(tool_calls=(ToolCallDelta(index=0, id=call_id, name=name, arguments=arguments),))


def _verified(path: Path, sha256: str | None, settings: EngineSettings) -> Engine:
    if sha256 is not None:
        verify(path, sha256)
    return acquire(path, settings)


def _release_late(loading: "asyncio.Future[Engine]") -> None:
    if not loading.cancelled() and loading.exception() is None:
        release(loading.result())


def _let_go(running: Sequence[Generation], holds: Sequence[_Hold]) -> None:
    for generation in running:
        generation.join()
    for held in holds:
        held.let_go()


def _is_small(model: LocalModel) -> bool:
    if model.small is not None:
        return model.small
    try:
        return model.path.stat().st_size < _SMALL_FILE
    except OSError:
        return False
