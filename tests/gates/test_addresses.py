"""The repository works on any machine and against any mirror."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from house.addresses import absolute_paths, registry_hosts
from house.tree import ROOT, Finding, assert_none, relative, repository_files

Rule = Callable[[str, str], Iterator[Finding]]


def broken(rule: Rule) -> Iterator[Finding]:
    """What a rule finds in every text file of the repository."""
    for path in repository_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        yield from rule(relative(path), text)


@pytest.mark.parametrize("rule", [registry_hosts, absolute_paths], ids=["registry hosts", "absolute paths"])
def test_no_file_names_a_registry_or_a_path_of_one_machine(rule: Rule) -> None:
    """Tracked files, and those that would be."""
    assert_none(broken(rule))


@pytest.mark.parametrize(
    "host", [("pypi", "org"), ("files", "pythonhosted", "org"), ("registry", "npmjs", "org")]
)
def test_the_host_of_a_registry_is_caught(host: tuple[str, ...]) -> None:
    """Alone, in an address, and below a further name."""
    name = ".".join(host)
    assert list(registry_hosts("a.md", f"see {name}"))
    assert list(registry_hosts("a.md", f"https://{name}/simple"))
    assert list(registry_hosts("a.md", f"mirror.{name}"))
    assert not list(registry_hosts("a.md", f"{name}-like"))


@pytest.mark.parametrize(
    "path", [("work", "main", "x"), ("tmp", "x"), ("home", "ada", "x"), ("root", ".cache", "x")]
)
def test_an_absolute_path_of_one_machine_is_caught(path: tuple[str, ...]) -> None:
    """Folders that exist on the machine of whoever wrote the line."""
    assert list(absolute_paths("a.py", f'open("/{"/".join(path)}")'))


def test_the_checkout_and_the_home_folder_are_caught_wherever_they_are() -> None:
    """The pattern is made from where this run stands."""
    for folder in (ROOT, Path.home()):
        assert list(absolute_paths("a.py", f'open("{folder}/notes")'))


@pytest.mark.parametrize(
    "text", ["https://example.org/home/ada/x", "./tmp/x", "$HOME/work/x", "{tmp_path}/tmp/x"]
)
def test_a_relative_path_or_one_of_an_address_passes(text: str) -> None:
    """What only looks like one."""
    assert not list(absolute_paths("a.py", text))
