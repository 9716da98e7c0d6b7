"""The client for programs without an event loop."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Optional, TypeVar

import httpx

from . import _exchange
from ._deadline import IsWanted, within
from ._errors import QuorateError
from ._events import Event
from ._exchange import Call, RequestFields
from ._follow import Following
from ._outcome import Outcome
from ._policies import Policies
from ._state import OfferedQuery, Readiness, Register
from ._transport import STREAM_TIMEOUT, Body, base, late, timeouts, told_by_their_names

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

T = TypeVar("T")


class Client:
    """A client of one coordinator. Threads may share it.

    `timeout_s` replaces how long a call may take from its start to the end of the response: by default 10 s, and for a
    question 10 s beyond its own timeout.
    `http` replaces the HTTP client, for certificates, proxies or headers of your own.
    """

    def __init__(
        self,
        url: str = "http://localhost:8080",
        *,
        timeout_s: Optional[float] = None,
        http: Optional[httpx.Client] = None,
    ) -> None:
        self._url = base(url)
        self._timeout_s = timeout_s
        self._http = httpx.Client() if http is None else http

    def ask(self, query: str, **fields: Unpack[RequestFields]) -> Outcome:
        """Asks the workers, and returns the answer with its evidence. The keywords are those of
        `RequestFields`."""
        return self._call(_exchange.ask(query, fields))

    def workers(self) -> Register:
        """The known workers, and what the coordinator has counted."""
        return self._call(_exchange.workers())

    def queries(self) -> tuple[OfferedQuery, ...]:
        """The queries that live workers offer."""
        return self._call(_exchange.queries())

    def policies(self, query: Optional[str] = None) -> Policies:
        """How requests without a policy of their own are answered; with `query`, only the one that applies to it."""
        return self._call(_exchange.policies(query))

    def ready(self) -> Readiness:
        """Returns if a request made now can be answered; else raises why not, such as `NoWorkers`."""
        return self._call(_exchange.ready())

    def follow(
        self, query: Optional[str] = None, *, recent: Optional[int] = None, last_event_id: Optional[str] = None
    ) -> Iterator[Event]:
        """Outcomes and changes of workers as they happen, until you stop iterating. With `query`, only the outcomes
        of this query, in which `*` stands for any characters.

        It begins with the next event, or with so many `recent` ones of these, or after the event that `last_event_id`
        names. It reconnects when the connection is lost, and continues where it was; `Missed` tells of events that are
        lost. Only a first connection that fails, and an error that does not pass, are raised.
        """
        following = Following(query, recent, last_event_id)
        while True:
            lost: Optional[QuorateError] = None
            try:
                yield from self._stream(following)
            except QuorateError as error:
                lost = error
            time.sleep(following.lost(lost))

    def _stream(self, following: Following) -> Iterator[Event]:
        call = Call("GET", "/events", lambda _: None, following.parameters)
        with told_by_their_names(self._url):
            request = self._http.stream(
                "GET",
                self._url + call.path,
                params=dict(call.parameters),
                headers={**_exchange.UNPACKED, "accept": "text/event-stream"},
                timeout=STREAM_TIMEOUT,
            )
            with request as response:
                if response.status_code != 200:
                    self._finish(call, response)
                yield from following.opened()
                for piece in response.iter_bytes():
                    yield from following.received(piece)

    def _call(self, call: Call[T]) -> T:
        timeout_s = call.timeout_s if self._timeout_s is None else self._timeout_s

        def exchange(is_wanted: IsWanted) -> T:
            with told_by_their_names(self._url):
                request = self._http.stream(
                    call.method,
                    self._url + call.path,
                    params=dict(call.parameters),
                    content=call.body,
                    headers=call.headers,
                    timeout=timeouts(timeout_s),
                )
                with request as response:
                    return self._finish(call, response, is_wanted)

        return within(timeout_s, late(self._url), exchange)

    def _finish(self, call: Call[T], response: httpx.Response, is_wanted: IsWanted = lambda: True) -> T:
        body = Body()
        for piece in response.iter_bytes():
            if not is_wanted():
                break
            body.add(piece)
        return call.finish(response.status_code, response.headers.get("retry-after"), body.whole())

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()
