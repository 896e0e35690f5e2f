"""What a document says of answers: media types to ask for, and schemas to compare with."""

from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, as_object
from interlock_tools.openapi._ir import Operation, SchemaAt
from interlock_tools.openapi._prose import Prose
from interlock_tools.openapi._references import References
from interlock_tools.openapi._schema import SchemaBuilder
from interlock_tools.openapi._shape import is_json

_WORDS = 60


class Responses:
    """Answers of the operations of one document.

    Args:
        references: Resolves references.
        siblings: Keywords beside `$ref` count.
    """

    def __init__(self, references: References, *, siblings: bool) -> None:
        self._references = references
        self._siblings = siblings
        self._builder: SchemaBuilder | None = None
        self._schemas: dict[tuple[str, int], JsonObject | None] = {}

    def media_types(self, operation: Operation) -> tuple[str, ...]:
        """Media types of the successful answers, JSON first; empty when the document says none."""
        found: dict[str, None] = {}
        for status, raw in operation.responses.items():
            if status.startswith("2") or status == "default":
                found.update(dict.fromkeys(as_object(self._response(raw, operation).get("content"))))
        found.update(dict.fromkeys(operation.produces))
        return tuple(sorted(found, key=lambda name: not is_json(name)))

    def schema(self, operation: Operation, status: int) -> JsonObject | None:
        """JSON Schema of the answer with this status; None when the document says none that can be used."""
        key = (operation.pointer, status)
        if key not in self._schemas:
            self._schemas[key] = self._built(operation, status)
        return self._schemas[key]

    def _built(self, operation: Operation, status: int) -> JsonObject | None:
        raw = self._for_status(operation.responses, status)
        response = self._response(raw, operation)
        at = self._json_schema(response)
        if at is None:
            return None
        if self._builder is None:
            self._builder = SchemaBuilder(
                self._references, siblings=self._siblings, output=True, words=_WORDS, prose=Prose()
            )
        try:
            built = self._builder.build(SchemaAt(at, operation.base))
            definitions = self._builder.definitions(built.refs)
        except InvalidRequestError:
            return None
        schema: JsonObject = built.schema if isinstance(built.schema, dict) else {"allOf": [built.schema]}
        if not definitions:
            return schema
        named: JsonObject = {**definitions}
        return {**schema, "$defs": named}

    def _for_status(self, responses: JsonObject, status: int) -> Json:
        for key in (str(status), f"{status // 100}XX", f"{status // 100}xx", "default"):
            if key in responses:
                return responses[key]
        return None

    def _response(self, raw: Json, operation: Operation) -> JsonObject:
        try:
            return as_object(
                self._references.follow(raw, operation.base, f"{operation.pointer}/responses").value
            )
        except InvalidRequestError:
            return {}

    def _json_schema(self, response: JsonObject) -> JsonObject | None:
        own = response.get("schema")
        if isinstance(own, dict):
            return own
        for name, media in as_object(response.get("content")).items():
            schema = as_object(media).get("schema")
            if is_json(name) and isinstance(schema, dict):
                return schema
        return None
