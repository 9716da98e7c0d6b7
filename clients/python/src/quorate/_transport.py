"""What the two clients share about HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from ._errors import InvalidResponse, TimedOut, Unreachable
from ._exchange import MARGIN_S, MAX_BODY_BYTES
from ._follow import SILENCE_S

#: For a stream of events: it ends when nothing comes for long.
STREAM_TIMEOUT = httpx.Timeout(MARGIN_S, read=SILENCE_S)


def timeouts(timeout_s: float) -> httpx.Timeout:
    """The timeouts of each step of a call that is bounded as a whole. That of the connection ends before the call does,
    so that a coordinator that cannot be reached is told from one that does not answer."""
    return httpx.Timeout(timeout_s, connect=min(0.9 * timeout_s, MARGIN_S))


def late(url: str) -> TimedOut:
    """The exception for a call that has taken too long."""
    return TimedOut(f"{url} did not answer in time")


def base(url: str) -> str:
    """The address of a coordinator without a slash at its end."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"{url!r} is no address: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError(f"{url!r} is not the address of a coordinator, such as http://localhost:8080")
    return str(parsed).rstrip("/")


@contextmanager
def told_by_their_names(url: str) -> Iterator[None]:
    """Replaces the exceptions of HTTP by those of this package."""
    try:
        yield
    except httpx.ConnectTimeout as error:
        raise Unreachable(f"{url} cannot be reached: no connection in time") from error
    except httpx.TimeoutException as error:
        raise late(url) from error
    except httpx.RequestError as error:
        raise Unreachable(f"{url} cannot be reached: {error or type(error).__name__}") from error


class Body:
    """The body of a response, which is not longer than it may be."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def add(self, piece: bytes) -> None:
        if len(self._bytes) + len(piece) > MAX_BODY_BYTES:
            raise InvalidResponse(f"the response has more than {MAX_BODY_BYTES} bytes")
        self._bytes += piece

    def whole(self) -> bytes:
        return bytes(self._bytes)
