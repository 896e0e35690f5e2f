"""What is to go wrong next: scripted answers, dropped and held connections; and what was seen."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from interlock_tools.testing._wire import Request

When: TypeAlias = Literal["before", "after"]
"""Whether a fault strikes before the request changed anything, or after it did and before the answer left."""


@dataclass(slots=True, kw_only=True)
class SeenRequest:
    """One request that the stand-in received, in the order of arrival.

    Attributes:
        method: In upper case.
        target: Path and query, untouched.
        headers: Names in lower case; not part of the repr, since they hold the token.
        body: The bytes, exactly as sent (without transfer coding).
        status: The status of the answer; None while it is held, and for ever when the connection was dropped.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    status: int | None = None

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


class Hold:
    """A request that is kept waiting: proof that a client is in the middle of a call."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._released = threading.Event()
        self.dropped = False

    def wait(self, timeout: float = 30.0) -> None:
        """Block until a request is being held.

        Args:
            timeout: Seconds to wait at most.

        Raises:
            TimeoutError: No such request came.
        """
        if not self._reached.wait(timeout):
            raise TimeoutError(f"no request was held within {timeout} s")

    def release(self) -> None:
        """Let the request go on as if nothing had happened."""
        self._released.set()

    def drop(self) -> None:
        """Close its connection instead of going on."""
        self.dropped = True
        self._released.set()

    def stay(self) -> None:
        """Called by the server's side: report the request, then block until it is released or dropped."""
        self._reached.set()
        self._released.wait()


@dataclass(slots=True, kw_only=True)
class Fault:
    """One scripted fault.

    Attributes:
        when: Before or after the request is carried out.
        left: For how many requests it still holds.
        method: Only requests of this method; None for any.
        path: Only requests whose path contains this; None for any.
        status: The status to answer with; None closes the connection, unless `hold` is given.
        headers: Headers of that answer.
        body: Body of that answer.
        hold: Keeps the request waiting.
    """

    when: When = "before"
    left: int = 1
    method: str | None = None
    path: str | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    hold: Hold | None = None

    def concerns(self, request: Request) -> bool:
        """Whether this request is one that it strikes."""
        return (
            self.left > 0
            and self.method in {None, request.method}
            and (self.path is None or self.path in request.path)
        )


class Script:
    """The faults still to come; the first that concerns a request strikes it."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Put a fault behind those that wait already."""
        with self._lock:
            self._faults.append(fault)

    def take(self, request: Request) -> Fault | None:
        """The fault that strikes this request, which uses it up by one."""
        with self._lock:
            for fault in self._faults:
                if fault.concerns(request):
                    fault.left -= 1
                    return fault
        return None

    def release_all(self) -> None:
        """Drop whatever is being held, so that the server can stop."""
        with self._lock:
            for fault in self._faults:
                if fault.hold is not None:
                    fault.hold.drop()
