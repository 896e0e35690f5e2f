"""A server of the tool protocol that says whatever it is told to, over streamable HTTP."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_object, dump_json
from interlock_core.testing import Answer, ReceivedRequest, json_answer, sse_answer

_CHANGED: JsonObject = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
ECHO: JsonObject = {
    "name": "echo",
    "title": "Echo",
    "description": "Says it again.",
    "inputSchema": {
        "type": "object",
        "properties": {"text": {"type": "string", "description": "What."}, "how": {"enum": ["loud", "soft"]}},
        "required": ["text"],
    },
    "outputSchema": {"type": "object", "properties": {"said": {"type": "string"}}},
    "annotations": {"readOnlyHint": False, "destructiveHint": True},
}


@dataclass(slots=True)
class Strange:
    """What it says, and what it was asked.

    Attributes:
        tools: Its tools.
        name: Its own name.
        instructions: What it tells every client.
        link: A resource that its answers link to.
        metadata: Where set, it wants a login that this describes.
        executed: The names of the tools that were called.
        change: Made after the next call, and announced in its answer.
    """

    tools: list[JsonObject] = field(default_factory=lambda: [deepcopy(ECHO)])
    name: str = "strange"
    instructions: str = ""
    link: str = ""
    metadata: JsonObject | None = None
    executed: list[str] = field(default_factory=list[str])
    change: Callable[[], None] | None = None

    def __call__(self, request: ReceivedRequest) -> Answer:
        """Answer one request."""
        if self.metadata is not None:
            return self._unknown(request)
        if request.method != "POST":
            return Answer(status=405)
        asked = as_object(request.json())
        if "id" not in asked:
            return Answer(status=202)
        result = self._result(str(asked.get("method")), as_object(asked.get("params")))
        if result is None:
            error: JsonObject = {"code": -32601, "message": "Method not found"}
            return json_answer({"jsonrpc": "2.0", "id": asked["id"], "error": error})
        whole: JsonObject = {"jsonrpc": "2.0", "id": asked["id"], "result": result}
        if asked["method"] == "tools/call" and self.change is not None:
            change, self.change = self.change, None
            change()
            return sse_answer([dump_json(_CHANGED), dump_json(whole)])
        return json_answer(whole)

    def _result(self, method: str, params: JsonObject) -> JsonObject | None:
        if method == "initialize":
            return {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {"listChanged": True}},
                "serverInfo": {"name": self.name, "version": "1"},
                "instructions": self.instructions,
            }
        if method == "tools/list":
            listed: Sequence[Json] = self.tools
            return {"tools": [*listed]}
        if method == "tools/call":
            self.executed.append(str(params["name"]))
            content: list[Json] = [{"type": "text", "text": "done"}]
            if self.link:
                content.append({"type": "resource_link", "uri": self.link, "name": "report"})
            return {"content": content, "structuredContent": {"said": "done"}}
        return {} if method == "ping" else None

    def _unknown(self, request: ReceivedRequest) -> Answer:
        """Ask for a login, and describe it where one looks."""
        assert self.metadata is not None
        if "/.well-known/" in request.path:
            return json_answer(self.metadata)
        place = ("www-authenticate", 'Bearer resource_metadata="/.well-known/oauth-protected-resource"')
        return Answer(status=401, headers=(place,))
