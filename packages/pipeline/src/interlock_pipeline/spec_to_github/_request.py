"""What the job is asked to do."""

from dataclasses import dataclass, field

from interlock_core import Budget, Principal
from interlock_core.errors import InvalidRequestError
from interlock_pipeline.specification import Specification

_LONGEST_LABEL = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What the job is asked to do.

    Attributes:
        specification: What to read.
        owner: Owner of the repository.
        repo: Name of the repository.
        principal: The user behind it.
        model: As in `CompletionRequest`.
        labels: Labels that every issue gets.
        dry_run: Send nothing to the repository, and ask nothing of it.
        create_tool: Name of the tool that creates an issue.
        list_tool: Name of the tool that lists issues.
        budget: Bounds of what the models may use: money, tokens and seconds. Where they end, requirements
            are worded by themselves. Turns and tool calls are given by the specification.
        policy: Routing policy.
        run: Id to use; made when None.
    """

    specification: Specification
    owner: str
    repo: str
    principal: Principal
    model: str = "auto"
    labels: tuple[str, ...] = ()
    dry_run: bool = False
    create_tool: str = "github.issues_create"
    list_tool: str = "github.issues_list"
    budget: Budget = field(default_factory=Budget)
    policy: str | None = None
    run: str | None = None

    def check(self) -> None:
        """Do nothing when it can be done.

        Raises:
            InvalidRequestError: The specification holds no requirement, or a label is none.
        """
        specification = self.specification
        if not specification.requirements:
            raise InvalidRequestError(
                f"{specification.name} holds no requirement.",
                field="spec",
                remedy="Write requirements as list items, table rows, numbered clauses or paragraphs.",
            )
        for label in self.labels:
            if not label.strip() or len(label) > _LONGEST_LABEL or not label.isprintable():
                raise InvalidRequestError(
                    f"{label!r} is no label.",
                    field="labels",
                    remedy=f"A label has 1 to {_LONGEST_LABEL} characters, none of them a line end.",
                )
