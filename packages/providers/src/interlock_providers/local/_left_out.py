"""What of a request the embedded model answers without, told to whoever asked."""

from collections.abc import Iterator

from interlock_core.completion import CompletionRequest
from interlock_core.messages import Content, Reasoning, Text


def left_out(request: CompletionRequest) -> tuple[str, ...]:
    """What is done in another way than it was asked, or not at all, a sentence each.

    None of it changes what the answer has to be; what would is refused.
    """
    return tuple(_left_out(request))


def _left_out(request: CompletionRequest) -> Iterator[str]:
    parts = [part for message in request.messages for part in message.content]
    results = [result for message in request.messages for result in message.tool_results]
    shown: list[Content] = [*parts, *(part for result in results for part in result.content)]
    if any(isinstance(part, Reasoning) for part in parts):
        yield "earlier reasoning is left out: the embedded model takes none back"
    if any(result.is_error for result in results):
        yield "that a tool failed is told in words: the embedded model has no mark for it"
    if any(isinstance(part, Text) and part.cache is not None for part in shown):
        yield "marks for the prompt cache are left out: the embedded model remembers prompts by itself"
    if any(message.name is not None for message in request.messages):
        yield "names of speakers are left out: the embedded model knows only their roles"
    if request.response_format is not None and request.response_format.description is not None:
        yield "the description of the form is left out: the embedded model is shown its fields alone"
    asked = {
        "cache_key": request.cache_key,
        "service_tier": request.service_tier,
        "user": request.user,
        "metadata": request.metadata or None,
    }
    for name, value in asked.items():
        if value is not None:
            yield f"{name} is left out: the embedded model has no vendor to tell it"
