"""One skill: the front matter of a SKILL.md, checked against the open Agent Skills format.

Source of the rules: the Agent Skills specification (agentskills.io): `name` 1-64 characters of lower-case
letters, digits and single hyphens, equal to the folder's name; `description` 1-1024 characters;
`compatibility` at most 500; `license`, `metadata` (texts) and `allowed-tools` optional.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from interlock_core.errors import InvalidRequestError, NotFoundError
from interlock_core.nearest import suggestion

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_NAME_LENGTH = 64
_DESCRIPTION_LENGTH = 1024
_COMPATIBILITY_LENGTH = 500
_LARGEST = 1024 * 1024
_KNOWN = ("allowed-tools", "compatibility", "description", "license", "metadata", "name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """A skill that was loaded and found valid.

    Attributes:
        name: Its name, also its folder's.
        description: What it does and when to use it.
        instructions: The Markdown after the front matter.
        folder: Where it is.
        license: Its licence, if it names one.
        compatibility: What it needs around it, if it says so.
        allowed_tools: Name patterns of the tools that it may use; empty when it names none.
        metadata: Further texts.
        files: The other files of the folder, relative, sorted.
    """

    name: str
    description: str
    instructions: str = field(repr=False)
    folder: Path
    license: str | None = None
    compatibility: str | None = None
    allowed_tools: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong with a skill.

    Attributes:
        field: Field of the front matter, or `SKILL.md` for the file.
        message: What is wrong.
        remedy: What to do.
    """

    field: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message} {self.remedy}"


def load(folder: Path) -> Skill:
    """Load one skill folder.

    Raises:
        NotFoundError: There is no such folder.
        InvalidRequestError: The skill breaks the format; the message lists every problem.
    """
    skill, problems = examine(folder)
    if skill is None or problems:
        raise InvalidRequestError(
            f"The skill {folder.name} is not valid: {' '.join(map(str, problems))}", field=problems[0].field
        )
    return skill


def examine(folder: Path) -> tuple[Skill | None, tuple[Problem, ...]]:
    """Load a skill folder and list everything wrong with it.

    Returns:
        The skill when its front matter could be read, and the problems; a valid one has none.

    Raises:
        NotFoundError: There is no such folder.
    """
    text = _text(folder)
    if isinstance(text, Problem):
        return None, (text,)
    parts = _parts(text)
    if isinstance(parts, Problem):
        return None, (parts,)
    front, instructions = parts
    problems = list(_problems(front, folder.resolve().name))
    if not instructions.strip():
        problems.append(
            Problem(field="SKILL.md", message="There are no instructions.", remedy="Write some below.")
        )
    return _skill(front, instructions, folder), tuple(problems)


def _text(folder: Path) -> str | Problem:
    file = folder / "SKILL.md"
    if not folder.is_dir():
        raise NotFoundError(
            f"There is no folder {folder}.", field="skill", remedy="Give the folder of a skill."
        )
    if not file.is_file():
        return Problem(field="SKILL.md", message=f"There is none in {folder}.", remedy="Write one.")
    data = file.read_bytes()
    if len(data) > _LARGEST:
        return Problem(
            field="SKILL.md", message=f"It has {len(data):,} bytes.", remedy=f"At most {_LARGEST:,}."
        )
    try:
        return data.decode("utf-8").removeprefix("\ufeff").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return Problem(field="SKILL.md", message="It is not UTF-8.", remedy="Save it as UTF-8 text.")


def _parts(text: str) -> tuple[Mapping[str, object], str] | Problem:
    if not text.startswith("---\n") or "\n---" not in text[3:]:
        return Problem(
            field="SKILL.md",
            message="It has no front matter.",
            remedy="Begin with --- lines around name and description.",
        )
    end = text.index("\n---", 3)
    import yaml

    try:
        front = cast("object", yaml.safe_load(text[4:end]))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        what = " ".join(str(error).split())[:200]
        return Problem(field="SKILL.md", message=f"Its front matter is not YAML: {what}.", remedy="Mend it.")
    if not isinstance(front, dict):
        return Problem(
            field="SKILL.md", message="Its front matter is no mapping.", remedy="Write `name: …` lines."
        )
    return cast("dict[str, object]", front), text[end + 4 :].lstrip("\n")


def _problems(front: Mapping[str, object], folder: str) -> list[Problem]:
    problems = [*_name_problems(front.get("name"), folder)]
    limits = (("description", _DESCRIPTION_LENGTH, True), ("compatibility", _COMPATIBILITY_LENGTH, False))
    for name, limit, needed in limits:
        value = front.get(name)
        if value is None and not needed:
            continue
        if not isinstance(value, str) or not value.strip():
            problems.append(
                Problem(field=name, message="It is missing or no text.", remedy="Write one sentence.")
            )
        elif len(value) > limit:
            problems.append(
                Problem(field=name, message=f"It has {len(value)} characters.", remedy=f"At most {limit}.")
            )
    for name in ("license", "allowed-tools"):
        if name in front and not isinstance(front[name], str):
            problems.append(
                Problem(field=name, message="It is no text.", remedy="Write it as one line of text.")
            )
    metadata = front.get("metadata", {})
    if not isinstance(metadata, dict) or not all(
        isinstance(key, str) and isinstance(value, str)
        for key, value in cast("dict[object, object]", metadata).items()
    ):
        problems.append(
            Problem(field="metadata", message="It is no mapping of texts.", remedy="Quote its values.")
        )
    problems.extend(
        Problem(
            field=str(name), message="The format has no such field.", remedy=suggestion(str(name), _KNOWN)
        )
        for name in front
        if name not in _KNOWN
    )
    return problems


def _name_problems(name: object, folder: str) -> list[Problem]:
    remedy = "Use 1 to 64 lower-case letters, digits and single hyphens."
    if not isinstance(name, str) or not name:
        return [Problem(field="name", message="It is missing or no text.", remedy=remedy)]
    if len(name) > _NAME_LENGTH or not _NAME.fullmatch(name):
        return [Problem(field="name", message=f"{name!r} is no name of a skill.", remedy=remedy)]
    if name != folder:
        return [
            Problem(
                field="name", message=f"It is {name!r} in a folder {folder!r}.", remedy="Make them equal."
            )
        ]
    return []


def _skill(front: Mapping[str, object], instructions: str, folder: Path) -> Skill:
    metadata = front.get("metadata")
    pairs = cast("dict[object, object]", metadata).items() if isinstance(metadata, dict) else ()
    tools = front.get("allowed-tools")
    files = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "SKILL.md"
    )
    return Skill(
        name=str(front.get("name", "")),
        description=str(front.get("description", "")),
        instructions=instructions,
        folder=folder,
        license=_optional(front.get("license")),
        compatibility=_optional(front.get("compatibility")),
        allowed_tools=tuple(tools.split()) if isinstance(tools, str) else (),
        metadata={str(key): str(value) for key, value in pairs},
        files=tuple(files),
    )


def _optional(value: object) -> str | None:
    return value if isinstance(value, str) else None
