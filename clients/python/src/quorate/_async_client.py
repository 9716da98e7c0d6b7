"""The client for programs with an event loop of asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Optional, TypeVar

import httpx

from . import _exchange
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


class AsyncClient:
    """A client of one coordinator. Tasks may share it.

    `timeout_s` replaces how long a call may take from its start to the end of the response: by default 10 s, and for a
    question 10 s beyond its own timeout.
    `http` replaces the HTTP client, for certificates, proxies or headers of your own.
    """

    def __init__(
        self,
        url: str = "http://localhost:8080",
        *,
        timeout_s: Optional[float] = None,
        http: Optional[httpx.AsyncClient] = None,
    ) -> None:
        self._url = base(url)
        self._timeout_s = timeout_s
        self._http = httpx.AsyncClient() if http is None else http

    async def ask(self, query: str, **fields: Unpack[RequestFields]) -> Outcome:
        """Asks the workers, and returns the answer with its evidence. The keywords are those of
        `RequestFields`."""
        return await self._call(_exchange.ask(query, fields))

    async def workers(self) -> Register:
        """The known workers, and what the coordinator has counted."""
        return await self._call(_exchange.workers())

    async def queries(self) -> tuple[OfferedQuery, ...]:
        """The queries that live workers offer."""
        return await self._call(_exchange.queries())

    async def policies(self, query: Optional[str] = None) -> Policies:
        """How requests without a policy of their own are answered; with `query`, only the one that applies to it."""
        return await self._call(_exchange.policies(query))

    async def ready(self) -> Readiness:
        """Returns if a request made now can be answered; else raises why not, such as `NoWorkers`."""
        return await self._call(_exchange.ready())

    async def follow(
        self, query: Optional[str] = None, *, recent: Optional[int] = None, last_event_id: Optional[str] = None
    ) -> AsyncIterator[Event]:
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
                async for event in self._stream(following):
                    yield event
            except QuorateError as error:
                lost = error
            await asyncio.sleep(following.lost(lost))

    async def _stream(self, following: Following) -> AsyncIterator[Event]:
        call = Call("GET", "/events", lambda _: None, following.parameters)
        with told_by_their_names(self._url):
            request = self._http.stream(
                "GET",
                self._url + call.path,
                params=dict(call.parameters),
                headers={**_exchange.UNPACKED, "accept": "text/event-stream"},
                timeout=STREAM_TIMEOUT,
            )
            async with request as response:
                if response.status_code != 200:
                    await self._finish(call, response)
                for event in following.opened():
                    yield event
                async for piece in response.aiter_bytes():
                    for event in following.received(piece):
                        yield event

    async def _call(self, call: Call[T]) -> T:
        timeout_s = call.timeout_s if self._timeout_s is None else self._timeout_s
        try:
            return await asyncio.wait_for(self._exchange(call, timeouts(timeout_s)), timeout_s)
        except asyncio.TimeoutError:
            raise late(self._url) from None

    async def _exchange(self, call: Call[T], timeout: httpx.Timeout) -> T:
        with told_by_their_names(self._url):
            request = self._http.stream(
                call.method,
                self._url + call.path,
                params=dict(call.parameters),
                content=call.body,
                headers=call.headers,
                timeout=timeout,
            )
            async with request as response:
                return await self._finish(call, response)

    async def _finish(self, call: Call[T], response: httpx.Response) -> T:
        body = Body()
        async for piece in response.aiter_bytes():
            body.add(piece)
        return call.finish(response.status_code, response.headers.get("retry-after"), body.whole())

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.close()
