"""Lets a model word one issue, and keeps the truth where the model is weak.

The requirement itself stands in every issue word for word with its source lines. The model adds a title, a
short summary and labels; what of it is not grounded in the requirement is left out, and a title that fails is
made from the requirement's own first words. `drafted_by` says which of the two it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from interlock_core import Completion, CompletionRequest, JsonObject, ResponseFormat
from interlock_core.jsontypes import as_array, as_object, as_text, parse_json
from interlock_core.messages import system, user
from interlock_pipeline.spec_to_github._body import body_of
from interlock_pipeline.spec_to_github._grounding import (
    adds_nothing,
    grounded_labels,
    grounded_part,
    is_grounded,
    is_terse,
    names_it,
)
from interlock_pipeline.spec_to_github._title import (
    TITLE_LENGTH,
    capital,
    clean_title,
    plain_title,
    without_prefix,
)
from interlock_pipeline.spec_to_github._words import REASONS
from interlock_pipeline.specification import Requirement

_PROMPT_LENGTH = 1_600
_SHOWN = 80
_SYSTEM = (
    "You turn a requirement of a software specification into a GitHub issue. "
    "The title repeats the most important words of the requirement, as a command. "
    "The summary restates it in one sentence. Invent nothing."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueDraft:
    """An issue before it is sent.

    Attributes:
        title: At most 80 characters; no other issue of the run has it.
        body: Markdown: summary, the requirement word for word, its source lines, a marker.
        labels: Names.
        requirements: Ids of the requirements that it covers.
        marker: Text that is the same for the same requirement in every run.
        drafted_by: Whether the title is the model's or made from the requirement.
        note: Why the model's words were not taken; empty when they were.
        completion: The model's answer, when there was one.
    """

    title: str
    body: str
    labels: tuple[str, ...]
    requirements: tuple[str, ...]
    marker: str
    drafted_by: Literal["model", "structure"]
    note: str = ""
    completion: Completion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What one issue is to be made of.

    Attributes:
        requirement: What it is about.
        specification: File name of the specification.
        marker: The requirement's marker.
        labels: Labels that every issue gets.
    """

    requirement: Requirement
    specification: str
    marker: str
    labels: tuple[str, ...] = ()


def answer_schema() -> JsonObject:
    """JSON Schema of the model's answer."""
    return {
        "type": "object",
        "properties": {
            "title": {"type": "string", "minLength": 3, "maxLength": TITLE_LENGTH},
            "summary": {"type": "string", "minLength": 3, "maxLength": 240},
            "labels": {
                "type": "array",
                "items": {"type": "string", "enum": list(REASONS)},
                "minItems": 1,
                "maxItems": 2,
            },
        },
        "required": ["title", "summary", "labels"],
        "additionalProperties": False,
    }


def question(assignment: Assignment, *, model: str, max_tokens: int) -> CompletionRequest:
    """The request for the words of one issue.

    A section is shown where the requirement needs it: small models take it for what is asked.
    """
    requirement = assignment.requirement
    text = requirement.text or requirement.source
    cut = text if len(text) <= _PROMPT_LENGTH else f"{text[:_PROMPT_LENGTH]}…"
    where = ""
    if requirement.path and is_terse(requirement.text):
        where = f"Section: {requirement.path[-1][:_PROMPT_LENGTH]}\n"
    return CompletionRequest(
        model=model,
        messages=(system(_SYSTEM), user(f"{where}Requirement: {cut}")),
        response_format=ResponseFormat(name="issue", schema=answer_schema()),
        max_tokens=max_tokens,
        temperature=0.0,
    )


def from_answer(assignment: Assignment, completion: Completion) -> IssueDraft:
    """The issue in a model's words, as far as they hold."""
    try:
        answer = as_object(parse_json(_bare(completion.text)))
    except (ValueError, RecursionError):
        note = f"the model's answer is not JSON (it ended with {completion.finish})"
        return from_structure(assignment, note=note, completion=completion)
    requirement = assignment.requirement
    sources = (requirement.text, *requirement.path)
    chosen = [label for label in map(as_text, as_array(answer.get("labels"))) if label]
    title = capital(clean_title(as_text(answer.get("title")) or ""), requirement)
    summary = grounded_part(without_prefix(as_text(answer.get("summary")) or ""), sources)
    problem = _problem(title, sources)
    return _draft(
        assignment,
        title=plain_title(requirement) if problem else title,
        summary="" if adds_nothing(summary, requirement.text) else summary,
        labels=grounded_labels(chosen, sources),
        note=problem,
        completion=completion,
    )


def from_structure(assignment: Assignment, *, note: str, completion: Completion | None = None) -> IssueDraft:
    """The issue in the requirement's own words.

    Args:
        assignment: What it is made of.
        note: Why no model worded it.
        completion: What the model said, if it said something.
    """
    title = plain_title(assignment.requirement)
    return _draft(assignment, title=title, summary="", labels=(), note=note, completion=completion)


def _draft(
    assignment: Assignment,
    *,
    title: str,
    summary: str,
    labels: Sequence[str],
    note: str,
    completion: Completion | None,
) -> IssueDraft:
    requirement, marker = assignment.requirement, assignment.marker
    return IssueDraft(
        title=title,
        body=body_of(requirement, specification=assignment.specification, summary=summary, marker=marker),
        labels=tuple(dict.fromkeys([*labels, *assignment.labels])),
        requirements=(requirement.id,),
        marker=marker,
        drafted_by="structure" if note else "model",
        note=note,
        completion=completion,
    )


def _problem(title: str, sources: Sequence[str]) -> str:
    """Why a model's title is not taken; empty when it is."""
    if not title:
        return "the model's answer has no title"
    if not is_grounded(title, sources):
        return f"the model's title {title[:_SHOWN]!r} says what the requirement does not"
    if not names_it(title, sources[0]):
        return f"the model's title {title[:_SHOWN]!r} does not say what the requirement is about"
    return ""


def _bare(text: str) -> str:
    """The JSON of an answer, which some models put into a block of code."""
    words = text.strip()
    if words.startswith("```") and words.endswith("```"):
        return words[3:-3].removeprefix("json")
    return words
