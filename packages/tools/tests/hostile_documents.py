"""Hostile documents made from the generators of `cases/documents.json`, as bytes or as files of a folder."""

import io
import json
import os
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_object

INFO: JsonObject = {"title": "t", "version": "1"}
SERVERS: Json = [{"url": "https://api.example.test/v1"}]
OK: JsonObject = {"200": {"description": "ok"}}
GOOD: JsonObject = {"get": {"operationId": "good", "responses": OK}}


def document(bad: JsonObject | None = None, **more: Json) -> JsonObject:
    """The minimal document, with an operation `bad` beside the good one where it is given."""
    paths: JsonObject = {"/good": GOOD}
    if bad is not None:
        paths["/bad"] = {"get": {"operationId": "bad", "responses": OK, **bad}}
    return {"openapi": "3.1.1", "info": INFO, "servers": SERVERS, "paths": paths, **more}


def with_schema(schema: Json, schemas: JsonObject | None = None) -> JsonObject:
    """A document whose bad operation takes one query parameter of this schema."""
    parameter: JsonObject = {"name": "a", "in": "query", "schema": schema}
    more: JsonObject = {"components": {"schemas": schemas}} if schemas is not None else {}
    return document({"parameters": [parameter]}, **more)


def with_body(schema: Json, schemas: JsonObject | None = None) -> JsonObject:
    """A document whose bad operation takes a JSON body of this schema."""
    root = with_schema(schema, schemas)
    body: Json = {"content": {"application/json": {"schema": schema}}}
    as_object(root["paths"])["/bad"] = {"post": {"operationId": "bad", "responses": OK, "requestBody": body}}
    return root


def text(root: Json) -> bytes:
    """A document as JSON."""
    return json.dumps(root).encode()


def extended(value: str) -> bytes:
    """The minimal document as JSON, with an extension that is written as it is."""
    return text(document())[:-1] + b', "x-a": ' + value.encode() + b"}"


def extended_yaml(value: str) -> bytes:
    """The minimal document as YAML, with an extension that is written as it is."""
    return b"x-doc: 1\n" + YAML + f"x-a: {value}\n".encode()


YAML = b"""openapi: 3.1.1
info: {title: t, version: '1'}
servers: [{url: 'https://api.example.test/v1'}]
paths:
  /good:
    get:
      operationId: good
      responses: {'200': {description: ok}}
"""


def ref(name: str) -> JsonObject:
    """A reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def nested_arrays(size: int, variant: str, form: str) -> bytes:
    """Depth in an extension."""
    if variant == "objects":
        return extended('{"a":' * size + "1" + "}" * size)
    if variant == "dashes":
        return YAML + b"x-a:\n  " + b"- " * size + b"1\n"
    value = "[" * size + "]" * size
    return extended_yaml(value) if form == "yaml" else extended(value)


def alias_bomb(size: int, variant: str, form: str) -> bytes:
    """YAML that stands for far more than it is."""
    del form
    if variant == "flat":
        return YAML + f"x-a: &a {list(range(size))}\nx-b: [{', '.join(['*a'] * size)}]\n".encode()
    if variant == "string":
        return YAML + b"x-a: &a " + b"s" * size + b"\nx-b: [" + b", ".join([b"*a"] * 1000) + b"]\n"
    lines = ["x-0: &a0 [l, l]"]
    lines += [f"x-{level}: &a{level} [*a{level - 1}, *a{level - 1}]" for level in range(1, size + 1)]
    return YAML + "\n".join(lines).encode() + b"\n"


def merge_keys(size: int, variant: str, form: str) -> bytes:
    """YAML maps that merge others."""
    del form
    if variant == "wide":
        keys = ", ".join(f"k{number}: 1" for number in range(size))
        users = "\n".join(f"x-u{number}: {{<<: *a}}" for number in range(1000))
        return YAML + f"x-a: &a {{{keys}}}\n{users}\n".encode()
    lines = ["x-0: &m0 {k0: 1}", "x-1: &m1 {<<: *m0, k1: 1}"]
    lines += [f"x-{n}: &m{n} {{<<: [*m{n - 1}, *m{n - 2}], k{n}: 1}}" for n in range(2, size)]
    return YAML + "\n".join(lines).encode() + b"\n"


def wide_object(size: int, variant: str, form: str) -> bytes:
    """Many keys in one object."""
    del form
    if variant == "paths":
        root = document()
        paths = as_object(root["paths"])
        for number in range(size):
            paths[f"/p{number}"] = {"get": {"operationId": f"p{number}", "responses": OK}}
        return text(root)
    step = 2**61 - 1 if variant == "collisions" else 1
    return extended(json.dumps({str(number * step): 1 for number in range(size)}))


def long_string(size: int, variant: str, form: str) -> bytes:
    """A long text, or a number of many digits."""
    if variant == "integer":
        return extended_yaml("7" * size) if form == "yaml" else extended("7" * size)
    return text(document({"description": "d" * size}))


def huge(size: int, variant: str, form: str) -> bytes:
    """A document of so many bytes, or an archive that stands for them."""
    del form
    if variant == "spaces":
        return b" " * size + text(document())
    if variant == "comments":
        return b"# nothing at all\n" * (size // 17 + 1) + YAML
    if variant == "operations":
        return _operations(size)
    if variant == "members":
        return _directory(size)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _members(size, variant):
            archive.writestr(name, content)
    return packed.getvalue()


def _operations(size: int) -> bytes:
    piece = b'"/p%d": {"get": {"responses": {"200": {"description": "ok"}}}}, '
    pieces = [piece % number for number in range(size // len(piece) + 1)]
    head, _, tail = text(document()).partition(b'"/good"')
    return b"".join((head, *pieces, b'"/good"', tail))


def _directory(size: int) -> bytes:
    """A zip whose list of members is long; the members themselves all lie at its beginning."""
    entry = struct.Struct("<4s6H3L5H2L")
    names = [b"m%d.json" % number for number in range(size)]
    listed = b"".join(
        entry.pack(b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, len(name), *(0, 0, 0, 0), 0, 0) + name
        for name in names
    )
    count = size & 0xFFFF
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(listed), 4, 0)
    return b"PK\3\4" + listed + end


def _members(size: int, variant: str) -> Iterator[tuple[str | zipfile.ZipInfo, bytes]]:
    if variant == "zip":
        yield "openapi.json", b" " * size
        return
    if variant == "slip":
        yield "../../evil.json", text(document())
        yield "/evil.json", text(document())
        yield "openapi.json", text(document())
        return
    link = zipfile.ZipInfo("link.json")
    link.external_attr = 0o120777 << 16
    yield link, b"/etc/passwd"
    yield "openapi.json", text(with_schema({"$ref": "link.json"}))


def ref_chain(size: int, variant: str, form: str) -> bytes:
    """References one behind the other."""
    del variant, form
    schemas: JsonObject = {f"S{number}": ref(f"S{number + 1}") for number in range(size)}
    schemas[f"S{size}"] = {"type": "string"}
    return text(with_schema(ref("S0"), schemas))


def ref_cycle(size: int, variant: str, form: str) -> bytes:
    """References in a circle."""
    del form
    schemas: JsonObject = {}
    for number in range(size):
        onward = ref(f"S{(number + 1) % size}")
        schemas[f"S{number}"] = (
            {"type": "object", "properties": {"p": onward}} if variant == "properties" else onward
        )
    return text((with_body if variant == "properties" else with_schema)(ref("S0"), schemas))


def allof_bomb(size: int, variant: str, form: str) -> bytes:
    """Schemas that double at each level."""
    del form
    if variant == "wide":
        parts: list[Json] = [ref("S") for _ in range(size)]
        schemas: JsonObject = {"S": {"type": "object", "properties": {"p": {"type": "string"}}}}
        return text(with_body({"allOf": parts}, schemas))
    schemas = {f"S{size}": {"type": "string"}}
    for number in range(size):
        both: list[Json] = [ref(f"S{number + 1}"), ref(f"S{number + 1}")]
        schemas[f"S{number}"] = (
            {"type": "object", "properties": {"l": both[0], "r": both[1]}}
            if variant == "properties"
            else {variant or "allOf": both}
        )
    return text(with_body(ref("S0"), schemas))


def deep_schema(size: int, variant: str, form: str) -> bytes:
    """Schemas one in the other, without references."""
    del form
    opened = '{"type":"array","items":' if variant == "items" else '{"type":"object","properties":{"p":'
    closed = "}" if variant == "items" else "}}"
    schema = opened * size + '{"type":"string"}' + closed * size
    return text(with_body("HERE")).replace(b'"HERE"', schema.encode())


def many_parameters(size: int, variant: str, form: str) -> bytes:
    """Many parameters, or many choices of one."""
    del form
    if variant == "enum":
        return text(with_schema({"type": "string", "enum": [f"v{number}" for number in range(size)]}))
    parameters: list[Json] = [
        {"name": f"q{number}", "in": "query", "schema": {"type": "string"}} for number in range(size)
    ]
    if variant != "shared":
        return text(document({"parameters": parameters}))
    root = document({})
    root["components"] = {"parameters": {f"P{number}": each for number, each in enumerate(parameters)}}
    references: Json = [{"$ref": f"#/components/parameters/P{number}"} for number in range(size)]
    methods = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
    item: JsonObject = {"parameters": references}
    item.update({method: {"operationId": f"bad_{method}", "responses": OK} for method in methods})
    paths = as_object(root["paths"])
    paths.update({f"/empty{number}": {"parameters": references} for number in range(size)})
    paths["/bad"] = item
    return text(root)


def duplicate_keys(size: int, variant: str, form: str) -> bytes:
    """One path many times."""
    del variant
    if form == "yaml":
        head, _, path = YAML.partition(b"  /good:")
        return head + (b"  /good:" + path) * size
    path = b'"/good": ' + text(GOOD)
    return text(document()).replace(path, b", ".join([path] * size))


def utf16(size: int, variant: str, form: str) -> bytes:
    """Other encodings, right and wrong."""
    del size
    plain = text(document()).decode()
    match variant:
        case "latin-1":
            return plain.replace('"t"', '"é"').encode("latin-1")
        case "overlong":
            return plain.encode().replace(b'"t"', b'"\xc0\xaf"')
        case "utf-7":
            base = YAML if form == "yaml" else plain.encode()
            return base.replace(b"title: t", b"title: +ADw-script+AD4-")
        case _:
            coding = variant.removesuffix("-bom")
            marked = "\ufeff" + plain if variant.endswith("-bom") else plain
            return marked.encode(coding)


def bom(size: int, variant: str, form: str) -> bytes:
    """Byte order marks."""
    del variant
    return b"\xef\xbb\xbf" * size + (YAML if form == "yaml" else text(document()))


def nul(size: int, variant: str, form: str) -> bytes:
    """Bytes that are no text."""
    if variant == "random":
        return random.Random(1).randbytes(size)
    if form == "yaml":
        return YAML.replace(b"title: t", b"title: t\0")
    return (b"" if size > 1 else text(document())) + b"\0" * size


def regex_bomb(size: int, variant: str, form: str) -> bytes:
    """Patterns that cost much."""
    del form
    if variant == "keys":
        patterns: JsonObject = {f"^(a+)+x{number}$": {"type": "string"} for number in range(size)}
        return text(with_body({"type": "object", "patternProperties": patterns}))
    half = size // 5
    pattern = "a?" * half + "a" * (size - 2 * half) if variant == "pattern" else "^(a+)+$"
    return text(with_schema({"type": "string", "pattern": pattern}))


MAKERS: dict[str, Callable[[int, str, str], bytes]] = {
    maker.__name__: maker
    for maker in (
        *(nested_arrays, alias_bomb, merge_keys, wide_object, long_string, huge, ref_chain, ref_cycle),
        *(allof_bomb, deep_schema, many_parameters, duplicate_keys, utf16, bom, nul, regex_bomb),
    )
}
"""What makes the bytes of a document, by the generator's name."""


def files(folder: Path, generator: str, variant: str) -> Path:
    """A folder whose `openapi.json` refers to what may, or may not, be read."""
    inside = folder / "inside"
    inside.mkdir()
    (folder / "secret.json").write_text('{"type": "string"}')
    reference = "schemas.json"
    if generator == "private_ref":
        host = "rebind.example.test" if variant == "rebinding" else variant
        reference = f"http://{host}/x.json"
    elif variant == "outside":
        reference = "../secret.json"
    elif variant == "link":
        reference = "link.json"
        (inside / "link.json").symlink_to(folder / "secret.json")
    elif variant == "fifo":
        os.mkfifo(inside / "schemas.json")
    elif variant == "directory":
        (inside / "schemas.json").mkdir()
    elif variant == "nul":
        reference = "schemas.json%00.txt"
    else:
        (inside / "schemas.json").write_text('{"type": "string"}')
    path = inside / "openapi.json"
    path.write_bytes(text(with_schema({"$ref": reference})))
    return path
