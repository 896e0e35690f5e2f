"""Reading a request's fields as GitHub judges them: every problem is collected, all go into one 422."""

import re
from collections.abc import Collection

from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, as_text, dump_json, parse_json

_DOCS = "https://docs.github.com/rest"
_COLOR = re.compile(r"[0-9a-fA-F]{6}")


class ApiError(Exception):
    """An answer that is not the one the client hoped for.

    Args:
        status: The HTTP status.
        message: GitHub's sentence.
        errors: What is wrong with each field, for a 422.
    """

    def __init__(self, status: int, message: str, *, errors: list[Json] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors

    def as_json(self) -> JsonObject:
        """The body of the answer."""
        body: JsonObject = {"message": self.message}
        if self.errors is not None:
            body["errors"] = self.errors
        return {**body, "documentation_url": _DOCS, "status": str(self.status)}


def parse_object(body: bytes, *, list_field: str | None = None) -> JsonObject:
    """A request's body as an object; an empty body is an empty object.

    Args:
        body: The bytes.
        list_field: The field that a bare array stands for, where one is taken.

    Raises:
        ApiError: 400, it is no JSON, or no object.
    """
    if not body.strip():
        return {}
    try:
        value = parse_json(body)
        dump_json(value).encode()
    except (ValueError, RecursionError):
        raise ApiError(400, "Problems parsing JSON") from None
    if list_field is not None and isinstance(value, list):
        return {list_field: value}
    if not isinstance(value, dict):
        raise ApiError(400, "Body should be a JSON object")
    return value


def whole_number(text: str) -> int | None:
    """The number that up to nine decimal digits write, else None."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else None


class Fields:
    """Reads fields of one resource and remembers each problem.

    Args:
        resource: The resource's name as GitHub writes it, such as `Issue`.
        values: The request's object.
    """

    def __init__(self, resource: str, values: JsonObject) -> None:
        self.resource = resource
        self.values = values
        self.problems: list[Json] = []

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def check(self) -> None:
        """Refuse the request when any field had a problem.

        Raises:
            ApiError: 422, with one entry for each problem.
        """
        if self.problems:
            raise ApiError(422, "Validation Failed", errors=self.problems)

    def problem(self, name: str, code: str, *, message: str | None = None, value: Json = None) -> None:
        """Remember a problem of one field."""
        entry: JsonObject = {"resource": self.resource, "field": name, "code": code}
        if message is not None:
            entry["message"] = message
        if value is not None:
            entry["value"] = value
        self.problems.append(entry)

    def text(self, name: str, *, most: int, required: bool = False) -> str | None:
        """A string of at most `most` characters; None when it is absent or null."""
        value = self.values.get(name)
        if value is None and not required:
            return None
        if value is None or (required and isinstance(value, str) and not value.strip()):
            self.problem(name, "missing_field")
            return None
        text = as_text(value)
        if text is None:
            self.problem(name, "invalid", message=f"{name} is not a string", value=value)
        elif len(text) > most:
            self.problem(name, "custom", message=f"{name} is too long (maximum is {most} characters)")
        return text

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        """One of a few words; None when it is absent or null."""
        value = self.values.get(name)
        if value is None:
            return None
        text = as_text(value)
        if text is None or text not in allowed:
            self.problem(
                name, "invalid", message=f"{name} is not one of {', '.join(sorted(allowed))}", value=value
            )
        return text

    def names(self, name: str, *, most: int = 50) -> tuple[str, ...]:
        """A list of names, each given as a string or as an object with a `name`."""
        value = self.values.get(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.problem(name, "invalid", message=f"{name} is not an array", value=value)
            return ()
        found: list[str] = []
        for item in as_array(value):
            text = as_text(item) or as_text(as_object(item).get("name"))
            if text is None or not text.strip():
                self.problem(name, "invalid", value=item)
            elif len(text) > most:
                self.problem(
                    name, "custom", message=f"name is too long (maximum is {most} characters)", value=text
                )
            else:
                found.append(text)
        return tuple(found)

    def number(self, name: str, known: Collection[int]) -> int | None:
        """The number of something that exists; None when it is absent or null."""
        value = self.values.get(name)
        if value is None:
            return None
        number = whole_number(value) if isinstance(value, str) else value
        if isinstance(number, bool) or not isinstance(number, int) or number not in known:
            self.problem(name, "invalid", value=value)
            return None
        return number

    def color(self, name: str) -> str | None:
        """Six hexadecimal digits without `#`; None when it is absent or null."""
        text = self.text(name, most=100)
        if text is not None and not _COLOR.fullmatch(text):
            self.problem(name, "invalid")
        return text
