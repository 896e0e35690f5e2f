"""A witness behind HTTP that judges for itself, as C2SP `tlog-witness` has it.

It is sent the size that it saw last, the proof that the log goes on from there, and the checkpoint; it
answers with its own signature beneath the checkpoint, which is kept here. A witness that saw more of the
log, or another one, refuses: that is how a rollback shows even when everything on this machine was rolled
back together. Not covered: the witness's signature is kept for whoever checks it, and is not checked here;
that it is the witness who answers is for TLS to show.
"""

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING

from interlock_core.errors import ConfigurationError, ProtocolError, UpstreamError, VerificationError
from interlock_core.toolspec import HttpRequest
from interlock_security.audit._witness import FileWitness, Prove, Sighting

if TYPE_CHECKING:
    from interlock_core.http import HttpClient, HttpResponse

_TIMEOUT_S = 10.0
_MAX_ANSWER = 16 * 1024
_TRIES = 3
_REMEDY = "Run `interlock audit verify`, and ask whoever runs the witness."


class HttpWitness:
    """A witness behind `URL/add-checkpoint`.

    Args:
        url: Where it is; https, or http on loopback. The operator wrote it: it is dialled as written.
        kept: Keeps its answers.
        http: Client to use; one of its own unless given.

    Raises:
        ConfigurationError: The URL is none.
    """

    __slots__ = ("_http", "_kept", "_origin", "_own", "_url")

    def __init__(self, url: str, *, kept: FileWitness, http: "HttpClient | None" = None) -> None:
        if not url.startswith(("https://", "http://127.0.0.1", "http://localhost", "http://[::1]")):
            raise ConfigurationError(
                "The audit log's witness is not reached over https.",
                field="audit.witness",
                remedy="Write https://…; http is for a witness on this machine.",
            )
        self._url = url.rstrip("/") + "/add-checkpoint"
        self._kept = kept
        self._own = http is None
        self._origin = url
        self._http = http

    async def sightings(self) -> list[Sighting] | None:
        """Its answers, oldest first; None when there was none yet.

        Raises:
            OSError: They cannot be read.
        """
        return await self._kept.sightings()

    async def latest(self) -> Sighting | None:
        """Its answer for the largest size; None when there was none yet.

        Raises:
            OSError: It cannot be read.
        """
        return await self._kept.latest()

    async def record(self, sighting: Sighting, *, prove: Prove, found: bool = False) -> None:
        """Show it the log, and keep its answer.

        Raises:
            VerificationError: It saw another log, or more of it.
            UpstreamError: It cannot be reached, or does not answer as a witness does.
            OSError: Its answer cannot be kept.
        """
        if sighting.size:
            sighting = Sighting(sighting.note + await self._shown(sighting, prove), sighting.nodes)
        await self._kept.record(sighting, prove=prove, found=found)

    async def confirm(self, sighting: Sighting, *, prove: Prove) -> None:
        """Show it the log, and see whether it agrees.

        Raises:
            VerificationError: It saw another log, or more of it.
            UpstreamError: It cannot be reached, or does not answer as a witness does.
        """
        if sighting.size:
            await self._shown(sighting, prove)

    async def aclose(self) -> None:
        """Close the client, unless it was handed in."""
        if self._own and self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _shown(self, sighting: Sighting, prove: Prove) -> str:
        """The witness's signature lines."""
        latest = await self._kept.latest()
        old = 0 if latest is None else min(latest.size, sighting.size)
        for _ in range(_TRIES):
            answer = await self._send(sighting, old, await prove(old, sighting.size))
            if answer.status == 200:
                return _signatures(answer)
            if answer.status != 409:
                raise _refused(answer)
            seen = _size(answer)
            if seen > sighting.size:
                raise VerificationError(
                    f"The audit log has {sighting.size} records, but its witness saw {seen}: it was rolled"
                    " back or replaced.",
                    remedy=_REMEDY,
                )
            if seen == old:
                raise VerificationError("The audit log is not the one that its witness saw.", remedy=_REMEDY)
            old = seen
        raise ProtocolError("The audit log's witness does not settle on a size.")

    async def _send(self, sighting: Sighting, old: int, proof: Sequence[bytes]) -> "HttpResponse":
        lines = [f"old {old}", *(base64.b64encode(node).decode() for node in proof), "", sighting.note]
        request = HttpRequest(
            method="POST",
            url=self._url,
            headers=(("content-type", "text/plain; charset=utf-8"),),
            body="\n".join(lines).encode(),
        )
        if self._http is None:
            from interlock_core.http import Egress, HttpClient, origin_of

            self._http = HttpClient(egress=Egress(allowed_origins=[origin_of(self._origin)]))
        return await self._http.send(request, timeout_s=_TIMEOUT_S, max_body_bytes=_MAX_ANSWER)


def _signatures(answer: "HttpResponse") -> str:
    """The lines of an answer, each a signature line of a note.

    Raises:
        ProtocolError: They are none.
    """
    lines = answer.text.split("\n")
    if lines.pop() or not 0 < len(lines) <= 8 or not all(line.startswith("\u2014 ") for line in lines):
        raise ProtocolError("The audit log's witness answered with no signature.")
    return answer.text


def _size(answer: "HttpResponse") -> int:
    text = answer.text.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ProtocolError("The audit log's witness does not say which size it saw.")
    return int(text)


def _refused(answer: "HttpResponse") -> VerificationError | UpstreamError:
    match answer.status:
        case 422:
            return VerificationError("The audit log does not continue what its witness saw.", remedy=_REMEDY)
        case 403 | 404:
            return VerificationError(
                "The audit log's witness does not know this log or its key.",
                remedy="Give whoever runs the witness the log's public key: `interlock audit checkpoint`.",
            )
        case _:
            return UpstreamError(
                f"The audit log's witness answered {answer.status}.", vendor_status=answer.status
            )
