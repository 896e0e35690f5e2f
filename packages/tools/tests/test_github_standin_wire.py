"""The stand-in for GitHub on the wire: what it takes for a request, and how it starts and ends."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock_core.jsontypes import JsonObject, as_array, as_object
from interlock_tools.testing.github import GitHubStandIn, main

REPO = "/repos/acme/notes"


def call(github: GitHubStandIn, method: str, target: str, value: object = None) -> tuple[int, JsonObject]:
    """Send one request on a connection of its own."""
    headers = {"user-agent": "test", "authorization": f"Bearer {github.token}"}
    connection = http.client.HTTPConnection(urlsplit(github.url).netloc, timeout=30)
    try:
        connection.request(method, target, None if value is None else json.dumps(value), headers)
        response = connection.getresponse()
        return response.status, as_object(json.loads(response.read()))
    finally:
        connection.close()


def raw(github: GitHubStandIn, data: bytes) -> bytes:
    """Send bytes as they are and read until the server closes."""
    address = urlsplit(github.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


@pytest.fixture
def github() -> Iterator[GitHubStandIn]:
    """A running stand-in for acme/notes."""
    with GitHubStandIn(owner="acme", repo="notes") as running:
        yield running


def test_many_requests_share_one_connection(github: GitHubStandIn) -> None:
    """The connection stays open between requests."""
    connection = http.client.HTTPConnection(urlsplit(github.url).netloc, timeout=30)
    headers = {"authorization": f"Bearer {github.token}", "user-agent": "test"}
    for number in range(1, 4):
        connection.request("POST", f"{REPO}/issues", json.dumps({"title": "t"}), headers)
        assert as_object(json.loads(connection.getresponse().read()))["number"] == number
    connection.close()


def test_a_chunked_body_is_read(github: GitHubStandIn) -> None:
    """Chunks, extensions and trailers are put together to the body."""
    head = (
        f"POST {REPO}/issues HTTP/1.1\r\nHost: x\r\nUser-Agent: t\r\nAuthorization: Bearer {github.token}\r\n"
        "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    ).encode()
    answer = raw(github, head + b'8;x=1\r\n{"title"\r\n5\r\n:"t"}\r\n0\r\nTrailer: 1\r\n\r\n')
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created")
    assert github.requests[0].body == b'{"title":"t"}'


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET\r\n\r\n", 400),
        (b"GET http://other/ HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nname : x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\na: b\n c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nx: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 70_000 + b"\r\n", 400),
    ],
)
def test_bytes_that_are_no_request_are_refused_and_the_connection_closed(
    github: GitHubStandIn, data: bytes, status: int
) -> None:
    """One answer, `connection: close`, and nothing was carried out."""
    answer = raw(github, data)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"connection: close" in answer
    assert github.requests == ()


@pytest.mark.parametrize("data", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab"])
def test_a_client_that_leaves_early_is_forgotten(github: GitHubStandIn, data: bytes) -> None:
    """No answer, no record, and the next client is served."""
    assert raw(github, data) == b""
    assert github.requests == ()
    assert call(github, "GET", REPO)[0] == 200


def test_the_old_version_of_the_protocol_closes_by_itself(github: GitHubStandIn) -> None:
    """HTTP/1.0 is answered and the connection ends."""
    answer = raw(github, b"GET /acme/notes HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"connection: close" in answer


@settings(max_examples=60, deadline=None)
@given(
    title=st.text(min_size=1, max_size=256).filter(lambda text: text.strip() != ""),
    body=st.none() | st.text(max_size=400),
    labels=st.lists(st.text(min_size=1, max_size=50).filter(lambda text: text.strip() != ""), max_size=4),
)
def test_whatever_text_is_sent_comes_back_unchanged(title: str, body: str | None, labels: list[str]) -> None:
    """Titles, bodies and labels of any characters survive the way in and out."""
    github = _shared()
    _, made = call(github, "POST", f"{REPO}/issues", {"title": title, "body": body, "labels": labels})
    _, read = call(github, "GET", f"{REPO}/issues/{made['number']}")
    assert (read["title"], read["body"]) == (title, body)
    names = [str(as_object(label)["name"]).casefold() for label in as_array(read["labels"])]
    assert names == list(dict.fromkeys(label.casefold() for label in labels))


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=300))
def test_no_bytes_stop_the_server(data: bytes) -> None:
    """Whatever one client sends, the next is served."""
    github = _shared()
    raw(github, data)
    assert call(github, "GET", REPO)[0] == 200


_running: list[GitHubStandIn] = []


def _shared() -> GitHubStandIn:
    """One stand-in for all examples of the properties; it ends with this module."""
    if not _running:
        github = GitHubStandIn(owner="acme", repo="notes", rate_limit=1_000_000)
        github.start()
        _running.append(github)
    return _running[0]


def teardown_module() -> None:
    """Stop the shared stand-in."""
    for github in _running:
        github.stop()


def test_a_taken_port_is_an_error_at_the_start(github: GitHubStandIn) -> None:
    """The caller learns it before anything runs."""
    port = urlsplit(github.url).port or 0
    with pytest.raises(OSError, match="in use"):
        GitHubStandIn(port=port).start()
    assert main(["--port", str(port)]) == 1


def test_a_stand_in_that_never_started_stops_quietly() -> None:
    """`stop` does nothing then, and asks no port."""
    github = GitHubStandIn()
    github.stop()
    assert github.url == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_as_a_program_and_says_where(number: signal.Signals) -> None:
    """The first line is JSON; a signal ends it with 0."""
    command = [sys.executable, "-m", "interlock_tools.testing.github", "--owner", "acme", "--repo", "notes"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ}) as process:
        assert process.stdout is not None
        facts = as_object(json.loads(process.stdout.readline()))
        address = urlsplit(str(facts["url"]))
        connection = http.client.HTTPConnection(address.netloc, timeout=30)
        headers = {"authorization": f"Bearer {facts['token']}", "user-agent": "test"}
        connection.request("GET", REPO, headers=headers)
        assert connection.getresponse().status == 200
        connection.close()
        process.send_signal(number)
        assert process.wait(30) == 0
