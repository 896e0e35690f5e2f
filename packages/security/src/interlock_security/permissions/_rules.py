"""Rules: which calls and which administration they speak of, and when one covers another."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from interlock_core.call import Call, CallKind
from interlock_core.errors import ConfigurationError
from interlock_core.jsontypes import Json, JsonObject
from interlock_core.nearest import suggestion
from interlock_core.toolspec import Effect
from interlock_security.permissions._conditions import CONDITIONS, Conditions
from interlock_security.permissions._patterns import any_matches, patterns_cover

_FIELDS = ("tools", "categories", "effects", "models", "manage")
_NO_CONDITIONS = Conditions()
_MOST_EYES = 9
_MODEL = CallKind.MODEL  # its class looks a member up anew each time, and this is asked for every rule
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
        conditions: What must hold beside that, for tools and models alone.
        four_eyes: Of a rule that asks for approval: how many people, other than who asks, must say yes; with
            0 one yes is enough, whoever gives it.
    """

    tools: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    effects: frozenset[Effect] = field(default_factory=frozenset[Effect])
    models: tuple[str, ...] = ()
    manage: tuple[str, ...] = ()
    conditions: Conditions = _NO_CONDITIONS
    four_eyes: int = 0

    @property
    def about_tools(self) -> bool:
        """Whether the rule speaks of tools."""
        return bool(self.tools or self.categories or self.effects)

    def matches(self, call: Call) -> bool:
        """Whether the rule speaks of this call, its conditions left aside."""
        if call.kind is _MODEL:
            return any_matches(self.models, call.name)
        return (
            self.about_tools
            and (not self.effects or call.effect in self.effects)
            and (not self.tools or any_matches(self.tools, call.name))
            and (not self.categories or any_matches(self.categories, call.category))
        )

    def permits(self, call: Call) -> bool:
        """Whether the rule, as one that allows, is enough for this call.

        `auto` asks for whichever model may be asked: a rule about any model is enough for it, because the
        router asks again about every model that it would choose.
        """
        if call.kind is _MODEL and (call.name == "auto" or call.name.startswith("auto/")):
            return bool(self.models)
        return self.matches(call)

    def manages(self, area: str) -> bool:
        """Whether the rule speaks of this area of administration."""
        return any_matches(self.manage, area)

    def covers(self, other: "Rule") -> bool:
        """Whether whatever `other` speaks of, this rule speaks of too. Doubt is a no."""
        tools = not other.about_tools or (
            self.about_tools
            and patterns_cover(self.tools, other.tools)
            and patterns_cover(self.categories, other.categories)
            and (not self.effects or (bool(other.effects) and other.effects <= self.effects))
        )
        models = not other.models or (bool(self.models) and patterns_cover(self.models, other.models))
        manage = not other.manage or (bool(self.manage) and patterns_cover(self.manage, other.manage))
        narrower = not self.conditions or self.conditions == other.conditions
        return tools and models and manage and narrower

    def parts(self) -> tuple["Rule", ...]:
        """The rule as rules that each speak of one thing: tools, models or administration."""
        parts: list[Rule] = []
        nothing = frozenset[Effect]()
        if self.about_tools:
            parts.append(replace(self, models=(), manage=()))
        if self.models:
            parts.append(replace(self, tools=(), categories=(), effects=nothing, manage=()))
        if self.manage:
            parts.append(replace(self, tools=(), categories=(), effects=nothing, models=()))
        return tuple(parts)

    def __str__(self) -> str:
        values: Mapping[str, Iterable[str]] = {
            "tools": self.tools,
            "categories": self.categories,
            "effects": [effect.value for effect in Effect if effect in self.effects],
            "models": self.models,
            "manage": self.manage,
        }
        said = "; ".join(f"{name} {', '.join(items)}" for name, items in values.items() if items)
        said += f" when {self.conditions}" if self.conditions else ""
        return f"{said} (approved by {self.four_eyes} others)" if self.four_eyes else said

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
    def from_config(cls, value: Json, *, where: str, asks: bool = False) -> "Rule":
        """A rule from configuration data: its short form, or a table with one or more of its fields.

        Args:
            value: The data.
            where: The place of it, for errors.
            asks: It is one that asks for approval.

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
            return cls._from_table(value, where, asks=asks)
        except ValueError as exc:
            raise ConfigurationError(f"This is no rule: {exc}.", field=where) from exc

    @classmethod
    def _from_table(cls, value: JsonObject, where: str, *, asks: bool) -> "Rule":
        known = (*_FIELDS, *CONDITIONS, *(("four_eyes",) if asks else ()))
        for name in value:
            if name not in known:
                raise ConfigurationError(
                    f"A rule has no field {name}.", field=f"{where}.{name}", remedy=suggestion(name, known)
                )
        texts = {name: texts_from_config(value.get(name), where=f"{where}.{name}") for name in _FIELDS}
        if not any(texts.values()):
            raise ConfigurationError("A rule that names nothing would say nothing.", field=where)
        conditions = Conditions.from_config(value, where=where)
        if conditions and texts["manage"]:
            raise ConfigurationError(
                "Conditions hold for tools and models, not for administration.",
                field=f"{where}.manage",
                remedy="Write the administration in a rule of its own.",
            )
        return cls(
            tools=texts["tools"],
            categories=texts["categories"],
            effects=frozenset(map(_effect, texts["effects"])),
            models=texts["models"],
            manage=texts["manage"],
            conditions=conditions,
            four_eyes=_eyes(value.get("four_eyes", 0), f"{where}.four_eyes"),
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


def _eyes(value: Json, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_EYES:
        raise ConfigurationError(
            "This is a number of people.", field=where, remedy=f"Write 1 to {_MOST_EYES}."
        )
    return value


def _effect(name: str) -> Effect:
    try:
        return Effect(name)
    except ValueError:
        known = ", ".join(effect.value for effect in Effect)
        raise ValueError(f"there is no effect {name[:40]!r}, only {known}") from None
