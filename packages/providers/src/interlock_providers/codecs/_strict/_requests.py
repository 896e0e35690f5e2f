"""Requests with strict tools: what is shown to a vendor, within what it enforces in one request.

Strict is what asks for it: a tool whose `strict` is true. It is not the default of any vendor, because it
costs what nobody asked for: the first call with a new schema waits until the vendor has compiled it, a
request may hold only so many, and models of a vendor that do not know it refuse it.

A client that spoke the vendor's own dialect gets what it wrote. Calls of earlier turns are written in the
same form as the model is shown now: it then sees itself keep to the schema, and a vendor that caches
prompts finds again what its model wrote.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from interlock_core import CompletionRequest, Json, JsonObject, Message, ToolCall, ToolSpec
from interlock_core.jsontypes import as_array, as_object
from interlock_providers.codecs._names import ToolNames
from interlock_providers.codecs._notes import PREFIX
from interlock_providers.codecs._original import ParsedBytes
from interlock_providers.codecs._strict._arguments import ArgumentForms
from interlock_providers.codecs._strict._fit import Fit, Grade, fit
from interlock_providers.codecs._strict._forms import Form, UnfitError
from interlock_providers.codecs._strict._root import as_input, has_choices, has_strange_names
from interlock_providers.codecs._strict._rules import Rules

if TYPE_CHECKING:
    from interlock_providers.codecs import Rendered, Target


class Render(Protocol):
    """Writes a request for a vendor; see `Codec.render_request`."""

    def __call__(self, request: CompletionRequest, target: "Target", /, *, stream: bool) -> "Rendered":
        """The request as it goes to the vendor."""
        ...


@dataclass(slots=True)
class _Shown:
    """Tools as the vendor is shown them."""

    tools: list[ToolSpec] = field(default_factory=list[ToolSpec])
    forms: dict[str, Form] = field(default_factory=dict[str, Form])
    adapted: list[str] = field(default_factory=list[str])


def rendered(
    render: Render, request: CompletionRequest, target: "Target", rules: Rules, *, dialect: str, stream: bool
) -> "Rendered":
    """A request with its tools in the form that the vendor enforces; see `_strict.rendered`."""
    shown = _shown(request, rules, target.provider, dialect)
    if all(one is other for one, other in zip(shown.tools, request.tools, strict=True)):
        return render(request, target, stream=stream)
    forms = ArgumentForms(shown.forms) if shown.forms else None
    messages = request.messages if forms is None else _written(request.messages, forms)
    asked = replace(request, tools=tuple(shown.tools), messages=messages)
    sent = render(asked, target, stream=stream)
    return replace(sent, forms=forms, adapted=(*sent.adapted, *shown.adapted))


def fitted_tools(tools: Sequence[ToolSpec], rules: Rules, *, strict: bool | None) -> list[ToolSpec]:
    """Tools as a vendor is shown them, each as if it were the only one; see `_strict.fitted_tools`."""
    made: list[ToolSpec] = []
    for tool in tools:
        asked = tool if strict is None else replace(tool, strict=strict)
        shown = asked
        if asked.strict:
            found = fit(asked.parameters, rules)
            fits = found.grade is not Grade.NONE
            shown = (
                replace(asked, strict=True, parameters=found.schema) if fits else replace(asked, strict=None)
            )
        if not shown.strict and rules.plain_root and has_choices(shown.parameters):
            shown = replace(shown, parameters=as_input(shown.parameters)[0])
        made.append(_renamed(shown, rules)[0])
    return made


def _shown(request: CompletionRequest, rules: Rules, provider: str, dialect: str) -> _Shown:
    """The tools of a request, those that the client wrote for this very vendor as they are."""
    written = _own_tools(request, dialect)
    shown = _Shown()
    budget = _Budget(rules)
    asked = [tool for tool in request.tools if id(tool) not in written]
    whole = _all_or_none(asked, rules) if rules.total and any(tool.strict for tool in asked) else None
    if whole and any(tool.strict is False for tool in asked):
        loose = "all tools are held strictly to their schemas"
        shown.adapted.append(f"{loose}: {provider} knows no strictness of one tool")
    for tool in request.tools:
        if id(tool) in written:
            shown.tools.append(tool)
            continue
        wanted = bool(tool.strict) if whole is None else True
        made, found = (tool, None) if not wanted else budget.fitted(tool, refused=whole is False)
        if found is not None:
            shown.adapted += _sentences(tool, found, provider, rules)
        form = None if found is None or found.grade is Grade.NONE else found.form
        if not made.strict and rules.plain_root and has_choices(made.parameters):
            made = replace(made, parameters=as_input(made.parameters)[0])
            shown.adapted.append(
                f"alternatives at the root of the parameters of {tool.name} stand in their description: "
                f"{provider} takes one object"
            )
        made, form = _renamed(made, rules, form)
        shown.tools.append(made)
        if form is not None:
            shown.forms[tool.name] = form
    return shown


def _own_tools(request: CompletionRequest, dialect: str) -> set[int]:
    """The tools that a client wrote in this very dialect, by identity."""
    original = request.original
    if isinstance(original, ParsedBytes) and original.dialect == dialect:
        return {id(tool) for tool in original.parsed.tools}
    return {id(tool) for tool in request.tools} if PREFIX + dialect in request.extra else set[int]()


def _all_or_none(tools: Sequence[ToolSpec], rules: Rules) -> bool:
    """Whether a vendor that is strict with all tools of a request or with none can be so with these."""
    found = [fit(tool.parameters, rules) for tool in tools]
    most = rules.limits.properties
    fits = all(one.grade is not Grade.NONE for one in found)
    return fits and (most is None or sum(one.size.properties for one in found) <= most)


class _Budget:
    """What a vendor enforces in one request.

    Args:
        rules: What it takes.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._tools = rules.limits.tools
        self._optional = rules.limits.optional
        self._unions = rules.limits.unions

    def fitted(self, tool: ToolSpec, *, refused: bool) -> tuple[ToolSpec, Fit]:
        """The tool as it is enforced, or without strictness, and what was found."""
        found = fit(tool.parameters, self._rules, optional=self._optional)
        if found.grade is not Grade.NONE and (refused or not self._take(found)):
            found = replace(found, grade=Grade.NONE, reason="")
        if found.grade is Grade.NONE:
            return replace(tool, strict=None), found
        return replace(tool, strict=True, parameters=found.schema), found

    def _take(self, found: Fit) -> bool:
        size = found.size
        if self._tools == 0 or (self._unions is not None and size.unions > self._unions):
            return False
        if self._optional is not None and size.optional > self._optional:
            return False
        self._tools = None if self._tools is None else self._tools - 1
        self._optional = None if self._optional is None else self._optional - size.optional
        self._unions = None if self._unions is None else self._unions - size.unions
        return True


def _sentences(tool: ToolSpec, found: Fit, provider: str, rules: Rules) -> list[str]:
    """What is done in another way than it was asked."""
    if found.grade is Grade.NONE:
        if found.reason:
            why = f"cannot enforce its schema, as {found.reason}"
        elif rules.total:
            why = f"enforces all tools of a request or none, of {rules.limits.properties} properties in all"
        else:
            limits = rules.limits
            why = (
                f"enforces {limits.tools} tools with {limits.optional} optional properties and "
                f"{limits.unions} unions in one request"
            )
        return [f"strict of {tool.name} is left out: {provider} {why}"]
    said: list[str] = []
    if found.unenforced:
        words = ", ".join(sorted({line.partition(" at ")[0] for line in found.unenforced}))
        said.append(f"{words} of {tool.name} stand in descriptions: {provider} does not enforce them")
    if found.lost:
        places = ", ".join(dict.fromkeys(line.rpartition(" at ")[2] for line in found.lost))
        said.append(f"{places} of {tool.name} is asked for as JSON text: {provider} cannot enforce its shape")
    return said


def _written(messages: Sequence[Message], forms: ArgumentForms) -> tuple[Message, ...]:
    """The conversation with earlier calls in the form that the model is shown now."""
    return tuple(
        replace(
            message,
            content=tuple(
                forms.encode(part) if isinstance(part, ToolCall) else part for part in message.content
            ),
        )
        if message.role == "assistant" and any(forms.changes(call.name) for call in message.tool_calls)
        else message
        for message in messages
    )


# ---- names of arguments


class _Renamed(Form):
    """Arguments whose names the vendor does not take as they are.

    Args:
        names: How they are called there.
        inner: How the arguments are written beside that, or None.
    """

    __slots__ = ("_inner", "_names", "kinds", "same")

    def __init__(self, names: ToolNames, inner: Form | None) -> None:
        self.kinds = frozenset({"object"})
        self.same = False
        self._names = names
        self._inner = inner

    def encode(self, value: Json) -> Json:
        """The arguments under the vendor's names."""
        told = value if self._inner is None else self._inner.encode(value)
        if not isinstance(told, dict):
            raise UnfitError("it is no object")
        return {self._names.wire(name): part for name, part in told.items()}

    def decode(self, wire: Json) -> Json:
        """The arguments under their own names."""
        if not isinstance(wire, dict):
            return wire
        named: JsonObject = {self._names.core(name): part for name, part in wire.items()}
        return named if self._inner is None else self._inner.decode(named)


def _renamed(tool: ToolSpec, rules: Rules, form: Form | None = None) -> tuple[ToolSpec, Form | None]:
    """The tool with legal names of its arguments, and the form that its arguments then have."""
    if rules.strange_name is None or not has_strange_names(tool.parameters, rules):
        return tool, form
    properties = as_object(tool.parameters.get("properties"))
    names = ToolNames(properties, limit=64, illegal=rules.strange_name)
    schema: JsonObject = {
        **tool.parameters,
        "properties": {names.wire(name): part for name, part in properties.items()},
    }
    if "required" in schema:
        required = [name for name in as_array(schema["required"]) if isinstance(name, str)]
        schema["required"] = [names.wire(name) for name in required]
    return replace(tool, parameters=schema), _Renamed(names, form)
