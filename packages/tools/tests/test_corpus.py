"""Real documents: the whole schemas behind what a model is shown, and the plans of requests.

What vendors are sent is counted in `tests/conformance/test_documents.py`.

What a document declares is counted here by reading its JSON directly, apart from the loader and reader
under test. The documents are found by INTERLOCK_CORPUS, else beside the repository; `FULL=1` takes all
of them, else a sample of the smaller ones is taken.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import jsonschema_rs
import pytest

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object, dump_json
from interlock_tools.openapi import Conversion, OpenApiTool, load_file, openapi_to_tool_specs

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
LEGAL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
NEGOTIATED = {"accept", "content-type", "authorization", "content-length", "transfer-encoding", "host"}
SAMPLE_EVERY = 4
SAMPLE_BYTES = 400_000


def corpus() -> Path | None:
    """The folder of documents, or None when this machine has none."""
    named = os.environ.get("INTERLOCK_CORPUS")
    beside = Path(__file__).resolve().parents[4] / "shared" / "corpus"
    folder = Path(named) if named else beside
    documents = folder / "openapi" / "dev"
    return documents if documents.is_dir() else None


def documents() -> list[Path]:
    """The documents of this run."""
    folder = corpus()
    if folder is None:
        return []
    found = sorted(folder.iterdir())
    if os.environ.get("FULL") == "1":
        return found
    return [path for path in found[::SAMPLE_EVERY] if path.stat().st_size <= SAMPLE_BYTES]


class Census:
    """What a document declares, read without any of the code under test."""

    def __init__(self, root: JsonObject) -> None:
        self.root = root

    def behind(self, value: Json) -> JsonObject:
        """An object behind its local references; empty when one leads nowhere."""
        for _ in range(20):
            found = as_object(value)
            reference = found.get("$ref")
            if not isinstance(reference, str):
                return found
            value = self.root if reference.startswith("#/") else None
            for token in reference[2:].split("/"):
                value = as_object(value).get(token.replace("~1", "/").replace("~0", "~"))
        return {}

    def operations(self) -> Iterator[tuple[str, str, JsonObject, JsonObject]]:
        """Method, path, path item and operation of each."""
        for path, item in as_object(self.root.get("paths")).items():
            for method in METHODS:
                operation = self.behind(item).get(method)
                if isinstance(operation, dict):
                    yield method.upper(), path, self.behind(item), operation

    def parameters(self, item: JsonObject, operation: JsonObject) -> dict[tuple[str, str], JsonObject]:
        """Declared parameters by place and name."""
        found: dict[tuple[str, str], JsonObject] = {}
        for raw in [*as_array(item.get("parameters")), *as_array(operation.get("parameters"))]:
            parameter = self.behind(raw)
            if isinstance(parameter.get("name"), str):
                found[str(parameter.get("in")), str(parameter["name"])] = parameter
        return found

    def has_body(self, item: JsonObject, operation: JsonObject) -> bool:
        """Whether a body can be sent."""
        if as_object(self.behind(operation.get("requestBody")).get("content")):
            return True
        return any(where in {"body", "formData"} for where, _ in self.parameters(item, operation))


@pytest.fixture(
    scope="module", params=documents() or [None], ids=lambda path: path.name if path else "absent"
)
def case(request: pytest.FixtureRequest) -> tuple[Path, Census, Conversion]:
    """One document, what it declares, and what became of it."""
    path = cast("Path | None", request.param)
    if path is None:
        pytest.fail(
            "The corpus of OpenAPI documents is absent: set INTERLOCK_CORPUS, or put it at ../shared/corpus."
        )
    if path.suffix == ".json":
        root = json.loads(path.read_bytes())
    else:
        import yaml

        root = yaml.load(path.read_bytes(), Loader=yaml.CBaseLoader)
    return path, Census(as_object(root)), openapi_to_tool_specs(load_file(path))


def by_endpoint(conversion: Conversion) -> dict[str, OpenApiTool]:
    """The tools by method and path."""
    return {entry.plan.operation.endpoint: entry for entry in conversion.entries}


def test_names_of_arguments_are_legal(case: tuple[Path, Census, Conversion]) -> None:
    """Every vendor accepts them."""
    _, _, conversion = case
    assert all(
        LEGAL_NAME.fullmatch(argument)
        for entry in conversion.entries
        for argument in as_object(entry.parameters["properties"])
    )


def test_schemas_compile_and_point_only_into_themselves(case: tuple[Path, Census, Conversion]) -> None:
    """What a model is shown and what arguments are checked with are both valid 2020-12 schemas."""
    _, _, conversion = case
    for entry in conversion.entries:
        for schema in (entry.spec.parameters, entry.parameters) if entry.folded else (entry.parameters,):
            jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
            compiled = jsonschema_rs.Draft202012Validator(dump_json(schema), validate_formats=True)
            compiled.is_valid({})
            names = {f"#/$defs/{name}" for name in as_object(schema.get("$defs"))}
            assert set(references(schema)) <= names, entry.spec.name
            assert not openapi_keywords(schema), entry.spec.name


def test_each_parameter_and_body_has_its_place_in_the_plan(case: tuple[Path, Census, Conversion]) -> None:
    """Each declared parameter has an argument, and each body is made of some."""
    _, census, conversion = case
    tools = by_endpoint(conversion)
    for method, path, item, operation in census.operations():
        entry = tools.get(f"{method} {path}")
        if entry is None:
            continue
        slots = {(slot.parameter.location, slot.parameter.name): slot.argument for slot in entry.plan.slots}
        for (where, name), parameter in census.parameters(item, operation).items():
            if where in {"body", "formData"}:
                continue
            argument = slots[where, name]
            assert argument in as_object(entry.parameters["properties"])
            negotiated = where == "header" and name.lower() in NEGOTIATED
            if parameter.get("required") in {True, "true"} and not negotiated:
                assert argument in as_array(entry.spec.parameters["required"])
        assert (entry.plan.body is not None) == census.has_body(item, operation)


def references(value: Json) -> Iterator[str]:
    """Every reference in a schema."""
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str):
            yield reference
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def openapi_keywords(schema: Json) -> set[str]:
    """OpenAPI's own keywords that stand where JSON Schema keywords stand."""
    found: set[str] = set()
    if isinstance(schema, dict):
        found |= schema.keys() & {"nullable", "discriminator", "xml", "example", "externalDocs", "readOnly"}
        for key, value in schema.items():
            if key in {"properties", "$defs", "patternProperties", "dependentSchemas"}:
                for item in as_object(value).values():
                    found |= openapi_keywords(item)
            elif key not in {"enum", "const", "default", "examples"}:
                for item in value if isinstance(value, list) else [value]:
                    found |= openapi_keywords(item)
    return found
