"""`interlock quota`: list, set, usage, override."""

from typing import TYPE_CHECKING

import pytest

from interlock_core.jsontypes import as_array, as_object

if TYPE_CHECKING:
    from .conftest import CommandLine


@pytest.mark.promise("A8")
def test_quotas_are_set_shown_raised_and_cleared(cli: "CommandLine") -> None:
    """In words and in JSON."""
    assert "No quota yet" in cli("quota", "list").err
    made = cli("quota", "set", "user", "ada", "--day-usd", "5", "--threshold", "90", "--json")
    assert (made.code, made.document["day_usd"], made.document["thresholds"]) == (0, 5.0, [90])
    assert "ada" in cli("quota", "list").out
    (row,) = as_array(cli("quota", "list", "--json").document["quotas"])
    assert as_object(row)["origin"] == "store"
    raised = cli(
        "quota", "override", "user", "ada", "day", "20", "--for", "4h", "--reason", "release", "--json"
    )
    assert (raised.code, raised.document["usd"]) == (0, 20.0)
    (used,) = as_array(cli("quota", "usage", "--json").document["usage"])
    assert (as_object(used)["limit_usd"], as_object(used)["left_usd"]) == (20.0, 20.0)
    assert "$20.000000" in cli("quota", "usage", "--scope", "user").out
    assert cli("quota", "set", "user", "ada", "--clear").code == 0
    assert cli("quota", "set", "user", "ada", "--clear").code == 2
    names = cli("audit", "tail", "--json")
    assert all(f"quotas.{name}" in names.out for name in ("set", "override", "clear"))


@pytest.mark.promise("A8")
def test_what_the_file_declares_is_read_only_here(cli: "CommandLine") -> None:
    """With its file and line, and exit code 4."""
    cli.configure('[[quotas]]\nscope = "user"\nname = "ada"\nday_usd = 1\n')
    config = str(cli.folder / "config.toml")
    refused = cli("--config", config, "quota", "set", "user", "ada", "--day-usd", "2")
    assert refused.code == 4
    assert "config.toml:1" in refused.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("set", "user", "ada"), "a day or a month"),
        (("set", "user", "ada", "--day-usd", "1", "--time-zone", "Mars"), "no time zone"),
        (("set", "user", "ada", "--day-usd", "1", "--clear"), "goes with no bound"),
        (("set", "user", "ada", "--day-usd", "1", "--call-usd", "1"), "Only a tool"),
        (("override", "user", "ada", "day", "1", "--for", "1h", "--reason", "x"), "No quota bounds"),
    ],
)
def test_what_makes_no_sense_is_refused(cli: "CommandLine", arguments: tuple[str, ...], words: str) -> None:
    """In one sentence."""
    ran = cli("quota", *arguments)
    assert ran.code != 0
    assert words in ran.err
