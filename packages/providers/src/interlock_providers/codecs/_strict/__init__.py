"""Strict mode: tools as a vendor enforces them, and the way back from the arguments that a model wrote.

What stands here is the door: a request that asks for no strict mode passes it without loading the rest.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from interlock_core import Completion, CompletionRequest, ToolSpec
from interlock_providers.codecs._strict._root import is_strange
from interlock_providers.codecs._strict._rules import Rules

if TYPE_CHECKING:
    from interlock_providers.codecs import Rendered, StreamParser, Strictness, Target
    from interlock_providers.codecs._strict._requests import Render


def rendered(
    render: "Render",
    request: CompletionRequest,
    target: "Target",
    rules: Rules,
    *,
    dialect: str,
    stream: bool,
) -> "Rendered":
    """A request with its tools in the form that the vendor enforces, where that is asked for.

    Args:
        render: Writes the request.
        request: The request.
        target: Whom it is for.
        rules: What the vendor takes.
        dialect: The dialect that it is written in.
        stream: The answer is wanted piece by piece.
    """
    if not any(tool.strict or is_strange(tool.parameters, rules) for tool in request.tools):
        return render(request, target, stream=stream)
    from interlock_providers.codecs._strict._requests import rendered as written

    return written(render, request, target, rules, dialect=dialect, stream=stream)


def fitted_tools(tools: Sequence[ToolSpec], rules: Rules, *, strict: bool | None) -> Sequence[ToolSpec]:
    """Tools as a vendor is shown them, each as if it were the only one of a request.

    Args:
        tools: The tools.
        rules: What the vendor takes.
        strict: Ask for strict mode, or not; None leaves it to each tool.
    """
    from interlock_providers.codecs._strict._requests import fitted_tools as written

    return written(tools, rules, strict=strict)


def restored(completion: Completion, sent: "Rendered") -> Completion:
    """An answer with the arguments of its calls as the tools' own schemas say them."""
    return completion if sent.forms is None else sent.forms.restored(completion)


def restoring(parser: "StreamParser", sent: "Rendered") -> "StreamParser":
    """A reader of a stream that gives the arguments as the tools' own schemas say them."""
    return parser if sent.forms is None else sent.forms.restoring(parser)


def judged(tools: Sequence[ToolSpec], rules: Rules) -> "tuple[Strictness, ...]":
    """What strict mode means for each of some tools at one vendor."""
    from interlock_providers.codecs._strict._fit import strictness

    return strictness(rules, tools)


__all__ = [
    "fitted_tools",
    "judged",
    "rendered",
    "restored",
    "restoring",
]
