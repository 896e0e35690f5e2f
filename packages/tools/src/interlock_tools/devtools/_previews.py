"""Previews: finished files of a site, served on loopback until they expire.

A preview is an HTTP server of its own on a free port of 127.0.0.1. It serves a copy from memory, never the
folder, and only to who knows its path: the first visit under it leaves a cookie, so that absolute links work.
It lives in the process that made it and ends with it.
"""

import asyncio
import contextlib
import mimetypes
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from urllib.parse import unquote, urlsplit

from interlock_core.clock import Clock, SystemClock
from interlock_core.errors import InvalidRequestError, NotFoundError, RateLimitedError, UnsupportedError
from interlock_core.jsontypes import JsonObject, as_int
from interlock_core.nearest import suggestion
from interlock_tools.devtools._diff import wanted_changes
from interlock_tools.devtools._languages import LANGUAGES, python
from interlock_tools.devtools._workspace import Program, Workspace, files_at, inside
from interlock_tools.sandbox import FolderCopy

_BUILD_S = 300.0
_MOST_PREVIEWS = 16
_MOST_HEAD = 16_384
_READ_S = 10.0
_OUTPUT = ("dist", "build", "out", "public", "site")
_MOST_SAID = 1_500


@dataclass(slots=True)
class _Preview:
    """One that is up."""

    facts: JsonObject
    files: Mapping[str, bytes]
    token: str
    expires: float
    server: asyncio.Server | None = None
    timer: asyncio.TimerHandle | None = None
    port: int = 0


class PreviewTools:
    """Makes, lists and stops previews.

    Args:
        workspace: The working folder.
        clock: Tells the time.
    """

    def __init__(self, workspace: Workspace, *, clock: Clock | None = None) -> None:
        self._workspace = workspace
        self._clock = clock or SystemClock()
        self._up: dict[str, _Preview] = {}

    async def deploy(self, arguments: JsonObject) -> JsonObject:
        """Build what is to be built, and serve it."""
        self._end_expired()
        if len(self._up) >= _MOST_PREVIEWS:
            raise RateLimitedError(
                f"There are {_MOST_PREVIEWS} previews already.",
                field="path",
                remedy="Stop one with stopPreview.",
            )
        builder, path = str(arguments.get("builder", "files")), inside(str(arguments["path"]))
        files = await self._files(builder, path)
        if not files:
            raise InvalidRequestError(
                "There are no files to be shown.",
                field="path",
                remedy="Name the folder with the finished site.",
            )
        minutes = as_int(arguments.get("expiresInMinutes")) or 30
        preview = _Preview(
            facts={}, files=files, token=secrets.token_urlsafe(18), expires=self._clock.now() + minutes * 60
        )
        name = f"prv_{secrets.token_hex(8)}"

        async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._end_expired()
            await _serve(preview if name in self._up else None, reader, writer)

        preview.server = await asyncio.start_server(served, "127.0.0.1", 0, limit=_MOST_HEAD)
        preview.port = int(preview.server.sockets[0].getsockname()[1])
        preview.facts = {
            "id": name,
            "url": f"http://127.0.0.1:{preview.port}/{preview.token}/",
            "path": path,
            "builder": builder,
            "files": len(files),
            "bytes": sum(map(len, files.values())),
            "expiresAt": datetime.fromtimestamp(preview.expires, UTC).isoformat(timespec="seconds"),
        }
        self._up[name] = preview
        loop = asyncio.get_running_loop()
        preview.timer = loop.call_later(minutes * 60, self._expire, name)
        return preview.facts

    def list(self) -> JsonObject:
        """The previews that are up."""
        self._end_expired()
        return {"previews": [preview.facts for preview in self._up.values()]}

    async def stop(self, arguments: JsonObject) -> JsonObject:
        """Take one down.

        Raises:
            NotFoundError: There is none of that id.
        """
        name = str(arguments["id"])
        preview = self._up.get(name)
        if preview is None:
            raise NotFoundError(
                f"There is no preview {name[:40]}.", field="id", remedy=suggestion(name, self._up)
            )
        self._expire(name)
        if preview.server is not None:
            await preview.server.wait_closed()
        return preview.facts

    async def aclose(self) -> None:
        """Take all of them down."""
        for name in list(self._up):
            await self.stop({"id": name})

    def _end_expired(self) -> None:
        """End those whose time is over, also where the loop was too busy to do so."""
        now = self._clock.now()
        for name in [name for name, preview in self._up.items() if now >= preview.expires]:
            self._expire(name)

    def _expire(self, name: str) -> None:
        preview = self._up.pop(name, None)
        if preview is None:
            return
        if preview.timer is not None:
            preview.timer.cancel()
        if preview.server is not None:
            preview.server.close()

    async def _files(self, builder: str, path: str) -> dict[str, bytes]:
        copy = await self._workspace.copy()
        files_at(copy, path)
        if builder == "files":
            return _under({name: file.content for name, file in copy.files.items()}, path)
        program, arguments = _MAKERS[builder](copy, path)
        done = await self._workspace.run(copy, program, arguments, timeout_s=_BUILD_S)
        made = {
            name: content
            for name, content in wanted_changes(copy, done.changes).items()
            if content is not None
        }
        if done.result.exit_code != 0 or done.result.timed_out:
            said = (done.result.stderr.strip() or done.result.stdout.strip())[-_MOST_SAID:]
            raise InvalidRequestError(
                f"The build failed: {said or f'exit code {done.result.exit_code}'}",
                field="builder",
                remedy="Repair what it names. It runs without network: dependencies must be in the folder.",
            )
        prefix = "" if path == "." else f"{path}/"
        for folder in _OUTPUT:
            if any(name.startswith(f"{prefix}{folder}/") for name in made):
                return _under(made, f"{prefix}{folder}")
        return {}


def _under(files: Mapping[str, bytes], path: str) -> dict[str, bytes]:
    if path == ".":
        return dict(files)
    if path in files:
        return {path.rpartition("/")[2]: files[path]}
    return {
        name.removeprefix(f"{path}/"): content
        for name, content in files.items()
        if name.startswith(f"{path}/")
    }


def _mkdocs(copy: FolderCopy, path: str) -> tuple[Program, list[str]]:
    import importlib.util

    settings = "mkdocs.yml" if path == "." else f"{path}/mkdocs.yml"
    if settings not in copy.files:
        raise InvalidRequestError(
            f"There is no {settings}.", field="path", remedy="Name the folder that holds mkdocs.yml."
        )
    if importlib.util.find_spec("mkdocs") is None:
        raise UnsupportedError(
            "mkdocs is not installed here.", field="builder", remedy="Install it: pip install mkdocs."
        )
    site = copy.folder / ("" if path == "." else path) / "site"
    return python(), ["-m", "mkdocs", "build", "--quiet", "-f", settings, "-d", str(site)]


def _npm(copy: FolderCopy, path: str) -> tuple[Program, list[str]]:
    package = "package.json" if path == "." else f"{path}/package.json"
    npm = next(row.runner for row in LANGUAGES if row.name == "javascript")
    program = npm.find(copy) if package in copy.files else None
    if program is None:
        raise InvalidRequestError(
            f"There is no {package}, or no npm.",
            field="path",
            remedy="Name the folder that holds package.json.",
        )
    return program, ["--prefix", str(copy.folder / path), "run", "build", "--silent"]


_MAKERS = {"mkdocs": _mkdocs, "npm": _npm}


async def _serve(
    preview: _Preview | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer one request and close."""
    try:
        async with asyncio.timeout(_READ_S):
            head = await reader.readuntil(b"\r\n\r\n")
        if preview is not None:
            writer.write(answer(preview.files, preview.token, preview.port, head))
            await writer.drain()
    except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        pass  # a client that does not ask, or has gone
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def answer(files: Mapping[str, bytes], token: str, port: int, head: bytes) -> bytes:
    """The answer to a request's head: only to this machine's own names, and to who has the token."""
    line, _, rest = head.decode("latin-1").partition("\r\n")
    method, _, target = line.partition(" ")
    headers = {
        name.strip().lower(): value.strip()
        for name, colon, value in (field.partition(":") for field in rest.split("\r\n"))
        if colon
    }
    if headers.get("host", "").lower() not in {f"127.0.0.1:{port}", f"localhost:{port}"}:
        return _response(421, b"This preview answers to 127.0.0.1 alone.\n")
    if method not in {"GET", "HEAD"}:
        return _response(405, b"A preview can only be read.\n", ("allow: GET, HEAD",))
    path = unquote(urlsplit(target.rpartition(" ")[0]).path).lstrip("/")
    own, _, inner = path.partition("/")
    with_token = secrets.compare_digest(own.encode(), token.encode())
    if not with_token and not secrets.compare_digest(_cookie(headers).encode(), token.encode()):
        return _response(404, b"There is nothing here.\n")
    wanted = inner if with_token else path
    for name in (wanted, f"{wanted.rstrip('/')}/index.html".lstrip("/"), f"{wanted}.html"):
        if name in files:
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            lines = (f"content-type: {kind}", *((_remember(token),) if with_token else ()))
            return _response(200, files[name], lines, with_body=method == "GET")
    return _response(404, b"There is no such file in this preview.\n")


def _cookie(headers: Mapping[str, str]) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get("interlock-preview")
    except CookieError:
        return ""
    return found.value if found is not None else ""


def _remember(token: str) -> str:
    return f"set-cookie: interlock-preview={token}; Path=/; HttpOnly; SameSite=Strict"


_PHRASES = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 421: "Misdirected Request"}


def _response(status: int, body: bytes, lines: tuple[str, ...] = (), *, with_body: bool = True) -> bytes:
    fixed = (
        f"HTTP/1.1 {status} {_PHRASES[status]}",
        f"content-length: {len(body)}",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "x-frame-options: DENY",
        "connection: close",
    )
    kinds = () if any(line.startswith("content-type") for line in lines) else ("content-type: text/plain",)
    head = "\r\n".join((*fixed, *kinds, *lines, "", ""))
    return head.encode("latin-1") + (body if with_body else b"")
