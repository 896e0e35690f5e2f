"""Classes of task of one's own come from the configuration."""

from collections.abc import Callable
from pathlib import Path

import pytest

from interlock_core.errors import ConfigurationError
from interlock_runtime import Runtime, Settings, load_settings
from interlock_runtime.settings import TaskSettings

EXAMPLES = (
    "Book this invoice from Contoso under the cost centre marketing.",
    "Which ledger account does the invoice from Adventure Works belong to?",
    "Post the attached supplier invoice and split the VAT.",
)


@pytest.mark.promise("R1")
async def test_a_class_of_ones_own_is_what_the_router_is_told(make: Callable[..., Settings]) -> None:
    """A prompt like the examples has their class, another has one of the built-in ones."""
    settings = make(tasks={"invoices": TaskSettings(examples=EXAMPLES)})
    async with Runtime.open(settings, environment={}) as runtime:
        assert (await runtime.explain("Post the invoice from Fabrikam to sales.")).task == "invoices"
        assert (await runtime.explain("Translate this into French: good day")).task == "translation"


async def test_a_class_without_examples_is_refused_by_name(make: Callable[..., Settings]) -> None:
    """Nothing could be known by it."""
    settings = make(tasks={"invoices": TaskSettings()})
    with pytest.raises(ConfigurationError, match="'invoices' needs a name and examples"):
        async with Runtime.open(settings, environment={}):
            pass


def test_the_table_is_read_from_the_file(tmp_path: Path) -> None:
    """`[tasks.NAME]` with its examples."""
    file = tmp_path / "config.toml"
    file.write_text('[tasks.invoices]\nexamples = ["Book this invoice."]\n', "utf-8")
    environment = {"INTERLOCK_HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path)}
    settings = load_settings(environment, config=str(file))
    assert settings.tasks == {"invoices": TaskSettings(examples=("Book this invoice.",))}
