"""The engines of this process: one a file and settings, shared by reference count.

The model is freed when its last holder has released it; a run holds its engine too. When the interpreter
exits, runs are cancelled first, because a thread that calls back into a dead interpreter crashes it. A
fork starts with no engines, because the model's threads stay in the parent; what it loads itself is given
back when it ends, which must be by `os._exit`, as multiprocessing does it: llama.cpp's own way out waits
for threads that a fork has not.
"""

import atexit
import os
import sys
import threading
from pathlib import Path
from typing import TypeAlias

from interlock_core.errors import ConfigurationError
from interlock_providers.local._engine import Engine, EngineSettings

_Key: TypeAlias = tuple[Path, EngineSettings]


class _Entry:
    """A place for one engine: how many hold it, and who is loading it."""

    def __init__(self) -> None:
        self.holders = 0
        self.loading = threading.Lock()
        self.engine: Engine | None = None


class _Registry:
    """All engines of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[_Key, _Entry] = {}
        self._is_fork = False

    def acquire(self, path: Path, settings: EngineSettings) -> Engine:
        key = (path, settings)
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            entry.holders += 1
        try:
            with entry.loading:
                if entry.engine is None:
                    entry.engine = Engine(path, settings, self)
                return entry.engine
        except BaseException:
            self._leave(key, entry)
            raise

    def hold(self, engine: Engine) -> None:
        """One holder more."""
        with self._lock:
            entry = self._entries.get((engine.path, engine.settings))
            if entry is None or entry.engine is not engine:
                raise ConfigurationError(
                    f"The embedded model {engine.path.name} was closed.",
                    field="model",
                    remedy="Open a new provider.",
                )
            entry.holders += 1

    def release(self, engine: Engine) -> None:
        """One holder less; the last one's leaving frees the model."""
        key = (engine.path, engine.settings)
        with self._lock:
            entry = self._entries.get(key)
        if entry is not None and entry.engine is engine and self._leave(key, entry):
            self._free(engine)

    def loaded(self) -> tuple[Path, ...]:
        with self._lock:
            return tuple(sorted(entry.engine.path for entry in self._entries.values() if entry.engine))

    def close(self) -> None:
        with self._lock:
            engines = [entry.engine for entry in self._entries.values() if entry.engine]
            self._entries.clear()
        for engine in engines:
            engine.cancel_all()
            self._free(engine)

    def forget(self) -> None:
        engines = [entry.engine for entry in self._entries.values() if entry.engine]
        # The parent's lock may have been held at the moment of the fork.
        self._lock = threading.Lock()
        self._entries = {}
        self._is_fork = "xllamacpp" in sys.modules
        for engine in engines:
            engine.abandon()

    def _free(self, engine: Engine) -> None:
        # The binding's own helper threads stay in the parent of a fork too, and freeing would wait for them.
        if self._is_fork:
            engine.abandon()
        engine.free()

    def _leave(self, key: _Key, entry: _Entry) -> bool:
        """Take one hold away; True when it was the last."""
        with self._lock:
            entry.holders -= 1
            last = entry.holders == 0
            if last and self._entries.get(key) is entry:
                del self._entries[key]
            return last


_REGISTRY = _Registry()
atexit.register(_REGISTRY.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_REGISTRY.forget)


def acquire(path: Path, settings: EngineSettings) -> Engine:
    """The engine of a file, loaded when it is not yet; each call is one holder more. Blocks while loading.

    Raises:
        InterlockError: It cannot be loaded; see `Engine`.
    """
    return _REGISTRY.acquire(path, settings)


def hold(engine: Engine) -> None:
    """One holder more of an engine that is held.

    Raises:
        ConfigurationError: Nobody held it any more.
    """
    _REGISTRY.hold(engine)


def release(engine: Engine) -> None:
    """Let go of an engine that was acquired or held; the last one's leaving frees the model."""
    _REGISTRY.release(engine)


def loaded_models() -> tuple[Path, ...]:
    """The model files that are in this process's memory now, sorted."""
    return _REGISTRY.loaded()
