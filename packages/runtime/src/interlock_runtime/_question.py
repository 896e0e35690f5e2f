"""What a face asks the runtime: one question, or one specification job."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from interlock_core import Image, JsonObject, Money
from interlock_core.messages import Message, system, user


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question to a model, with tools if there are any.

    Attributes:
        prompt: The question.
        model: `provider/model`, `auto`, `auto/<policy>`, an alias or a bare name.
        tools: Name patterns of the tools that may be used; empty means none.
        system: System prompt.
        images: Images to show.
        schema: JSON Schema that the answer must fit.
        max_cost: Most money that the run may cost.
        max_tokens: Most output tokens of an answer.
        temperature: Randomness.
        task: Class of the task, in place of the classifier's.
        tags: The caller's own labels.
    """

    prompt: str
    model: str = "auto"
    tools: tuple[str, ...] = ()
    system: str | None = None
    images: tuple[Image, ...] = ()
    schema: JsonObject | None = None
    max_cost: Money | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    task: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def messages(self) -> tuple[Message, ...]:
        """The question as a conversation."""
        asked = user(*self.images, self.prompt)
        return (asked,) if self.system is None else (system(self.system), asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecificationJob:
    """One run of the specification-to-issues job.

    Attributes:
        file: The specification.
        owner: Owner of the repository.
        repo: Name of the repository.
        model: As in `Question`.
        labels: Labels that every issue gets.
        dry_run: Send nothing.
        api_url: Address of the API, in place of GitHub's own.
        max_cost: Most money that the models may cost.
    """

    file: Path
    owner: str
    repo: str
    model: str = "auto"
    labels: tuple[str, ...] = ()
    dry_run: bool = False
    api_url: str | None = None
    max_cost: Money | None = None
