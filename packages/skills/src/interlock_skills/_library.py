"""The skills of some folders, by name."""

from collections.abc import Sequence
from pathlib import Path

from interlock_core.errors import InvalidRequestError, NotFoundError
from interlock_core.nearest import suggestion
from interlock_skills._skill import Problem, Skill, examine, load


class SkillLibrary:
    """Lists and loads skills from folders that hold one folder a skill.

    A broken skill is listed with its problems and does not take the others down.

    Args:
        folders: Where to look; one that does not exist holds nothing. The first one that holds a name wins.
    """

    __slots__ = ("_folders",)

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)

    def list(self) -> Sequence[Skill]:
        """Every valid skill, sorted by name."""
        return [skill for skill, problems in self._examined().values() if skill is not None and not problems]

    def problems(self) -> dict[str, tuple[Problem, ...]]:
        """What is wrong with the others, by folder name."""
        return {name: problems for name, (_, problems) in self._examined().items() if problems}

    def get(self, name: str) -> Skill:
        """One skill by its name.

        Raises:
            NotFoundError: There is none; the remedy names the nearest.
            InvalidRequestError: It is there but not valid.
        """
        for folder in self._folders:
            if "/" not in name and "\\" not in name and (folder / name / "SKILL.md").is_file():
                return load(folder / name)
        raise NotFoundError(
            f"There is no skill {name}.", field="skill", remedy=suggestion(name, self._examined().keys())
        )

    def _examined(self) -> dict[str, tuple[Skill | None, tuple[Problem, ...]]]:
        found: dict[str, tuple[Skill | None, tuple[Problem, ...]]] = {}
        for parent in self._folders:
            for folder in sorted(parent.iterdir()) if parent.is_dir() else ():
                if folder.name not in found and (folder / "SKILL.md").is_file():
                    found[folder.name] = self._safely(folder)
        return dict(sorted(found.items()))

    @staticmethod
    def _safely(folder: Path) -> tuple[Skill | None, tuple[Problem, ...]]:
        try:
            return examine(folder)
        except (InvalidRequestError, NotFoundError, OSError) as error:
            return None, (Problem(field="SKILL.md", message=str(error), remedy="Check the file."),)
