"""What can be called: neutral tool descriptions that no vendor's rules have touched."""

from dataclasses import field
from enum import StrEnum

from interlock_core.jsontypes import JsonObject
from interlock_core.record import record


class Effect(StrEnum):
    """What a call may do to the world; ordered from harmless to grave."""

    READ = "read"
    WRITE = "write"
    DESTRUCTIVE = "destructive"

    @property
    def has_side_effects(self) -> bool:
        """Whether the call changes something: then it needs a durable audit intent first."""
        return self is not Effect.READ


def _any_object() -> JsonObject:
    return {"type": "object", "properties": {}}


@record(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """One tool that a model can call.

    Attributes:
        name: `namespace.operation`, unique in its catalogue: letters, digits, `_`, `-` and dots.
        description: Short text for the model, most useful facts first.
        parameters: Self-contained JSON Schema 2020-12 of the arguments, an object.
        effect: What a call may do.
        namespace: The document or server that it comes from.
        operation_id: The document's own id of the operation.
        endpoint: Method and path, such as `POST /repos/{owner}/{repo}/issues`.
        category: Grouping for people and permissions.
        tags: The document's own tags.
        summary: One line for people.
        strict: Whether the vendor's strict mode is asked for; None leaves it to the codec.
        untrusted: Its results may carry other people's text.
        responses: JSON Schema of the successful answer, when known.
    """

    name: str
    description: str = ""
    parameters: JsonObject = field(default_factory=_any_object)
    effect: Effect = Effect.WRITE
    namespace: str = ""
    operation_id: str | None = None
    endpoint: str | None = None
    category: str = ""
    tags: tuple[str, ...] = ()
    summary: str = ""
    strict: bool | None = None
    untrusted: bool = True
    responses: JsonObject | None = None


@record(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request as it goes on the wire, before credentials join it.

    Attributes:
        method: Upper case.
        url: Absolute.
        headers: In order, as names and values.
        body: The bytes, or None for no body.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None

    def header(self, name: str) -> str | None:
        """The first value of a header, its name compared without case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def readable(self) -> str:
        """The whole request for a person: method and URL, every header, the body as far as it is text.

        A body that is not UTF-8 is named by its size and its SHA-256. Control characters are left in.
        """
        lines = [f"{self.method} {self.url}", *(f"{name}: {value}" for name, value in self.headers)]
        if self.body is not None:
            try:
                lines += ["", self.body.decode("utf-8")]
            except UnicodeDecodeError:
                import hashlib

                digest = hashlib.sha256(self.body).hexdigest()
                lines += ["", f"[{len(self.body):,} bytes that are not text, SHA-256 {digest}]"]
        return "\n".join(lines)
