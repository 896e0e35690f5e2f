"""`interlock limits`, from setting one to being refused by it."""

from typing import TYPE_CHECKING

from interlock_core.jsontypes import as_array, as_object
from interlock_providers.testing import OpenAIChatServer

if TYPE_CHECKING:
    from .conftest import CommandLine


def test_a_limit_is_set_holds_and_is_cleared(acme: "CommandLine", vendor: OpenAIChatServer) -> None:
    """Between commands, each a process of its own to the limit."""
    assert acme("limits", "list", "--json").document == {"limits": []}
    set_ = acme("limits", "set", "user", "requests", "1", "--window", "1h", "--json")
    assert set_.document["id"] == "user:*:requests:3600s"
    assert acme("ask", "hello", "-m", "acme/small").code == 0
    refused = acme("ask", "hello", "-m", "acme/small")
    assert refused.code == 3
    assert "user:*:requests:3600s" in refused.err
    assert [request.method for request in vendor.requests].count("POST") == 1
    (row,) = as_array(acme("limits", "list", "--json").document["limits"])
    assert as_object(row)["origin"] == "store"
    assert acme("limits", "clear", "user:*:requests:3600s").code == 0
    assert acme("ask", "hello", "-m", "acme/small").code == 0


def test_what_is_wrong_is_told_with_its_exit_code(cli: "CommandLine") -> None:
    """Usage, an unknown limit, and one that the file declares."""
    assert cli("limits", "set", "everybody", "requests", "1").code == 2
    assert cli("limits", "clear", "user:*:requests:60s").code == 2
    file = cli.folder / "config.toml"
    file.write_text('[[limits]]\nscope = "user"\nlimit = 5\n', "utf-8")
    declared = cli("--config", str(file), "limits", "clear", "user:*:requests:60s")
    assert declared.code == 4
    assert f"{file}:1" in declared.err
