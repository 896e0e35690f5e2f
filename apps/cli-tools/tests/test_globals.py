"""The options that stand anywhere."""

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_cli._globals import Globals, extract

WORDS = ["ask", "hello", "-m", "acme/small", "--max-cost", "1", "-", "x=y"]
FLAGS = {
    "--json": "json",
    "--quiet": "quiet",
    "-q": "quiet",
    "--verbose": "verbose",
    "-v": "verbose",
    "--no-input": "no_input",
}


@st.composite
def mixed(draw: st.DrawFn) -> tuple[list[str], list[str], Globals]:
    """Arguments, what is left of them, and what the global options among them say."""
    arguments, rest, said = list[str](), list[str](), dict[str, bool]()
    config: str | None = None
    for _ in range(draw(st.integers(0, 8))):
        match draw(st.sampled_from(["word", "flag", "value", "joined"])):
            case "word":
                word = draw(st.sampled_from(WORDS))
                arguments.append(word)
                rest.append(word)
            case "flag":
                flag = draw(st.sampled_from(sorted(FLAGS)))
                arguments.append(flag)
                said[FLAGS[flag]] = True
            case "value":
                config = draw(st.sampled_from(["a.toml", "b=c.toml", "-"]))
                arguments += ["--config", config]
            case _:
                config = draw(st.sampled_from(["a.toml", "--odd", "b=c"]))
                arguments.append(f"--config={config}")
    wanted = Globals(
        json=said.get("json", False),
        quiet=said.get("quiet", False),
        verbose=said.get("verbose", False),
        no_input=said.get("no_input", False),
        config=config,
    )
    return arguments, rest, wanted


def same(one: Globals, other: Globals) -> bool:
    """Whether two say the same."""
    names = ("json", "quiet", "verbose", "no_input", "config", "server")
    return all(getattr(one, name) == getattr(other, name) for name in names)


@given(mixed())
def test_global_options_are_found_wherever_they_stand(case: tuple[list[str], list[str], Globals]) -> None:
    """The rest keeps its order, and the last value of an option counts."""
    arguments, rest, wanted = case
    found, left = extract(arguments)
    assert left == rest
    assert same(found, wanted)


@given(mixed(), st.lists(st.sampled_from([*FLAGS, *WORDS, "--config"])))
def test_nothing_is_taken_from_behind_two_hyphens(
    case: tuple[list[str], list[str], Globals], behind: list[str]
) -> None:
    """What stands after `--` belongs to the command, whatever it looks like."""
    arguments, rest, wanted = case
    found, left = extract([*arguments, "--", *behind])
    assert left == [*rest, "--", *behind]
    assert same(found, wanted)


@pytest.mark.parametrize("arguments", [["--config"], ["--config="], ["--server", "--json"], ["--server="]])
def test_an_option_without_its_value_is_refused(arguments: list[str]) -> None:
    """The message names the option."""
    with pytest.raises(click.UsageError, match=arguments[0].rstrip("=")):
        extract(arguments)
