"""Previews: served on loopback to who knows the path, from a copy, until they are stopped or expire."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from interlock_core import JsonObject
from interlock_core.jsontypes import as_array, as_object
from interlock_core.testing import FakeClock
from interlock_tools.devtools._previews import PreviewTools
from interlock_tools.devtools._workspace import Workspace
from interlock_tools.sandbox import NamespaceSandbox

from .dev_ground import Ground, programs, write

pytestmark = pytest.mark.promise("O12")

SITE = {
    "site/index.html": "<h1>Notes</h1>",
    "site/about.html": "about",
    "site/docs/index.html": "docs",
    "site/app.js": "1",
    "site/.env": "TOKEN=hunter2",
    "secret.txt": "not of the site",
}


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    """A folder with a finished site."""
    ground = Ground(write(tmp_path / "notes", SITE))
    yield ground
    await ground.aclose()


async def get(
    url: str, path: str = "", *, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], str]:
    """One request, made byte by byte: status, headers, body."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    lines = {"host": parts.netloc, **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    writer.write(f"{method} {parts.path}{path} HTTP/1.1\r\n{head}\r\n".encode())
    whole = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    top, _, body = whole.partition("\r\n\r\n")
    first, *rest = top.split("\r\n")
    found = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
    return int(first.split(" ")[1]), found, body


async def test_a_finished_site_is_served_until_it_is_stopped(ground: Ground) -> None:
    """Files with their types, index files, pages without their suffix; afterwards nobody answers."""
    preview = await ground.call("deployPreview", path="site")
    url = str(preview["url"])
    assert (preview["files"], preview["builder"]) == (4, "files")
    assert (await get(url))[2] == "<h1>Notes</h1>"
    status, headers, body = await get(url, "app.js")
    assert (status, headers["content-type"], body) == (200, "text/javascript", "1")
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert [(await get(url, path))[2] for path in ("docs/", "docs", "about")] == ["docs", "docs", "about"]
    assert (await get(url, "app.js", method="HEAD"))[2] == ""
    listed = await ground.call("listPreviews")
    assert listed == {"previews": [preview]}
    assert await ground.call("stopPreview", id=preview["id"]) == preview
    assert await ground.call("listPreviews") == {"previews": []}
    with pytest.raises(ConnectionRefusedError):
        await get(url)


async def test_links_from_the_top_work_after_the_first_visit(ground: Ground) -> None:
    """The cookie that the first visit leaves opens absolute paths; without it there is nothing."""
    url = str((await ground.call("deployPreview", path="site"))["url"])
    parts = urlsplit(url)
    _, headers, _ = await get(url)
    cookie = headers["set-cookie"].partition(";")[0]
    assert "HttpOnly; SameSite=Strict" in headers["set-cookie"]
    top = f"http://{parts.netloc}/app.js"
    assert (await get(top, cookie=cookie))[0] == 200
    assert [(await get(top))[0], (await get(top, cookie="interlock-preview=x"))[0]] == [404, 404]
    assert (await get(top, cookie='interlock-preview="\x01'))[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "..%2fsecret.txt",
        "%2e%2e/secret.txt",
        ".env",
        "//etc/passwd",
        "docs/../../secret.txt",
    ],
)
async def test_only_the_files_of_the_preview_are_served(ground: Ground, path: str) -> None:
    """Whatever a path says, there is a table of files and no disk behind it."""
    url = str((await ground.call("deployPreview", path="site"))["url"])
    status, _, body = await get(url, path)
    assert (status, "hunter2" in body, "not of the site" in body) == (404, False, False)


async def test_a_preview_answers_to_its_own_name_and_reads_alone(ground: Ground) -> None:
    """Another host name is a page that was bound to this address; other methods change things."""
    url = str((await ground.call("deployPreview", path="site"))["url"])
    assert (await get(url, host="evil.example"))[0] == 421
    status, headers, _ = await get(url, method="POST")
    assert (status, headers["allow"]) == (405, "GET, HEAD")


async def test_a_client_that_says_nothing_useful_is_let_go(ground: Ground) -> None:
    """Too long a head and a broken connection harm nobody else."""
    url = str((await ground.call("deployPreview", path="site"))["url"])
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 100_000)
    assert await reader.read() == b""
    writer.close()
    assert (await get(url))[0] == 200


async def test_one_file_is_a_preview_too(ground: Ground) -> None:
    """Named by its own name."""
    url = str((await ground.call("deployPreview", path="site/about.html"))["url"])
    assert (await get(url, "about.html"))[2] == "about"


async def test_a_preview_expires_by_itself(tmp_path: Path) -> None:
    """At its time the next visitor finds nothing, and it is listed no longer."""
    clock = FakeClock()
    folder = write(tmp_path / "notes", SITE)
    tools = PreviewTools(Workspace(folder, NamespaceSandbox()), clock=clock)
    first = str((await tools.deploy({"path": "site", "expiresInMinutes": 1}))["url"])
    second = str((await tools.deploy({"path": "site", "expiresInMinutes": 2}))["url"])
    clock.advance(59.0)
    assert (await get(first))[0] == 200
    clock.advance(1.0)
    assert (await get(second))[0] == 200
    with pytest.raises(ConnectionRefusedError):
        await get(first)
    clock.advance(60.0)
    parts = urlsplit(second)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    assert await reader.read() == b""
    writer.close()
    assert tools.list() == {"previews": []}
    await tools.aclose()


async def test_there_are_only_so_many(ground: Ground) -> None:
    """The next one is refused with a remedy, which is no crash."""
    for _ in range(16):
        await ground.call("deployPreview", path="site/app.js")
    with pytest.raises(Exception, match="Stop one"):
        await ground.result("deployPreview", {"path": "site"})
    assert len(as_array((await ground.call("listPreviews"))["previews"])) == 16


async def test_an_unknown_preview_and_an_empty_folder_are_errors(ground: Ground) -> None:
    """With the words that help."""
    assert "no preview" in await ground.refused("stopPreview", id="prv_0123456789abcdef")
    assert "working folder" in await ground.refused("deployPreview", path="nowhere")


NPM = """#!/bin/sh
test "$3" = run || exit 9
cd "$2" && mkdir -p dist/.cache && echo built > dist/index.html && echo noise && test ! -e fail
"""


async def test_a_build_runs_in_the_sandbox_and_its_output_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the script makes is shown; the folder itself stays as it was."""
    monkeypatch.setenv("PATH", programs(tmp_path / "tools", npm=NPM))
    files = {"package.json": '{"scripts": {"build": "x"}}', "web/package.json": "{}"}
    ground = Ground(write(tmp_path / "notes", files))
    for path in (".", "web"):
        preview: JsonObject = await ground.call("deployPreview", path=path, builder="npm")
        assert (await get(str(preview["url"])))[2] == "built\n"
    assert not (ground.folder / "dist").exists()
    write(ground.folder, {"fail": ""})
    assert "noise" in await ground.refused("deployPreview", path=".", builder="npm")
    assert "package.json" in await ground.refused("deployPreview", path="fail", builder="npm")
    await ground.aclose()


async def test_documentation_is_built_where_mkdocs_is(tmp_path: Path) -> None:
    """Without its settings, or without the program, the remedy says what is missing."""
    ground = Ground(write(tmp_path / "notes", {"docs/index.md": "# Hello\n"}))
    assert "no mkdocs.yml" in await ground.refused("deployPreview", path=".", builder="mkdocs")
    write(ground.folder, {"mkdocs.yml": "site_name: Notes\n"})
    result = await ground.result("deployPreview", {"path": ".", "builder": "mkdocs"})
    if result.is_error:
        assert "pip install mkdocs" in result.text
    else:
        url = str(as_object(result.structured)["url"])
        assert "Hello" in (await get(url))[2]
    await ground.aclose()


async def test_a_build_without_output_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to be shown."""
    monkeypatch.setenv("PATH", programs(tmp_path / "tools", npm="#!/bin/sh\nexit 0\n"))
    ground = Ground(write(tmp_path / "notes", {"package.json": "{}"}))
    assert "no files" in await ground.refused("deployPreview", path=".", builder="npm")
