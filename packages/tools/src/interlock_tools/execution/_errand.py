"""What every layer below a call knows of it, and the one method that the layers share."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from interlock_core.toolspec import HttpRequest
from interlock_tools.execution._limits import ExecutorLimits

if TYPE_CHECKING:
    from interlock_core.http import HttpResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One call, as the layers that send its requests see it.

    Attributes:
        tool: Name of the tool.
        credential: Stands for the credentials that the request carries, without telling them.
        principal: Stands for whoever is behind the call.
        limits: Bounds of the call.
        deadline: Point of the monotonic clock after which nobody waits.
        repeatable: The request may be made twice when nobody knows whether it arrived.
        reads: The call changes nothing, so its answer may be kept.
        redirects: Patterns of further origins that a `GET` may be redirected to.
        waited: As long as the API asked to wait has been waited.
        notes: What the layers say of the answer, for whoever reads it.
    """

    tool: str
    credential: str
    principal: str
    limits: ExecutorLimits
    deadline: float | None = None
    repeatable: bool = False
    reads: bool = False
    redirects: tuple[str, ...] = ()
    waited: bool = False
    notes: list[str] = field(default_factory=list[str])


class Exchange(Protocol):
    """Sends one request and gives the answer, whatever its status."""

    async def send(self, request: HttpRequest, errand: Errand) -> "HttpResponse":
        """One request, one answer.

        Raises:
            EgressRefusedError: The address may not be reached.
            UpstreamError: No answer came.
        """
        ...
