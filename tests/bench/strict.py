"""What strict mode means for the tools of real documents, vendor by vendor, and what it costs a call.

`python tests/bench/strict.py` prints the classes of all tools of the corpus (`$INTERLOCK_CORPUS`, else
`../shared/corpus` beside the checkout), why some are not lossless, and which constraints are left to the
check before a call. Then the cost, beside the same work without strict mode: CPU time, medians.
"""

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from conversion import corpus
from figure import Figure
from interlock_core import Completion, CompletionRequest, FinishReason, JsonObject, ToolCall, ToolSpec
from interlock_core.errors import InterlockError
from interlock_core.jsontypes import as_array, dump_json
from interlock_core.messages import assistant, user
from interlock_providers.codecs import Codec, Rendered, Strictness, Target, codec, strictness
from interlock_providers.local import strictness as local_strictness
from interlock_tools import load_file, openapi_to_tool_specs

DIALECTS = ("openai-chat", "openai-responses", "anthropic-messages", "mistral-chat", "cohere-chat")
GRADES = ("strict-lossless", "strict-approximate", "not-strict")
GITHUB = "octokit-openapi-api.github.com"
TARGET = Target(provider="vendor", model="m-1")
MOST_CAUSES = 6
ROUNDS = 40


def tools_of_all() -> Iterator[tuple[str, tuple[ToolSpec, ...]]]:
    """Each document of the corpus and its tools."""
    for path in corpus():
        try:
            yield path.stem, openapi_to_tool_specs(load_file(path)).tools
        except InterlockError as exc:
            print(f"({path.name} is not loaded: {exc})")


def causes(judged: Strictness) -> Iterator[str]:
    """Why a tool is not lossless, each cause once."""
    if judged.reason:
        yield judged.reason
    yield from {line.partition(" at ")[0] for line in judged.lost}


class Classes:
    """The classes of one vendor."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.grades: Counter[str] = Counter()
        self.causes: Counter[str] = Counter()
        self.words: Counter[str] = Counter()

    def add(self, judged: Sequence[Strictness]) -> None:
        """Count some tools."""
        for one in judged:
            self.grades[one.grade] += 1
            self.causes.update(causes(one))
            self.words.update({line.partition(" at ")[0] for line in one.unenforced})

    def print(self) -> None:
        """One row, and its causes."""
        counts = "".join(f"{self.grades[grade]:>20,}" for grade in GRADES)
        share = self.grades[GRADES[0]] / max(1, self.grades.total())
        print(f"{self.dialect:20}{counts}{share:>12.2%}")
        for cause, count in self.causes.most_common(MOST_CAUSES):
            print(f"    {count:>7,}  {cause}")
        words = ", ".join(f"{word} {count:,}" for word, count in self.words.most_common(12))
        print(f"    unenforced, tools: {words or 'none'}")


def print_classes() -> tuple[ToolSpec, ...]:
    """The table over all documents; gives GitHub's tools back."""
    rows = {dialect: Classes(dialect) for dialect in (*DIALECTS, "local")}
    github: tuple[ToolSpec, ...] = ()
    documents = 0
    for name, listed in tools_of_all():
        documents += 1
        github = listed if name == GITHUB else github
        rows["local"].add(local_strictness(listed))
        for dialect in DIALECTS:
            rows[dialect].add(strictness(dialect, listed))
    print(f"{documents} documents, {rows['local'].grades.total():,} tools")
    print(f"{'':20}{''.join(f'{grade:>20}' for grade in GRADES)}{'lossless':>12}")
    for row in rows.values():
        row.print()
    return github


def micros(work: Callable[[], object], times: int) -> float:
    """CPU time of one piece of work among `times` that `work` does, in microseconds; the median."""
    work()
    spent: list[float] = []
    for _ in range(ROUNDS):
        started = time.process_time_ns()
        work()
        spent.append((time.process_time_ns() - started) / 1e3 / times)
    return statistics.median(spent)


def figures(tools: Sequence[ToolSpec]) -> Iterator[Figure]:
    """The cost of a request with tools and of an answer with one call, with and without strict mode."""
    chosen = [tool for tool in tools if 2 <= len(tool.parameters) <= 4][:30]
    for dialect in ("openai-chat", "anthropic-messages"):
        made = codec(dialect)
        loose = tuple(chosen[:10] if dialect.startswith("anthropic") else chosen)
        strict = tuple(replace(tool, strict=True) for tool in loose)
        yield from _costs(made, dialect, loose, strict)


def _costs(
    made: Codec, dialect: str, loose: tuple[ToolSpec, ...], strict: tuple[ToolSpec, ...]
) -> Iterator[Figure]:
    for kind, tools in (("plain", loose), ("strict", strict)):
        asked = CompletionRequest(model="x", messages=(user("go"),), tools=tools, max_tokens=9)
        sent = made.render_request(asked, TARGET, stream=False)

        def write(asked: CompletionRequest = asked) -> None:
            for _ in range(20):
                made.render_request(asked, TARGET, stream=False)

        yield Figure(f"{dialect}, {kind}: a request with {len(tools)} tools", micros(write, 20), "us CPU")
        arguments: JsonObject = {str(name): "x" for name in as_array(loose[0].parameters.get("required"))}
        call = ToolCall(id="aB3dE5fG7", name=tools[0].name, arguments=dump_json(arguments))
        told = call if sent.forms is None else sent.forms.encode(call)
        told = replace(told, name=sent.names.wire(told.name))
        completion = Completion(model="m", message=assistant(told), finish=FinishReason.TOOL_CALLS)
        body = made.render_response(completion)

        def read(body: bytes = body, sent: Rendered = sent) -> None:
            for _ in range(50):
                made.parse_response(body, sent)

        yield Figure(f"{dialect}, {kind}: an answer with one call", micros(read, 50), "us CPU")


def main() -> None:
    """Prints the classes, then the costs."""
    github = print_classes()
    print()
    if github:
        fresh = github[:200]
        started = time.process_time()
        for dialect in DIALECTS:
            new = [replace(tool, parameters={**tool.parameters, "$comment": dialect}) for tool in fresh]
            strictness(dialect, new)
        spent = (time.process_time() - started) * 1e6 / (len(fresh) * len(DIALECTS))
        print(Figure("a tool fitted for the first time", spent, "us CPU"))
        for figure in figures(github):
            print(figure)


if __name__ == "__main__":
    main()
