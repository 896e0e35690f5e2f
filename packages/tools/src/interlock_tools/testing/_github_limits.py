"""The primary rate limit: so many requests an hour for each resource, counted and reported as GitHub does."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from interlock_tools.testing._github_fields import ApiError


@dataclass(slots=True)
class _Window:
    resets: int
    used: int = 0


class RateLimits:
    """Counts requests in fixed windows.

    Args:
        now: The clock.
        core: Requests an hour.
        search: Searches a minute.
    """

    def __init__(self, now: Callable[[], datetime], *, core: int, search: int = 30) -> None:
        self._now = now
        self._sizes = {"core": (core, 3600), "search": (search, 60)}
        self._windows: dict[str, _Window] = {}

    def take(self, resource: str) -> None:
        """Count one request.

        Raises:
            ApiError: 403, the window's requests are used up.
        """
        window = self._window(resource)
        if window.used >= self._sizes[resource][0]:
            raise ApiError(403, "API rate limit exceeded for this user.")
        window.used += 1

    def give_back(self, resource: str) -> None:
        """Take back one request: an answer of 304 costs nothing."""
        self._window(resource).used -= 1

    def headers(self, resource: str) -> dict[str, str]:
        """The headers that report the window."""
        window = self._window(resource)
        limit = self._sizes[resource][0]
        return {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(limit - window.used),
            "x-ratelimit-used": str(window.used),
            "x-ratelimit-reset": str(window.resets),
            "x-ratelimit-resource": resource,
        }

    def _window(self, resource: str) -> _Window:
        seconds = self._sizes[resource][1]
        moment = int(self._now().timestamp())
        window = self._windows.get(resource)
        if window is None or window.resets <= moment:
            window = self._windows[resource] = _Window(resets=moment + seconds)
        return window
