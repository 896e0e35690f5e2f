"""What a request on the wire must hold: checks of its JSON by paths, written from the vendors' formats."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from interlock_core.jsontypes import Json, JsonObject, dump_json

Check: TypeAlias = Callable[[JsonObject], bool]
"""Whether a request holds what it should."""


def found(value: Json, path: str) -> Iterator[Json]:
    """Every value at a path: names and numbers between dots, `*` for each item of a list."""
    step, _, rest = path.partition(".")
    if not step:
        yield value
    elif isinstance(value, dict):
        if step in value:
            yield from found(value[step], rest)
    elif isinstance(value, list):
        if step == "*":
            for item in value:
                yield from found(item, rest)
        elif int(step) < len(value):
            yield from found(value[int(step)], rest)


def fits(value: Json, wanted: Json) -> bool:
    """Whether a value is what is wanted; an object may have more fields, and a text may be its one part."""
    if isinstance(wanted, dict):
        return isinstance(value, dict) and all(
            name in value and fits(value[name], item) for name, item in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(value, list)
            and len(value) == len(wanted)
            and all(fits(item, other) for item, other in zip(value, wanted, strict=True))
        )
    if isinstance(wanted, str) and isinstance(value, list) and len(value) == 1:
        only = value[0]
        return isinstance(only, dict) and only.get("text") == wanted
    return type(value) is type(wanted) and value == wanted


def holds(path: str, wanted: Json) -> Check:
    """At a path, or one of its places, there is this."""
    return lambda body: any(fits(value, wanted) for value in found(body, path))


def says(*texts: str) -> Check:
    """The texts are somewhere in it."""
    return lambda body: all(dump_json(text)[1:-1] in dump_json(body) for text in texts)


def unsaid(text: str) -> Check:
    """The text is nowhere in it."""
    return lambda body: dump_json(text)[1:-1] not in dump_json(body)


def lacks(path: str) -> Check:
    """There is nothing at a path."""
    return lambda body: not any(True for _ in found(body, path))


def both(*checks: Check) -> Check:
    """All of these."""
    return lambda body: all(check(body) for check in checks)


def either(*checks: Check) -> Check:
    """One of these."""
    return lambda body: any(check(body) for check in checks)


def wires(
    *,
    chat: Check | None = None,
    responses: Check | None = None,
    anthropic: Check | None = None,
    mistral: Check | None = None,
    cohere: Check | None = None,
    same: Check | None = None,
) -> Mapping[str, Check]:
    """The checks by column.

    Args:
        chat: OpenAI's Chat Completions, and compatible servers.
        responses: OpenAI's Responses.
        anthropic: Anthropic's Messages.
        mistral: Mistral; as `chat` unless given.
        cohere: Cohere; as `chat` unless given.
        same: All that are not given.
    """
    given = {
        "chat": chat or same,
        "compatible": chat or same,
        "responses": responses or same,
        "anthropic": anthropic or same,
        "mistral": mistral or chat or same,
        "cohere": cohere or chat or same,
    }
    return {name: check for name, check in given.items() if check is not None}
