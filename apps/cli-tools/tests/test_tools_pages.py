"""`interlock tools call --pages` gathers the pages of a list."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import CommandLine

_LIST = ("tools", "call", "github.issues_list", "--args", '{"owner": "acme", "repo": "notes"}')


def test_a_list_is_gathered_for_who_asks_for_pages(acme: "CommandLine") -> None:
    """As one list; no pages at all is no number of pages."""
    assert acme(*_LIST, "--pages", "5", "--json").document["result"] == []
    refused = acme(*_LIST, "--pages", "0")
    assert refused.code == 2
    assert "--pages" in refused.err
