"""The form that an answer must have, both ways."""

from interlock_core import JsonObject, ResponseFormat
from interlock_core.jsontypes import as_object, dump_json
from interlock_providers.codecs._fields import Fields
from interlock_providers.codecs.anthropic_messages._notes import Adapted
from interlock_providers.codecs.anthropic_messages._reasoning import EFFORTS
from interlock_providers.codecs.anthropic_messages._schema import UnfitError, fit


def write_form(
    wanted: ResponseFormat | None, adapted: Adapted, *, own: bool
) -> tuple[JsonObject, str | None]:
    """The member `format`, or the words that ask for the form where the vendor cannot enforce it.

    Args:
        wanted: The form.
        adapted: Collects what is done in another way.
        own: The client wrote in this dialect, so its schema goes as it is.
    """
    if wanted is None:
        return {}, None
    schema = wanted.schema if wanted.kind == "json_schema" else None
    if schema is None:
        adapted.say(f"a JSON object is asked for in words: {adapted.provider} enforces only schemas")
        return {}, _words(None)
    if own:
        return _native(schema), None
    described = _described(wanted, schema)
    try:
        fitted = fit(described)
    except UnfitError as exc:
        adapted.say(
            f"the schema of the answer is asked for in words: {adapted.provider} cannot enforce it, as {exc}"
        )
        return {}, _words(described)
    if fitted.moved:
        adapted.say(
            f"{', '.join(sorted(fitted.moved))} of the answer's schema stand in descriptions: "
            f"{adapted.provider} does not enforce them"
        )
    return _native(fitted.schema), None


def _native(schema: JsonObject) -> JsonObject:
    return {"format": {"type": "json_schema", "schema": schema}}


def _described(wanted: ResponseFormat, schema: JsonObject) -> JsonObject:
    """The schema with the name and the description of the form, which have no member of their own."""
    more: JsonObject = {}
    if wanted.description is not None and "description" not in schema:
        more["description"] = wanted.description
    if wanted.name != "answer" and "title" not in schema:
        more["title"] = wanted.name
    return {**schema, **more}


def _words(schema: JsonObject | None) -> str:
    asked = "Answer with one JSON object and nothing else: no words around it and no code fence."
    if schema is None:
        return asked
    return f"{asked} It must fit this JSON Schema:\n{dump_json(schema)}"


def read_config(fields: Fields) -> tuple[ResponseFormat | None, str | None]:
    """Form and effort of a client's `output_config`; what else it holds is kept as it is."""
    config = fields.part("output_config")
    if config is None:
        return None, None
    effort = None if config.peek("effort") is None else config.one_of("effort", EFFORTS)
    told = as_object(config.peek("format"))
    schema = told.get("schema")
    wanted = None
    if told.keys() == {"type", "schema"} and told["type"] == "json_schema" and isinstance(schema, dict):
        config.take("format")
        wanted = ResponseFormat(schema=schema)
    if config.rest():
        fields.rest()["output_config"] = config.rest()
    return wanted, effort
