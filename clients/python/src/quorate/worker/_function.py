"""The functions that answer queries, which may block, await or fail."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from ._observation import Observed, failed, observed


class Function:
    """A function of a worker. It receives the query if it has a parameter for it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        parameters = inspect.signature(function)
        try:
            parameters.bind("query")
            self._takes_query = True
        except TypeError:
            parameters.bind()
            self._takes_query = False
        self._function = function
        # A callable object may have an asynchronous call.
        self._is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)

    async def observe(self, query: str, ended: Callable[[], None]) -> Observed:
        """Calls the function, and says when it has ended: a blocking one goes on when nobody waits any more."""
        arguments = (query,) if self._takes_query else ()
        if not self._is_async:
            return await _in_thread(lambda: _called(self._function, arguments), ended)
        try:
            return observed(await self._function(*arguments))
        except Exception as error:
            return failed(error)
        finally:
            ended()


def _called(function: Callable[..., Any], arguments: tuple[str, ...]) -> Observed:
    try:
        return observed(function(*arguments))
    except BaseException as error:
        # Whatever ends the thread, somebody waits for it.
        return failed(error)


def _in_thread(call: Callable[[], Observed], ended: Callable[[], None]) -> Awaitable[Observed]:
    """Calls in a thread of its own, which does not keep the process alive."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Observed] = loop.create_future()

    def finish(result: Observed) -> None:
        if not future.done():
            future.set_result(result)
        ended()

    def work() -> None:
        result = call()
        # The loop is closed if the worker has stopped meanwhile.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(finish, result)

    threading.Thread(target=work, name="quorate-worker", daemon=True).start()
    return future
