"""How the arguments of a tool become a request: all that the executor needs to know of an operation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from interlock_core.jsontypes import Json, JsonObject
from interlock_tools.openapi._ir import Encoding, Operation, Parameter, SchemaAt

BodyForm: TypeAlias = Literal["json", "form", "multipart", "text", "binary", "xml"]
"""How a body is written."""

FILE: JsonObject = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {
                "base64": {"type": "string"},
                "filename": {"type": "string"},
                "content_type": {"type": "string"},
            },
            "required": ["base64"],
            "additionalProperties": False,
        },
    ]
}
"""Argument for a file: its text, or its bytes in base64 with a name and a media type."""

FILE_NOTE = "File: its text, or {base64, filename, content_type}."
"""Said in the description of an argument for a file."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One argument that becomes a parameter.

    Attributes:
        argument: Name of the argument.
        parameter: The parameter.
        fixed: The only value that it can have, as a list of one; empty when there are more.
    """

    argument: str
    parameter: Parameter
    fixed: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyPlan:
    """How the body is made.

    Attributes:
        form: How it is written.
        media_type: Its media type as sent.
        required: There must be one.
        argument: The argument that holds it whole; None when its properties are arguments.
        properties: Argument and property of each, when they are.
        encoding: How the properties of a form are written.
        files: Properties (or `""`, the whole body) that are files.
        fixed: Properties that can have one value only, with that value.
        choices: Every media type that the operation takes.
        ranged: The document names a range such as `image/*`: a file says itself which it is.
        schema: The body's schema as the document writes it, whose hints XML follows.
    """

    form: BodyForm
    media_type: str
    required: bool
    argument: str | None = None
    properties: tuple[tuple[str, str], ...] = ()
    encoding: Mapping[str, Encoding] = field(default_factory=dict[str, Encoding])
    files: frozenset[str] = frozenset()
    fixed: tuple[tuple[str, Json], ...] = ()
    choices: tuple[str, ...] = ()
    ranged: bool = False
    schema: SchemaAt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPlan:
    """How a call becomes a request.

    Attributes:
        operation: The operation.
        slots: The arguments that become parameters.
        body: How the body is made; None when there is none.
    """

    operation: Operation
    slots: tuple[Slot, ...]
    body: BodyPlan | None
