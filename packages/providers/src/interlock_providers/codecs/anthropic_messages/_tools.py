"""Tools and how they may be used, both ways."""

from collections.abc import Mapping, Sequence

from interlock_core import CompletionRequest, Json, JsonObject, ToolChoice, ToolSpec
from interlock_core.errors import InvalidRequestError, UnsupportedError
from interlock_core.jsontypes import as_object
from interlock_providers.codecs._fields import Fields, wrong
from interlock_providers.codecs._names import ToolNames
from interlock_providers.codecs._strict._root import as_input
from interlock_providers.codecs.anthropic_messages._blocks_in import placed
from interlock_providers.codecs.anthropic_messages._messages_out import tool_names
from interlock_providers.codecs.anthropic_messages._notes import Adapted


def render_tools(tools: Sequence[ToolSpec]) -> list[Json]:
    """Tools as they stand in a request; see `Codec.render_tools`."""
    names = tool_names(CompletionRequest(model="", messages=(), tools=tuple(tools)))
    adapted = Adapted("the vendor")
    return [_write_tool(tool, names, adapted) for tool in tools]


def write_tools(
    request: CompletionRequest, note: Mapping[str, Json], names: ToolNames, adapted: Adapted, *, own: bool
) -> list[Json]:
    """The tools of a request.

    Args:
        request: The request.
        note: How the client wrote it.
        names: How tools are called on the wire.
        adapted: Collects what is done in another way.
        own: The client wrote in this dialect, so its schemas go as they are.
    """
    left = as_object(note.get("tools"))
    tools: list[Json] = []
    for tool in request.tools:
        rest = as_object(left.get(tool.name))
        made = _as_written(tool, names) if own else _write_tool(tool, names, adapted)
        tools.append({**rest, **made})
    for index, value in placed(request.extra, note.get("tool_kinds")):
        tools.insert(index, value)
    return tools


def _as_written(tool: ToolSpec, names: ToolNames) -> JsonObject:
    made = _head(tool, names)
    made["input_schema"] = tool.parameters
    if tool.strict is not None:
        made["strict"] = tool.strict
    return made


def _head(tool: ToolSpec, names: ToolNames) -> JsonObject:
    made: JsonObject = {"name": names.wire(tool.name)}
    if tool.description:
        made["description"] = tool.description
    return made


def _write_tool(tool: ToolSpec, names: ToolNames, adapted: Adapted) -> JsonObject:
    made = _head(tool, names)
    schema, flattened = as_input(tool.parameters)
    if flattened:
        adapted.say(
            f"alternatives at the root of the parameters of {tool.name} stand in their description: "
            f"{adapted.provider} takes one object"
        )
    if tool.strict is not None:
        made["strict"] = tool.strict
    made["input_schema"] = schema
    return made


def write_choice(choice: ToolChoice | None, names: ToolNames, *, tools: bool) -> JsonObject:
    """The members that say how tools may be used; empty when nothing is to be said."""
    if choice is None:
        return {}
    if not tools:
        if choice.mode == "required":
            raise UnsupportedError(
                "tool_choice demands a call, and the request offers no tool.",
                field="tool_choice",
                remedy="Offer a tool, or leave tool_choice out.",
            )
        # Without tools nothing can be called, and the API refuses the field.
        return {}
    if choice.mode == "none":
        return {"tool_choice": {"type": "none"}}
    made: JsonObject = {"type": "auto"}
    if choice.name is not None:
        made = {"type": "tool", "name": names.wire(choice.name)}
    elif choice.mode == "required":
        made = {"type": "any"}
    if choice.parallel is not None:
        made["disable_parallel_tool_use"] = not choice.parallel
    return {"tool_choice": made}


def read_tools(fields: Fields, note: JsonObject) -> tuple[ToolSpec, ...]:
    """The tools of a client's request; those that the vendor itself runs are kept as they are.

    Raises:
        InvalidRequestError: A tool is wrong; `field` names the place.
    """
    specs: dict[str, ToolSpec] = {}
    others: dict[str, list[Json]] = {}
    left: JsonObject = {}
    for index, item in enumerate(fields.items("tools") or ()):
        tool = Fields(item, f"tools[{index}]")
        kind = tool.text("type")
        if kind == "mcp":
            # The one kind that is addressed to this gateway: it is never passed on to a vendor.
            raise UnsupportedError(
                "Tools of the type mcp are not served here yet.",
                field=tool.at("type"),
                remedy="Offer the server's tools with an input_schema each.",
            )
        if kind is not None and kind != "custom":
            others.setdefault(kind, []).append([index, item])
            continue
        spec = _read_tool(tool)
        if spec.name in specs:
            raise InvalidRequestError(
                f"{tool.at('name')} names a tool that stands in the list already.",
                field=tool.at("name"),
                remedy="Give each tool a name of its own.",
            )
        specs[spec.name] = spec
        if kind is not None:
            tool.rest()["type"] = kind
        if tool.rest():
            left[spec.name] = tool.rest()
    note["tools"] = left
    note["tool_kinds"] = [*others]
    fields.rest().update(others)
    return tuple(specs.values())


def _read_tool(tool: Fields) -> ToolSpec:
    name = tool.need_text("name")
    description = tool.text("description") or ""
    strict = tool.flag("strict")
    schema = tool.take("input_schema")
    if not isinstance(schema, dict):
        raise wrong(tool.at("input_schema"), "a JSON Schema object")
    return ToolSpec(name=name, description=description, parameters=schema, strict=strict)


def read_choice(fields: Fields) -> ToolChoice | None:
    """How a client lets its tools be used."""
    choice = fields.part("tool_choice")
    if choice is None:
        return None
    kind = choice.one_of("type", ("auto", "any", "tool", "none"))
    single = choice.flag("disable_parallel_tool_use")
    parallel = None if single is None else not single
    if kind == "tool":
        made = ToolChoice(mode="required", name=choice.need_text("name"), parallel=parallel)
    elif kind == "any":
        made = ToolChoice(mode="required", parallel=parallel)
    else:
        made = ToolChoice(mode="none" if kind == "none" else "auto", parallel=parallel)
    return made
