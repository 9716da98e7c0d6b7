"""A follower of events without a connection: where it continues, what it passes on, and how long it waits."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Optional

from . import _events
from ._errors import ApiError, InvalidResponse, Overloaded, QuorateError, RateLimited, TimedOut, Unreachable
from ._errors import Draining as CoordinatorDrains
from ._events import Event, Missed
from ._exchange import MAX_BODY_BYTES
from ._sse import Parser, TooLong

#: A coordinator sends at least a comment every 15 s. After this long without one, the connection is lost.
SILENCE_S = 45.0
#: The wait before the first reconnection, unless the coordinator names one, and the longest wait.
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 30.0

#: What may pass by itself.
_PASSING = (Unreachable, TimedOut, Overloaded, RateLimited, CoordinatorDrains)


class Following:
    """One follower over all its connections."""

    def __init__(self, query: Optional[str], recent: Optional[int], last_event_id: Optional[str]) -> None:
        self._query = query
        self._recent = recent
        self._last_id = last_event_id or ""
        self._wait_s = FIRST_WAIT_S
        self._losses = 0
        self._connections = 0
        self._pieces = 0
        self._parser = Parser(MAX_BODY_BYTES)

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of the next connection."""
        parameters = {} if self._query is None else {"query": self._query}
        if self._last_id:
            parameters["last_event_id"] = self._last_id
        elif self._recent is not None and self._connections == 0:
            parameters["recent"] = str(self._recent)
        return parameters

    def opened(self) -> Iterator[Event]:
        """A connection is open. Without an event to continue after, what came since the last one is unknown."""
        self._parser = Parser(MAX_BODY_BYTES)
        self._connections += 1
        self._pieces = 0
        if self._connections > 1 and not self._last_id:
            yield Missed(None)

    def received(self, piece: bytes) -> Iterator[Event]:
        """The events that end in this piece of the stream."""
        self._pieces += 1
        if self._pieces > 1:
            # It has lasted longer than its greeting.
            self._losses = 0
        try:
            for event in self._parser.feed(piece):
                self._last_id = event.id or self._last_id
                known = _events.read(event)
                if known is not None:
                    yield known
        except TooLong as error:
            raise InvalidResponse(f"GET /events: {error}") from error
        # With a query, a sign of life has the id of the last event that was passed over, and no data.
        self._last_id = self._parser.last_id or self._last_id
        if self._parser.retry_ms is not None:
            self._wait_s = max(self._parser.retry_ms / 1000, 0.01)

    def lost(self, error: Optional[QuorateError]) -> float:
        """The connection ended, or was not made. Returns how long to wait before the next one; raises an error that
        does not pass, and any error of the first connection."""
        if error is not None and (self._connections == 0 or not isinstance(error, _PASSING)):
            raise error
        self._losses += 1
        wait_s = min(self._wait_s * 2.0 ** min(self._losses - 1, 16), LONGEST_WAIT_S)
        # Followers that lost the same coordinator do not all return at once.
        wait_s *= random.uniform(0.5, 1.0)
        hint_s = error.retry_after_s if isinstance(error, ApiError) else None
        return max(wait_s, float(hint_s or 0))
