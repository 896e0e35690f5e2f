"""What finding tools costs a prompt: a run over GitHub's document that searches, asks, calls and answers.

`python tests/bench/tool_prompt.py` plays the run with a scripted model and counts what the tools add to each
request: their descriptions, and what `find_tools` and `describe_tool` answer. Tokens are core's estimate;
the same again as characters divided by four.
"""

import asyncio
import sys
from collections.abc import Iterator

from conversion import corpus
from figure import Figure
from interlock_core import CompletionRequest, Principal, RunRequest, ToolCall
from interlock_core.jsontypes import dump_json
from interlock_core.messages import user
from interlock_core.testing import ScriptedExecutor, ScriptedProvider, completion
from interlock_core.tokens import EstimatingCounter
from interlock_pipeline import META_TOOLS, ToolCallingPipeline, ToolOffering
from interlock_tools import ToolRegistry

GITHUB = "octokit-openapi-api.github.com"
PROMPT = "Open an issue in octocat/hello-world that says the login button is broken."
TOOL = "github.issues_create"
BOUND = 1_500.0


def _call(number: int, name: str, arguments: str) -> ToolCall:
    return ToolCall(id=f"call_{number}", name=name, arguments=arguments)


async def requests(seeds: int) -> list[CompletionRequest]:
    """The requests of one run over GitHub that finds its tool itself."""
    registry = ToolRegistry()
    path = next(path for path in corpus() if path.stem == GITHUB)
    await registry.add(path, namespace="github")
    arguments = '{"owner":"octocat","repo":"hello-world","title":"The login button is broken"}'
    provider = ScriptedProvider(
        [
            completion("", _call(1, "find_tools", '{"query":"create an issue"}')),
            completion("", _call(2, "describe_tool", dump_json({"name": TOOL, "part": "/labels"}))),
            completion("", _call(3, TOOL, arguments)),
            "Done.",
        ]
    )
    pipeline = ToolCallingPipeline(
        provider=provider,
        catalog=registry,
        executor=ScriptedExecutor({TOOL: "Created."}),
        offering=ToolOffering(seeds=seeds, describe=registry.describe),
    )
    asked = RunRequest(messages=(user(PROMPT),), tools=("github.*",), principal=Principal(user="bench"))
    result = await pipeline.run(asked)
    if result.text != "Done.":
        raise RuntimeError(f"The run ended otherwise: {result.detail}")
    return provider.requests


def added(request: CompletionRequest) -> tuple[float, float]:
    """What tools and their finding add to one request: core's estimate, and characters divided by four."""
    results = [
        result.text
        for message in request.messages
        for result in message.tool_results
        if result.name in META_TOOLS
    ]
    estimate = EstimatingCounter()
    bare = CompletionRequest(model="", messages=())
    tools = estimate.count(CompletionRequest(model="", messages=(), tools=request.tools)).tokens
    written = [
        dump_json({"name": tool.name, "description": tool.description, "parameters": tool.parameters})
        for tool in request.tools
    ]
    said = sum(len(text.encode()) for text in results)
    return (
        tools - estimate.count(bare).tokens + said / 3.6,
        (sum(map(len, written)) + sum(map(len, results))) / 4,
    )


def figures() -> Iterator[Figure]:
    """What each request of the run carries, by both counts; first with nothing shown beforehand."""
    if not any(path.stem == GITHUB for path in corpus()):
        return
    for seeds in (0, 3):
        asked = asyncio.run(requests(seeds))
        counts = [added(request) for request in asked]
        title = f"tools in the prompt, GitHub, {seeds} shown at first"
        for number, (estimate, quarter) in enumerate(counts, start=1):
            shown = f"{title}: request {number}, {len(asked[number - 1].tools)} tools"
            yield Figure(shown, estimate, "tokens", BOUND)
            yield Figure(f"{shown}, len/4", quarter, "tokens", BOUND)


def main() -> int:
    """Prints one row a figure."""
    for figure in figures():
        print(figure, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
