"""Agent Skills folders: load, validate and list."""

from interlock_skills._library import SkillLibrary
from interlock_skills._skill import Problem, Skill, examine, load

__all__ = ["Problem", "Skill", "SkillLibrary", "examine", "load"]
