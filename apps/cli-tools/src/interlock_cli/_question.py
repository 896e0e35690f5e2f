"""Reads the flags of `ask` into a question."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from interlock_core import Image, JsonObject, Money
from interlock_core.errors import InvalidRequestError, NotFoundError
from interlock_core.jsontypes import parse_json
from interlock_runtime import Question

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
)


def question_of(prompt: str, flags: Mapping[str, object]) -> Question:
    """The question that the flags of `ask` describe.

    Raises:
        InvalidRequestError: A flag's value is wrong.
        NotFoundError: A file is not there.
    """
    schema = cast("Path | None", flags.get("schema"))
    max_cost = cast("float | None", flags.get("max_cost"))
    policy = cast("str | None", flags.get("policy"))
    model = cast("str", flags.get("model") or "auto")
    if policy and model != "auto":
        raise InvalidRequestError(
            "--policy goes with the router, and -m names a model.",
            field="--policy",
            remedy="Leave one of them away.",
        )
    return Question(
        prompt=prompt,
        model=f"auto/{policy}" if policy else model,
        tools=cast("tuple[str, ...]", flags.get("tools") or ()),
        system=cast("str | None", flags.get("system")),
        images=tuple(map(_image, cast("tuple[Path, ...]", flags.get("image") or ()))),
        schema=None if schema is None else _schema(schema),
        max_cost=None if max_cost is None else Money.usd(max_cost),
        max_tokens=cast("int | None", flags.get("max_tokens")),
        temperature=cast("float | None", flags.get("temperature")),
    )


def _image(path: Path) -> Image:
    data = read_file(path, "--image")
    media_type = next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)
    if media_type is None or (media_type == "image/webp" and data[8:12] != b"WEBP"):
        raise InvalidRequestError(
            f"{path} is no image that models read.", field="--image", remedy="Use PNG, JPEG, GIF or WebP."
        )
    return Image(data=data, media_type=media_type)


def _schema(path: Path) -> JsonObject:
    try:
        value = parse_json(read_file(path, "--schema"))
    except ValueError as exc:
        raise InvalidRequestError(
            f"{path} is not JSON: {exc}.", field="--schema", remedy="Mend the file."
        ) from exc
    if not isinstance(value, dict):
        raise InvalidRequestError(
            f"{path} holds no JSON object.", field="--schema", remedy="Write a JSON Schema."
        )
    from interlock_core.schema import validator

    try:
        validator(value).problems(None)
    except InvalidRequestError as exc:
        raise InvalidRequestError(
            f"{path} is no JSON Schema: {exc.message}", field="--schema", remedy="Mend the file."
        ) from exc
    return value


def read_file(path: Path, option: str) -> bytes:
    """The bytes of a file that an option names.

    Raises:
        NotFoundError: There is none.
        InvalidRequestError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as exc:
        raise NotFoundError(f"There is no file {path}.", field=option, remedy="Check its path.") from exc
    except OSError as exc:
        raise InvalidRequestError(
            f"{path} cannot be read: {exc.strerror}.", field=option, remedy="Give a file that you may read."
        ) from exc
