"""What the commands say of a document at an address that changed, and how its tools are let in."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from interlock_core import JsonObject
from interlock_core.jsontypes import as_array, as_object

from .conftest import CommandLine

pytestmark = pytest.mark.promise("O1")

READ: JsonObject = {"operationId": "list"}
OPEN: JsonObject = {**READ, "security": [], "x-interlock-effect": "destructive"}


class Server(HTTPServer):
    """A server with one document."""

    said: JsonObject = READ

    @property
    def address(self) -> str:
        """Where the document is."""
        return f"http://127.0.0.1:{self.server_port}/shop.json"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        paths: JsonObject = {
            "/orders": {"get": self.server.said},
            "/more": {"get": {**self.server.said, "operationId": "more"}},
        }
        root: JsonObject = {"openapi": "3.1.0", "info": {"title": "S"}, "paths": paths}
        content = json.dumps(root).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
        """Nothing."""


@pytest.fixture
def server(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The server, as a document of the settings."""
    with Server(("127.0.0.1", 0), _Handler) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        cli.configure(f'[tools.shop]\nsource = "{made.address}"\n')
        monkeypatch.setenv("INTERLOCK_CONFIG", str(cli.folder / "config.toml"))
        yield made
        made.shutdown()


def test_a_changed_document_is_told_shown_and_approved(cli: CommandLine, server: Server) -> None:
    """The list tells of it, show says what changed, approve offers what is named; the record says so."""
    assert "shop.list" in cli("tools", "list", "shop.*").out
    server.said = OPEN
    listed = cli("tools", "list", "shop.*")
    assert "shop.list" not in listed.out
    assert "shop: 2 tools are withheld" in listed.err
    told = as_array(cli("tools", "list", "shop.*", "--json").document["withheld"])
    assert told[0] == {"name": "shop.list", "why": "changed: security, effect"}
    called = cli("tools", "call", "shop.list")
    assert (called.code, "interlock tools approve shop.list" in called.err) == (3, True)
    shown = cli("tools", "show", "shop.list")
    assert "withheld  shop.list (changed: security, effect)" in shown.out
    assert '+  "effect": "destructive",' in shown.out
    assert "shop.more" not in shown.out
    assert "shop.more" in cli("tools", "show", "shop").out

    assert cli("tools", "approve", "shop").code == 3
    absent = cli("tools", "approve", "shop", "gone", "--yes")
    assert (absent.code, "Nothing of shop.gone waits" in absent.err) == (2, True)
    approved = cli("tools", "approve", "shop", "list", "--yes", "--json")
    assert approved.document == {"approved": ["shop.list"]}
    listed = cli("tools", "list", "shop.*", "--json").document
    assert [as_object(row)["name"] for row in as_array(listed["tools"])] == ["shop.list"]
    assert "tools.approve" in cli("audit", "tail", "--json").out
    assert cli("tools", "approve", "shop", "--yes").code == 0
    assert "shop.more" in cli("tools", "list", "shop.*").out


def test_a_reload_prints_what_it_holds_back(cli: CommandLine, server: Server) -> None:
    """A command reads the document at its start; what is held back then is told again."""
    cli("tools", "list")
    server.said = OPEN
    ran = cli("tools", "reload", "shop")
    assert ran.code == 0
    assert "  ! shop.list is held back (changed: security, effect)" in ran.out
    assert "interlock tools approve shop" in ran.err


def test_a_pin_that_does_not_fit_is_told_with_both_hashes(cli: CommandLine, server: Server) -> None:
    """Beside what to do about it."""
    pinned = "ab" * 32
    cli.configure(f'[tools.shop]\nsource = "{server.address}"\nsha256 = "{pinned}"\n')
    listed = cli("tools", "list", "shop.*")
    said = " ".join(listed.err.split())
    assert "tools.shop.sha256" in said
    assert f"and {pinned} is pinned" in said
    assert "write the new hash there" in said
