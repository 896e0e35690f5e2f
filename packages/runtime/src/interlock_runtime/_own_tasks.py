"""The classes of task that the configuration names, joined to the router's classifier."""

from collections.abc import Mapping

from interlock_core.errors import ConfigurationError
from interlock_router import Classifier
from interlock_runtime.settings import TaskSettings


def classifier_of(tasks: Mapping[str, TaskSettings]) -> Classifier:
    """A classifier that knows the classes of `[tasks.NAME]` besides the built-in ones.

    Raises:
        ConfigurationError: A class has no example with a word in it.
    """
    try:
        return Classifier(own={name: entry.examples for name, entry in tasks.items()})
    except ValueError as error:
        raise ConfigurationError(
            f"[tasks]: {error}.",
            field="tasks",
            remedy="Write examples = [...], some ten prompts of the class.",
        ) from error
