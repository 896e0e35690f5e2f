"""A loaded document is read into the intermediate form, one operation at a time.

What is wrong inside an operation costs that operation, with a reason; the document goes on.
"""

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, as_array, as_object, as_text
from interlock_core.toolspec import Effect
from interlock_tools.openapi._ir import (
    Document,
    Operation,
    Parameter,
    SchemaAt,
    Skipped,
)
from interlock_tools.openapi._load import LoadedDocument
from interlock_tools.openapi._problem import Place, Problem
from interlock_tools.openapi._reading import Dialect, Reading
from interlock_tools.openapi._references import References, Target
from interlock_tools.openapi._text import check_kind

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
_TEMPLATE = re.compile(r"\{([^{}]*)\}")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,40}")
# Real documents have a few hundred at most; a call with more fits no prompt and no address.
_MOST_PARAMETERS = 10_000
_EFFECTS = {effect.value: effect for effect in Effect}


def read_document(loaded: LoadedDocument) -> Document:
    """Read a loaded document.

    Raises:
        InvalidRequestError: It is no OpenAPI document at all.
    """
    from interlock_tools.openapi._read_v2 import DialectV2
    from interlock_tools.openapi._read_v3 import DialectV3

    root = check_kind(loaded.root, source=loaded.source)
    reading = Reading(references=References(loaded), root=root, base=loaded.uri)
    dialect: Dialect = DialectV2(reading) if "openapi" not in root else DialectV3(reading)
    schemes = dialect.schemes()
    reading.scheme_names = frozenset(scheme.name for scheme in schemes)
    operations: list[Operation] = []
    skipped: list[Skipped] = []
    for found in _operations(reading, skipped):
        try:
            operations.append(_operation(found, dialect, reading))
        except InvalidRequestError as exc:
            skipped.append(_skip(found.method, found.path, exc, loaded.source))
    return Document(
        source=loaded.source,
        uri=loaded.uri,
        title=as_text(as_object(root.get("info")).get("title")) or "",
        version=str(root.get("openapi", root.get("swagger")))[:3],
        servers=dialect.servers(root, loaded.uri),
        schemes=schemes,
        operations=tuple(operations),
        skipped=tuple(skipped),
        problems=(*loaded.problems, *reading.problems),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """An operation as it stands in the document, with the path item around it."""

    method: str
    path: str
    at: Target
    item: Target


def _skip(method: str, path: str, error: InvalidRequestError, source: str) -> Skipped:
    return Skipped(operation=f"{method} {path}", reason=str(Problem.of(error, source=source)))


def _operations(reading: Reading, skipped: list[Skipped]) -> Iterator[_Found]:
    paths = reading.root.get("paths")
    place = reading.references.place(reading.base, "/paths")
    if paths is not None and not isinstance(paths, dict):
        raise place.fault("`paths` is no object.", remedy="Make it an object of paths.")
    for path, value in as_object(paths).items():
        if path.startswith("x-"):
            continue
        at = Target(value, reading.base, place.at(path).pointer)
        if not isinstance(value, dict):
            if value is not None:
                fault = place.at(path).fault("The path is no object.", remedy="Make it a path item.")
                skipped.append(_skip("*", path, fault, place.source))
            continue
        yield from _own_operations(path, at, reading)
        if "$ref" in value:
            try:
                far = reading.references.follow(value, at.base, at.pointer)
            except InvalidRequestError as exc:
                skipped.append(_skip("*", path, exc, place.source))
                continue
            yield from _own_operations(path, far, reading)


def _own_operations(path: str, item: Target, reading: Reading) -> Iterator[_Found]:
    value = as_object(item.value)
    for method in _METHODS:
        if value.get(method) is not None:
            at = Target(value[method], item.base, f"{item.pointer}/{method}")
            yield _Found(method.upper(), path, at, item)
    place = reading.references.place(item.base, item.pointer).at("additionalOperations")
    for method, operation in as_object(value.get("additionalOperations")).items():
        if not _TOKEN.fullmatch(method) or value.get(method.lower()) is not None:
            reading.note(
                place.at(method[:80]),
                "This is no further method of the path, so its operation is left out.",
                remedy="Use the name of a method that has no field of its own.",
            )
            continue
        yield _Found(method, path, Target(operation, item.base, place.at(method).pointer), item)


def _operation(found: _Found, dialect: Dialect, reading: Reading) -> Operation:
    value = found.at.value
    place = reading.references.place(found.at.base, found.at.pointer)
    if not isinstance(value, dict):
        raise place.fault("The operation is no object.", remedy="Make it an operation object.")
    item = as_object(found.item.value)
    parameters, body, produces = dialect.split(_merged_parameters(found, reading), found.at)
    return Operation(
        method=found.method,
        path=found.path,
        pointer=found.at.pointer,
        operation_id=as_text(value.get("operationId")) or None,
        summary=as_text(value.get("summary")) or as_text(item.get("summary")) or "",
        description=as_text(value.get("description")) or as_text(item.get("description")) or "",
        tags=_with_parents(as_array(value.get("tags")), reading),
        deprecated=value.get("deprecated") is True,
        hint=_EFFECTS.get(str(value.get("x-interlock-effect"))),
        parameters=_fitted_to_path(parameters, found, reading),
        body=body,
        servers=dialect.servers(value, found.at.base) or dialect.servers(item, found.at.base),
        security=_security(value.get("security", reading.root.get("security")), place, reading),
        scopes=_scopes(value.get("security", reading.root.get("security"))),
        responses=as_object(value.get("responses")),
        base=found.at.base,
        produces=produces,
    )


def _with_parents(tags: list[Json], reading: Reading) -> tuple[str, ...]:
    """The tags, and behind them those that they belong to (3.2), so that a tool is found by these too."""
    known = [tag for tag in tags if isinstance(tag, str)]
    parents = reading.tag_parents
    if not parents:
        return tuple(known)
    found = dict.fromkeys(known)
    for tag in known:
        above = parents.get(tag)
        while above is not None and above not in found:
            found[above] = None
            above = parents.get(above)
    return tuple(found)


def _merged_parameters(found: _Found, reading: Reading) -> list[Target]:
    """Parameters of the path and the operation, those of the operation first in rank."""
    merged: dict[tuple[str, str], Target] = {}
    for at in (found.item, found.at):
        listed = as_object(at.value).get("parameters")
        place = reading.references.place(at.base, f"{at.pointer}/parameters")
        if listed is not None and not isinstance(listed, list):
            raise place.fault("`parameters` is no list.", remedy="Make it a list of parameters.")
        if isinstance(listed, list) and len(listed) > _MOST_PARAMETERS:
            raise place.fault(
                f"There are {len(listed):,} parameters; more than {_MOST_PARAMETERS:,} are not read.",
                remedy="Send so much in a body.",
            )
        for index, raw in enumerate(as_array(listed)):
            target = reading.references.follow(raw, at.base, f"{place.pointer}/{index}")
            value = as_object(target.value)
            name, where = value.get("name"), value.get("in")
            if not isinstance(name, str) or not isinstance(where, str):
                raise place.at(index).fault(
                    "The parameter has no `name` or no `in`.", remedy="Give it both, as texts."
                )
            merged[name, where] = target
    return list(merged.values())


def _fitted_to_path(
    parameters: tuple[Parameter, ...], found: _Found, reading: Reading
) -> tuple[Parameter, ...]:
    """The parameters, with one for each name in the path template and none that it does not have."""
    place = reading.references.place(found.at.base, found.at.pointer)
    if "{" in _TEMPLATE.sub("", found.path):
        raise place.fault("A brace of the path is not closed.", remedy="Write {name}.")
    if {"query", "querystring"} <= {parameter.location for parameter in parameters}:
        raise place.fault(
            "The operation has parameters both in query and in querystring.", remedy="Use one of them."
        )
    declared = {parameter.name for parameter in parameters if parameter.location == "path"}
    wanted = {template_name(raw, declared) for raw in _TEMPLATE.findall(found.path)}
    kept = tuple(p for p in parameters if p.location != "path" or p.name in wanted)
    for name in sorted(declared - wanted):
        reading.note(
            place,
            f"The path has no {{{name}}}, so the path parameter {name!r} cannot be sent.",
            remedy="Add it to the path, or remove the parameter.",
        )
    implied = tuple(
        Parameter(
            name=name,
            location="path",
            required=True,
            style="simple",
            explode=False,
            schema=SchemaAt({"type": "string"}, found.at.base),
        )
        for name in sorted(wanted)
        if name not in declared
    )
    for parameter in implied:
        reading.note(
            place,
            f"The path names {{{parameter.name}}}, which no parameter describes; it is taken as a text.",
            remedy="Describe it as a path parameter.",
        )
    return implied + kept


def template_name(raw: str, declared: Container[str]) -> str:
    """The parameter's name in a template expression: `{+name}`, `{name*}` and `{name:pattern}` are known."""
    if raw in declared:
        return raw
    return raw.partition(":")[0].strip().removeprefix("+").removesuffix("*")


def _security(value: Json, place: Place, reading: Reading) -> tuple[tuple[str, ...], ...] | None:
    """The alternatives; None where the document says nothing of security."""
    if not isinstance(value, list):
        return None
    found = tuple(tuple(option) for option in value if isinstance(option, dict))
    for name in sorted({name for option in found for name in option} - reading.scheme_names):
        reading.note(
            place,
            f"The security scheme {name[:80]!r} is not described; a credential for it is sent as bearer.",
            remedy="Describe it among the security schemes.",
        )
    return found


def _scopes(value: Json) -> tuple[tuple[str, ...], ...]:
    """The scopes of each alternative, whatever its schemes."""
    options = [option for option in as_array(value) if isinstance(option, dict)]
    return tuple(
        tuple(scope for scopes in option.values() for scope in as_array(scopes) if isinstance(scope, str))
        for option in options
    )
