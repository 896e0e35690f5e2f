"""OpenAPI 3.0, 3.1 and 3.2."""

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, as_array, as_object, as_text
from interlock_tools.openapi._ir import (
    Body,
    Encoding,
    Location,
    MediaType,
    Parameter,
    SchemaAt,
    SecurityScheme,
    Server,
    Style,
)
from interlock_tools.openapi._reading import Reading
from interlock_tools.openapi._references import Target

_LOCATIONS: dict[str, Location] = {
    "path": "path",
    "query": "query",
    "header": "header",
    "cookie": "cookie",
    "querystring": "querystring",
}
_STYLES: dict[Location, tuple[Style, ...]] = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form", "cookie"),
    "querystring": ("form",),
}


class DialectV3:
    """Reads what OpenAPI 3 says in its own way.

    Args:
        reading: The document.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._parameters: dict[int, Parameter] = {}

    def split(
        self, parameters: list[Target], operation: Target
    ) -> tuple[tuple[Parameter, ...], Body | None, tuple[str, ...]]:
        """The parameters and the body of an operation.

        Raises:
            InvalidRequestError: One of them cannot be read.
        """
        read = tuple(self._parameter(target) for target in parameters)
        return read, self._body(operation), ()

    def servers(self, value: JsonObject, base: str) -> tuple[Server, ...]:
        """The servers that an object names."""
        found: list[Server] = []
        for server in as_array(value.get("servers")):
            url = as_text(as_object(server).get("url"))
            if url:
                variables = as_object(as_object(server).get("variables"))
                found.append(Server(url=url, variables=tuple((k, _default(v)) for k, v in variables.items())))
        return tuple(found)

    def schemes(self) -> tuple[SecurityScheme, ...]:
        """The security schemes of the document."""
        found: list[SecurityScheme] = []
        named = as_object(as_object(self._reading.root.get("components")).get("securitySchemes"))
        for name, raw in named.items():
            place = self._reading.references.place(self._reading.base, "/components/securitySchemes").at(name)
            try:
                at = self._reading.references.follow(raw, self._reading.base, place.pointer)
            except InvalidRequestError as exc:
                self._reading.note(place, exc.message, remedy=exc.remedy or "")
                continue
            value = as_object(at.value)
            found.append(
                SecurityScheme(
                    name=name,
                    kind=as_text(value.get("type")) or "",
                    location=as_text(value.get("in")) or "",
                    parameter=as_text(value.get("name")) or "",
                    scheme=(as_text(value.get("scheme")) or "").lower(),
                )
            )
        return tuple(found)

    def _parameter(self, at: Target) -> Parameter:
        known = self._parameters.get(id(at.value))
        if known is None:
            known = self._read_parameter(at)
            self._parameters[id(at.value)] = known
        return known

    def _read_parameter(self, at: Target) -> Parameter:
        value = as_object(at.value)
        place = self._reading.references.place(at.base, at.pointer)
        location = _LOCATIONS.get(str(value.get("in")))
        if location is None:
            raise place.fault(
                f"A parameter cannot be in {str(value.get('in'))[:40]!r}.",
                remedy="Use path, query, header or cookie; a body is a `requestBody`.",
            )
        allowed = _STYLES[location]
        style = _style(value.get("style"), allowed)
        explode = value.get("explode")
        media_type, schema = self._parameter_schema(value, at)
        return Parameter(
            name=str(value["name"]),
            location=location,
            required=value.get("required") is True or location == "path",
            style=style,
            explode=explode if isinstance(explode, bool) else style in {"form", "cookie", "deepObject"},
            allow_reserved=value.get("allowReserved") is True,
            schema=schema,
            media_type=media_type,
            description=as_text(value.get("description")) or "",
            deprecated=value.get("deprecated") is True,
        )

    def _parameter_schema(self, value: JsonObject, at: Target) -> tuple[str | None, SchemaAt]:
        for media_type, entry in as_object(value.get("content")).items():
            return media_type, SchemaAt(as_object(entry).get("schema", {}), at.base)
        schema = value.get("schema")
        if isinstance(schema, dict | bool):
            return None, SchemaAt(schema, at.base)
        self._reading.note(
            self._reading.references.place(at.base, at.pointer),
            "The parameter has no schema; it is taken as a text.",
            remedy="Give it a schema.",
        )
        return None, SchemaAt({"type": value.get("type", "string")}, at.base)

    def _body(self, operation: Target) -> Body | None:
        raw = as_object(operation.value).get("requestBody")
        if raw is None:
            return None
        at = self._reading.references.follow(raw, operation.base, f"{operation.pointer}/requestBody")
        place = self._reading.references.place(at.base, at.pointer)
        if not isinstance(at.value, dict):
            raise place.fault("The request body is no object.", remedy="Make it a request body object.")
        content = as_object(at.value.get("content"))
        if not content:
            self._reading.note(place, "The request body has no media type, so none is sent.")
            return None
        return Body(
            required=at.value.get("required") is True,
            description=as_text(at.value.get("description")) or "",
            content=tuple(self._media(name, entry, at) for name, entry in content.items()),
        )

    def _media(self, name: str, entry: Json, at: Target) -> MediaType:
        found = self._reading.references.follow(entry, at.base, f"{at.pointer}/content")
        value = as_object(found.value)
        schema = value.get("schema", value.get("itemSchema"))
        return MediaType(
            name=name,
            schema=SchemaAt(schema, found.base) if isinstance(schema, dict | bool) else None,
            encoding=tuple(
                (key, _encoding(as_object(e))) for key, e in as_object(value.get("encoding")).items()
            ),
        )


def _style(value: Json, allowed: tuple[Style, ...]) -> Style:
    """The style that is asked for where it is allowed, else the first."""
    for style in allowed:
        if style == value:
            return style
    return allowed[0]


def _encoding(value: JsonObject) -> Encoding:
    styled = any(key in value for key in ("style", "explode", "allowReserved"))
    style = _style(value.get("style"), _STYLES["query"])
    explode = value.get("explode")
    return Encoding(
        content_type=as_text(value.get("contentType")),
        style=style if styled else None,
        explode=explode if isinstance(explode, bool) else style in {"form", "deepObject"},
        allow_reserved=value.get("allowReserved") is True,
    )


def _default(variable: Json) -> str | None:
    value = as_object(variable)
    default = value.get("default")
    if default is None:
        default = next(iter(as_array(value.get("enum"))), None)
    return str(default) if isinstance(default, str | int | float) else None
