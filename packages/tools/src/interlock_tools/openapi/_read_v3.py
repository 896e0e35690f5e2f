"""OpenAPI 3.0, 3.1 and 3.2."""

from dataclasses import replace

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
        # Before 3.2 reserved characters are let through in queries alone.
        self._everywhere = not str(reading.root.get("openapi")).startswith(("3.0", "3.1"))
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
                defaults = tuple((name, _default(said)) for name, said in variables.items())
                choices = tuple((name, _choices(said)) for name, said in variables.items())
                found.append(Server(url=url, variables=defaults, choices=choices))
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
        if isinstance(value.get("style"), str) and style != value["style"]:
            raise place.at("style").fault(
                f"A parameter in {location} has no style {str(value['style'])[:40]!r}.",
                remedy=f"Use one of {', '.join(allowed)}.",
            )
        explode = value.get("explode")
        media_type, schema = self._parameter_schema(value, at)
        entry = as_object(as_object(value.get("content")).get(media_type or ""))
        reserved = value.get("allowReserved") is True and (location == "query" or self._everywhere)
        return Parameter(
            name=str(value["name"]),
            location=location,
            required=value.get("required") is True or location == "path",
            style=style,
            explode=explode if isinstance(explode, bool) else style in {"form", "cookie", "deepObject"},
            allow_reserved=reserved,
            schema=schema,
            media_type=media_type,
            encoding=self._encodings(media_type or "", entry, at.base),
            description=as_text(value.get("description")) or "",
            deprecated=value.get("deprecated") is True,
        )

    def _parameter_schema(self, value: JsonObject, at: Target) -> tuple[str | None, SchemaAt]:
        for media_type, entry in as_object(value.get("content")).items():
            found = self._reading.references.follow(entry, at.base, f"{at.pointer}/content")
            return media_type, SchemaAt(as_object(found.value).get("schema", {}), found.base)
        schema = value.get("schema")
        if isinstance(schema, dict | bool):
            return None, SchemaAt(schema, at.base)
        if schema is not None:
            place = self._reading.references.place(at.base, at.pointer).at("schema")
            raise place.fault("The schema is neither an object nor a boolean.", remedy="Write a schema.")
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
        content = at.value.get("content")
        if not isinstance(content, dict):
            raise place.fault(
                "The request body has no `content`.", remedy="Give it an object of media types."
            )
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
            encoding=self._encodings(name, value, found.base),
        )

    def _encodings(self, name: str, media: JsonObject, base: str) -> tuple[tuple[str, Encoding], ...]:
        """What a document says of the parts of a form, and what the schemas of its properties say."""
        parts = name.lower().startswith("multipart/")
        # In 3.0 a style is for forms of the address kind alone.
        styled = not parts or not str(self._reading.root.get("openapi")).startswith("3.0")
        said: JsonObject = dict(as_object(media.get("encoding")))
        for number, item in enumerate(as_array(media.get("prefixEncoding"))):
            said[str(number)] = item
        if isinstance(media.get("itemEncoding"), dict):
            said["*"] = media["itemEncoding"]
        found = {key: _encoding(as_object(e), self._fixed(e, base), styled=styled) for key, e in said.items()}
        properties = as_object(as_object(media.get("schema")).get("properties")) if parts else {}
        for key, raw in properties.items():
            kind = _coded(as_object(raw))
            if kind and found.get(key, Encoding()).content_type is None:
                found[key] = replace(found.get(key, Encoding()), content_type=kind)
        return tuple(found.items())

    def _fixed(self, encoding: Json, base: str) -> tuple[tuple[str, str], ...]:
        """The headers of a part that can have one value only."""
        found: list[tuple[str, str]] = []
        for name, raw in as_object(as_object(encoding).get("headers")).items():
            header = as_object(self._reading.references.follow(raw, base, "/headers").value)
            schema = as_object(header.get("schema"))
            listed = as_array(schema.get("enum"))
            value = schema.get("const", listed[0] if len(listed) == 1 else schema.get("default"))
            if isinstance(value, str) and name.lower() != "content-type":
                found.append((name, value))
        return tuple(found)


def _style(value: Json, allowed: tuple[Style, ...]) -> Style:
    """The style that is asked for where it is allowed, else the first."""
    for style in allowed:
        if style == value:
            return style
    return allowed[0]


def _coded(schema: JsonObject) -> str | None:
    """The media type of a text that stands for bytes, where a schema describes one."""
    if "contentEncoding" in schema:
        return as_text(schema.get("contentMediaType")) or "application/octet-stream"
    return "application/octet-stream" if schema.get("format") == "byte" else None


def _encoding(value: JsonObject, headers: tuple[tuple[str, str], ...], *, styled: bool) -> Encoding:
    styled = styled and any(key in value for key in ("style", "explode", "allowReserved"))
    style = _style(value.get("style"), _STYLES["query"])
    explode = value.get("explode")
    return Encoding(
        content_type=as_text(value.get("contentType")),
        headers=headers,
        style=style if styled else None,
        explode=explode if isinstance(explode, bool) else style in {"form", "deepObject"},
        allow_reserved=value.get("allowReserved") is True,
    )


def _choices(variable: Json) -> tuple[str, ...]:
    listed = as_array(as_object(variable).get("enum"))
    return tuple(str(one) for one in listed if isinstance(one, str | int | float))


def _default(variable: Json) -> str | None:
    value = as_object(variable)
    default = value.get("default")
    if default is None:
        default = next(iter(as_array(value.get("enum"))), None)
    return str(default) if isinstance(default, str | int | float) else None
