"""The text of a file becomes a value: JSON or YAML, in any encoding of Unicode, within limits."""

import re

from interlock_core.jsontypes import Json, JsonObject
from interlock_tools.openapi._problem import Problem
from interlock_tools.openapi._source import LoadLimits, refused

_BINARY_WITHIN = 1 << 16
_MOST_REPEATS = 20
_SURROGATE = re.compile(
    r"(\\\\)|(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)


def parse(data: bytes, *, source: str, limits: LoadLimits) -> tuple[Json, tuple[Problem, ...]]:
    """The value of a JSON or YAML text and what was tolerated in it.

    Raises:
        InvalidRequestError: It is neither, or breaks a limit.
    """
    text = decoded(data, source=source)
    json_error = ""
    if text.lstrip()[:1] in {"{", "["}:
        notes: list[Problem] = []
        text = _without_halves(text, source, notes)
        try:
            return _json(text, source, notes), tuple(notes)
        except ValueError as exc:
            json_error = str(exc)
        except RecursionError:
            return _deep(text, source=source, limits=limits), tuple(notes)
    from interlock_tools.openapi._yaml import YamlError, parse_yaml

    if len(data) > limits.max_yaml_bytes:
        raise refused(
            source,
            f"is not JSON, and as YAML larger than {limits.max_yaml_bytes} bytes.",
            "Convert it to JSON.",
        )
    try:
        value, said = parse_yaml(text, max_nodes=limits.max_nodes, max_depth=limits.max_depth)
    except YamlError as exc:
        why = f"is no JSON: {json_error}" if json_error else f"is neither JSON nor YAML: {exc}"
        raise refused(source, why, "Mend the text at that place.") from exc
    return value, tuple(Problem(source=source, pointer="", message=note) for note in said)


def check_kind(root: Json, *, source: str) -> JsonObject:
    """The value as the root of an OpenAPI document.

    Raises:
        InvalidRequestError: It is none, or of a version that is not read.
    """
    if not isinstance(root, dict):
        raise refused(source, "is no object.", "An OpenAPI document is one object with `openapi: 3.…`.")
    version = root.get("openapi", root.get("swagger"))
    if version is None:
        said = (
            "says `swaggerVersion`, which is"
            if "swaggerVersion" in root
            else "has no `openapi` key, so it is"
        )
        raise refused(source, f"{said} no OpenAPI 3 or Swagger 2.0 document.", "Convert it to OpenAPI 3.")
    if not str(version).startswith(("2", "3.")) and str(version) != "3":
        raise refused(source, f"is of version {str(version)[:20]}.", "Versions 2.0 and 3.0 to 3.2 are read.")
    return root


def decoded(data: bytes, *, source: str) -> str:
    """The bytes of a file as text.

    Raises:
        InvalidRequestError: They are none.
    """
    import json

    if data[:3] == b"\xef\xbb\xbf":
        data = data[3:]
    try:
        text = data.decode(json.detect_encoding(data[:4]) if data[:4] else "utf-8")
    except UnicodeDecodeError as exc:
        raise refused(source, "is no text: it is not UTF-8.", "Save it as UTF-8.") from exc
    if "\0" in text[:_BINARY_WITHIN]:
        raise refused(source, "is a binary file.", "Give a JSON or YAML text.")
    return text


def _deep(text: str, *, source: str, limits: LoadLimits) -> Json:
    """JSON that is nested deeper than the standard parser goes."""
    from interlock_tools.openapi._deep_json import parse_deep_json

    try:
        return parse_deep_json(text, max_depth=limits.max_depth)
    except ValueError as exc:
        raise refused(source, f"is no JSON: {exc}", "Flatten or mend it.") from exc


def _json(text: str, source: str, notes: list[Problem]) -> Json:
    import json

    repeats: list[str] = []

    def build(pairs: list[tuple[str, Json]]) -> JsonObject:
        value = dict(pairs)
        if len(value) != len(pairs) and len(repeats) < _MOST_REPEATS:
            seen: set[str] = set()
            repeats.extend(key for key, _ in pairs if key in seen or seen.add(key))
        return value

    value: Json = json.loads(text, object_pairs_hook=build, parse_constant=str)
    notes.extend(_repeat(source, key) for key in repeats[:_MOST_REPEATS])
    return value


def _repeat(source: str, key: str) -> Problem:
    return Problem(
        source=source,
        pointer="",
        message=f"The key {key[:80]!r} is written twice in one object; the last one counts.",
        remedy="Remove one of them.",
    )


def _without_halves(text: str, source: str, notes: list[Problem]) -> str:
    """The text without escapes that are half a character: they cannot be sent or stored anywhere."""
    if "\\ud" not in text and "\\uD" not in text:
        return text
    mended = _SURROGATE.sub(lambda found: found[0] if found[1] or found[2] else "\\ufffd", text)
    if mended != text:
        notes.append(
            Problem(
                source=source,
                pointer="",
                message="A text holds half of a character (a lone surrogate); it is replaced.",
                remedy="Write both halves of the pair, or the character itself.",
            )
        )
    return mended
