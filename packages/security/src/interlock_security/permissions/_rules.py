"""Rules: which calls and which administration they speak of, and when one covers another."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import translate
from functools import lru_cache

from interlock_core.call import Call, CallKind
from interlock_core.errors import ConfigurationError
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.nearest import suggestion
from interlock_core.toolspec import Effect

_FIELDS = ("tools", "categories", "effects", "models", "manage")
_SHORT = {
    "tool": "tools",
    "category": "categories",
    "effect": "effects",
    "model": "models",
    "manage": "manage",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of a role. Within a field any pattern may match; the tool fields must match together.

    Attributes:
        tools: Patterns of tool names, such as `github.*`; `*` is any text, dots included.
        categories: Patterns of tool categories; empty means any.
        effects: Effects; empty means any.
        models: Patterns of `provider/model` and `auto…`.
        manage: Patterns of areas of administration, such as `keys` or `audit.read`.
    """

    tools: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    effects: frozenset[Effect] = field(default_factory=frozenset[Effect])
    models: tuple[str, ...] = ()
    manage: tuple[str, ...] = ()

    @property
    def about_tools(self) -> bool:
        """Whether the rule speaks of tools."""
        return bool(self.tools or self.categories or self.effects)

    def matches(self, call: Call) -> bool:
        """Whether the rule speaks of this call."""
        if call.kind is CallKind.MODEL:
            return _any(self.models, call.name)
        return (
            self.about_tools
            and (not self.tools or _any(self.tools, call.name))
            and (not self.categories or _any(self.categories, call.category))
            and (not self.effects or call.effect in self.effects)
        )

    def permits(self, call: Call) -> bool:
        """Whether the rule, as one that allows, is enough for this call.

        `auto` asks for whichever model may be asked: a rule about any model is enough for it, because the
        router asks again about every model that it would choose.
        """
        if call.kind is CallKind.MODEL and (call.name == "auto" or call.name.startswith("auto/")):
            return bool(self.models)
        return self.matches(call)

    def manages(self, area: str) -> bool:
        """Whether the rule speaks of this area of administration."""
        return _any(self.manage, area)

    def covers(self, other: "Rule") -> bool:
        """Whether whatever `other` speaks of, this rule speaks of too. Doubt is a no."""
        tools = not other.about_tools or (
            self.about_tools
            and _covers(self.tools, other.tools)
            and _covers(self.categories, other.categories)
            and (not self.effects or (bool(other.effects) and other.effects <= self.effects))
        )
        models = not other.models or (bool(self.models) and _covers(self.models, other.models))
        manage = not other.manage or (bool(self.manage) and _covers(self.manage, other.manage))
        return tools and models and manage

    def parts(self) -> tuple["Rule", ...]:
        """The rule as rules that each speak of one thing: tools, models or administration."""
        parts: list[Rule] = []
        if self.about_tools:
            parts.append(Rule(tools=self.tools, categories=self.categories, effects=self.effects))
        if self.models:
            parts.append(Rule(models=self.models))
        if self.manage:
            parts.append(Rule(manage=self.manage))
        return tuple(parts)

    def __str__(self) -> str:
        values: Mapping[str, Iterable[str]] = {
            "tools": self.tools,
            "categories": self.categories,
            "effects": [effect.value for effect in Effect if effect in self.effects],
            "models": self.models,
            "manage": self.manage,
        }
        return "; ".join(f"{name} {', '.join(items)}" for name, items in values.items() if items)

    @classmethod
    def parse(cls, text: str) -> "Rule":
        """A rule from its short form: `tool:`, `category:`, `effect:`, `model:` or `manage:` and a pattern.

        Raises:
            ValueError: It is none; the message says why.
        """
        kind, _, pattern = text.partition(":")
        field = _SHORT.get(kind)
        if field is None or not pattern:
            raise ValueError(
                "write tool:PATTERN, category:PATTERN, effect:NAME, model:PATTERN or manage:AREA"
            )
        if field == "effects":
            return cls(effects=frozenset({_effect(pattern)}))
        values: dict[str, tuple[str, ...]] = {field: (pattern,)}
        return cls(
            tools=values.get("tools", ()),
            categories=values.get("categories", ()),
            models=values.get("models", ()),
            manage=values.get("manage", ()),
        )

    @classmethod
    def from_config(cls, value: Json, *, where: str) -> "Rule":
        """A rule from configuration data: its short form, or a table with one or more of its fields.

        Raises:
            ConfigurationError: A field is unknown or wrong, or there is none; `field` names it.
        """
        try:
            if isinstance(value, str):
                return cls.parse(value)
            if not isinstance(value, dict):
                raise ConfigurationError(
                    "A rule is a text or a table.", field=where, remedy='Such as "tool:github.*".'
                )
            return cls._from_table(value, where)
        except ValueError as exc:
            raise ConfigurationError(f"This is no rule: {exc}.", field=where) from exc

    @classmethod
    def _from_table(cls, value: JsonObject, where: str) -> "Rule":
        for name in value:
            if name not in _FIELDS:
                raise ConfigurationError(
                    f"A rule has no field {name}.",
                    field=f"{where}.{name}",
                    remedy=suggestion(name, _FIELDS),
                )
        texts = {name: texts_from_config(value.get(name), where=f"{where}.{name}") for name in _FIELDS}
        if not any(texts.values()):
            raise ConfigurationError("A rule that names nothing would say nothing.", field=where)
        return cls(
            tools=texts["tools"],
            categories=texts["categories"],
            effects=frozenset(map(_effect, texts["effects"])),
            models=texts["models"],
            manage=texts["manage"],
        )


def texts_from_config(value: Json, *, where: str) -> tuple[str, ...]:
    """A list of texts that are not empty; an absent one is an empty list.

    Raises:
        ConfigurationError: It is something else.
    """
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ConfigurationError("This is a list of texts.", field=where)
    texts = [item for item in value if isinstance(item, str) and item]
    if len(texts) != len(value) or not texts:
        raise ConfigurationError("This is a list of texts, none of them empty.", field=where)
    return tuple(texts)


def pattern_matches(pattern: str, text: str) -> bool:
    """Whether a pattern (`*`, `?`, `[…]`) matches a whole text; case matters."""
    return _compiled(pattern).match(text) is not None


def pattern_covers(wide: str, narrow: str) -> bool:
    """Whether every text that `narrow` matches is matched by `wide`; false where that is hard to tell."""
    if wide in {"*", narrow}:
        return True
    if not _is_pattern(narrow):
        return pattern_matches(wide, narrow)
    stem = wide.removesuffix("*")
    return stem != wide and not _is_pattern(stem) and narrow.startswith(stem)


def _covers(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    if not wide or "*" in wide:
        return True
    return bool(narrow) and all(any(pattern_covers(one, item) for one in wide) for item in narrow)


def _any(patterns: tuple[str, ...], text: str) -> bool:
    return any(pattern_matches(pattern, text) for pattern in patterns)


def _is_pattern(text: str) -> bool:
    return any(char in text for char in "*?[")


def _effect(name: str) -> Effect:
    try:
        return Effect(name)
    except ValueError:
        known = ", ".join(effect.value for effect in Effect)
        raise ValueError(f"there is no effect {name[:40]!r}, only {known}") from None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))
