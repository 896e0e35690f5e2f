"""Answers `find_tools` and `describe_tool` inside the run; every other call goes on to its executor."""

from collections.abc import Callable

from interlock_core import Call, JsonObject, Prepared, Text, ToolCall, ToolExecutor, ToolResult, ToolSpec
from interlock_core.errors import NotFoundError
from interlock_core.jsontypes import as_int, as_text, dump_json
from interlock_core.nearest import nearest
from interlock_pipeline._offer import DESCRIBE_TOOL, FIND, FIND_TOOL, META_TOOLS, Allowed, Offer, summary

_LIMIT = 5


class FindingExecutor:
    """Wraps an executor: the tools that find tools are answered here.

    Args:
        inner: Makes every other call.
        offer: What the run is shown.
        may: Whether whoever makes a call may call a tool.
    """

    def __init__(self, inner: ToolExecutor, offer: Offer, may: Callable[[Call], Allowed]) -> None:
        self._inner = inner
        self._offer = offer
        self._may = may

    async def prepare(self, call: ToolCall, context: Call) -> Prepared:
        """Validate a call.

        Raises:
            NotFoundError: There is no such tool.
            SchemaError: The arguments break the tool's schema.
        """
        if call.name not in META_TOOLS:
            return await self._inner.prepare(call, context)
        from interlock_core.schema import validator

        tool = FIND_TOOL if call.name == FIND else DESCRIBE_TOOL
        arguments = call.parsed()
        validator(tool.parameters).check(arguments, what=f"The arguments of {tool.name}")
        return Prepared(tool=tool, arguments=arguments)

    async def execute(self, call: ToolCall, context: Call) -> ToolResult:
        """Make a call.

        Raises:
            RefusedError: A rule forbids it; nothing was sent.
        """
        if call.name not in META_TOOLS:
            tool = self._offer.usable.get(call.name)
            if tool is not None and self._may(context)(tool):
                self._offer.used(call.name)
            return await self._inner.execute(call, context)
        prepared = await self.prepare(call, context)
        answer = self._found if call.name == FIND else self._described
        said = answer(prepared.arguments, self._may(context))
        return ToolResult(call_id=call.id, name=call.name, content=(Text(said),), untrusted=False)

    def _found(self, arguments: JsonObject, may: Allowed) -> str:
        query = as_text(arguments["query"]) or ""
        best = self._offer.find(query, as_int(arguments.get("limit")) or _LIMIT, may)
        if not best:
            return "No tool fits. Say it in other words: what is to be done, and to what."
        lines = "\n".join(f"{tool.name}: {summary(tool)}" for tool in best)
        left_out = "" if all(tool.name in self._offer.found for tool in best) else f"\n{_BY_NAME}"
        return f"{lines}{left_out}"

    def _described(self, arguments: JsonObject, may: Allowed) -> str:
        tool = self._permitted(as_text(arguments["name"]) or "", may)
        self._offer.used(tool.name)
        describe = self._offer.offering.describe
        if describe is None:
            return dump_json(tool.parameters)
        return dump_json(describe(tool.name, as_text(arguments.get("part")) or ""))

    def _permitted(self, name: str, may: Allowed) -> ToolSpec:
        tool = self._offer.usable.get(name)
        if tool is not None and may(tool):
            return tool
        close = [other for other in nearest(name, self._offer.usable) if may(self._offer.usable[other])]
        remedy = f"Did you mean {' or '.join(close)}?" if close else f"Ask {FIND}."
        raise NotFoundError(f"There is no tool {name[:120]!r}.", field="name", remedy=remedy)


_BY_NAME = "There is no room to show all of them; each can be called by its name."
