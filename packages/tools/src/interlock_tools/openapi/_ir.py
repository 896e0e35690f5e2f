"""The intermediate form: what a document says, whatever its version, and nothing of how it says it.

Loader and readers make it; converter, registry and executor share only it.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from interlock_core.jsontypes import Json, JsonObject
from interlock_core.toolspec import Effect
from interlock_tools.openapi._problem import Problem

Location: TypeAlias = Literal["path", "query", "header", "cookie", "querystring"]
"""Where a parameter goes; `querystring` (3.2) is the whole query."""

Style: TypeAlias = Literal[
    "simple",
    "label",
    "matrix",
    "form",
    "spaceDelimited",
    "pipeDelimited",
    "tabDelimited",
    "deepObject",
    "cookie",
]
"""How a value is written; `tabDelimited` is the `tsv` of Swagger 2.0, `cookie` is of 3.2."""


@dataclass(frozen=True, slots=True)
class SchemaAt:
    """A schema as the document writes it.

    Attributes:
        value: The schema.
        base: Address of the file that it stands in; references start from there.
    """

    value: Json
    base: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How one property of a form is written.

    Attributes:
        content_type: Its media type, when the document says one.
        headers: Further headers of its part that can have one value only, with that value.
        style: Its style; None when the document says nothing of style, explode or reserved characters.
        explode: As in `Parameter`.
        allow_reserved: As in `Parameter`.
    """

    content_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    style: Style | None = None
    explode: bool = True
    allow_reserved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parameter:
    """One parameter.

    Attributes:
        name: Its name on the wire.
        location: Where it goes.
        required: It must be given.
        style: How its value is written.
        explode: Arrays and objects are written as one pair for each element.
        allow_reserved: Reserved characters, and what is percent-encoded already, are sent as they are.
        schema: Its schema.
        media_type: The media type that its value is written in, when it is not written by style.
        encoding: How the properties of a form are written, where the media type is one.
        nested: How lists within a list are written, level by level (Swagger 2.0).
        description: What it is for.
        deprecated: It should not be used.
    """

    name: str
    location: Location
    required: bool
    style: Style
    explode: bool
    allow_reserved: bool = False
    schema: SchemaAt
    media_type: str | None = None
    encoding: tuple[tuple[str, Encoding], ...] = ()
    nested: tuple[Style, ...] = ()
    description: str = ""
    deprecated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MediaType:
    """A body in one media type.

    Attributes:
        name: The media type as the document writes it.
        schema: Schema of the body; None when the document has none.
        encoding: How properties of a form are written, by their names; items of a list by their number, the
            rest of them by `*`.
    """

    name: str
    schema: SchemaAt | None
    encoding: tuple[tuple[str, Encoding], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Body:
    """The body of a request.

    Attributes:
        required: There must be one.
        description: What it is for.
        content: The media types that it may have, as the document orders them.
        name: The document's own name of it (Swagger 2.0), else empty.
    """

    required: bool
    description: str
    content: tuple[MediaType, ...]
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where an API lives.

    Attributes:
        url: Template, absolute or relative to the document.
        variables: Default of each variable; None where the document has none.
        choices: The only values of each variable that the document lists values of.
    """

    url: str
    variables: tuple[tuple[str, str | None], ...] = ()
    choices: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityScheme:
    """How a credential is placed.

    Attributes:
        name: The document's name of it.
        kind: `apiKey`, `http`, `oauth2`, `openIdConnect` or `mutualTLS`.
        location: `header`, `query` or `cookie`, for `apiKey`.
        parameter: Name of that header, query parameter or cookie.
        scheme: `basic`, `bearer` or another, for `http`; lower case.
    """

    name: str
    kind: str
    location: str = ""
    parameter: str = ""
    scheme: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operation:
    """One operation.

    Attributes:
        method: Upper case.
        path: Path template.
        pointer: JSON pointer of it.
        operation_id: The document's id.
        summary: One line.
        description: More lines.
        tags: The document's tags.
        deprecated: It should not be used.
        hint: What a vendor extension says of its effect.
        parameters: Every parameter, those of the path first.
        body: Its body, if it has one.
        servers: Its own servers; empty when those of the document hold.
        security: Alternatives, each the names of the schemes that it needs together; empty when the
            operation is open to all, None when the document says nothing.
        scopes: The scopes that each of those alternatives needs.
        responses: The document's map of responses.
        base: Address of the file that it stands in.
        produces: Media types of Swagger 2.0 answers.
    """

    method: str
    path: str
    pointer: str
    operation_id: str | None
    summary: str
    description: str
    tags: tuple[str, ...]
    deprecated: bool
    hint: Effect | None
    parameters: tuple[Parameter, ...]
    body: Body | None
    servers: tuple[Server, ...]
    security: tuple[tuple[str, ...], ...] | None
    responses: JsonObject
    base: str
    produces: tuple[str, ...] = ()
    scopes: tuple[tuple[str, ...], ...] = ()

    @property
    def endpoint(self) -> str:
        """Method and path, such as `GET /users/{id}`."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """An operation that could not become a tool.

    Attributes:
        operation: Method and path.
        reason: Place, what is wrong there and what to change.
    """

    operation: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Document:
    """What one document says.

    Attributes:
        source: What it was asked for by.
        uri: Its own address; empty when it has none.
        title: Its title.
        version: Version of its form, such as `3.0`.
        servers: Where the API lives.
        schemes: Its security schemes by name.
        operations: Every operation that could be read.
        skipped: Those that could not, each with a reason.
        problems: What was tolerated.
    """

    source: str
    uri: str
    title: str
    version: str
    servers: tuple[Server, ...]
    schemes: tuple[SecurityScheme, ...]
    operations: tuple[Operation, ...]
    skipped: tuple[Skipped, ...]
    problems: tuple[Problem, ...]
