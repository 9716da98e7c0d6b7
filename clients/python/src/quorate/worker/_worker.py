"""A worker: its functions, and how it runs."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any, Optional, TypeVar

from ._function import Function
from ._jobs import Jobs
from ._offer import Offer
from ._session import Session
from ._text import MAX_ID_BYTES, is_id
from ._wire import DEFAULT_PREFIX, Subjects

F = TypeVar("F", bound=Callable[..., Any])

#: The options of `nats.connect` that a session sets.
OWN_CALLBACKS = frozenset({"error_cb", "reconnected_cb", "closed_cb"})


class Worker:
    """A worker that answers the queries of its functions.

    `worker_id` is its name: all processes with one name have one vote. `nats_url` is one address or several separated
    by commas, by default the variable `NATS_URL`. `replicas` says that other processes share the name and the work. At
    most `max_concurrent` functions run and `max_queued` tasks wait; further ones are refused.
    `subject_prefix` is that of the coordinators (`--subject-prefix`). Other keywords go to `nats.connect`, such as
    `user_credentials` or `tls`, except the callbacks that the worker itself needs.
    """

    def __init__(
        self,
        worker_id: str,
        nats_url: Optional[str] = None,
        *,
        replicas: bool = False,
        max_concurrent: int = 64,
        max_queued: int = 1024,
        subject_prefix: str = DEFAULT_PREFIX,
        **nats_options: Any,
    ) -> None:
        if not is_id(worker_id):
            raise ValueError(f"the name of a worker has 1 to {MAX_ID_BYTES} bytes and no control characters")
        for name in OWN_CALLBACKS & nats_options.keys():
            raise TypeError(f"{name} is used by the worker itself, which logs to quorate.worker and raises NatsClosed")
        Jobs[Function](max_concurrent, max_queued)
        self._id = worker_id
        self._servers = (nats_url or os.environ.get("NATS_URL") or "nats://localhost:4222").split(",")
        self._replicas = replicas
        self._limits = max_concurrent, max_queued
        self._subjects = Subjects(subject_prefix)
        self._nats_options = nats_options
        self._offer: Offer[Function] = Offer()

    def query(self, *patterns: str) -> Callable[[F], F]:
        """Declares that a function answers these queries. In a pattern, `*` stands for any characters; the first
        pattern that matches counts.

        The function may be `async`; one that is not runs in a thread. It receives the query if it has a parameter for
        it. It returns a number or a text, alone or as a tuple with the time of its observation (`datetime`) or its age
        (`timedelta`). An exception becomes the reason why there is no value.
        """

        def declare(function: F) -> F:
            answered_by = Function(function)
            for pattern in patterns:
                self._offer.add(pattern, answered_by)
            return function

        return declare

    def run(self) -> None:
        """Serves until the process is told to stop by SIGINT or SIGTERM, then answers the tasks at hand and leaves.

        Raises `NatsClosed` if NATS refuses the credentials for 5 s, or closes the connection for good. It waits for a
        server that is away."""
        asyncio.run(self._run())

    async def _run(self) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM)

        def told() -> None:
            stop.set()
            # A second signal ends the process at once.
            for number in signals:
                loop.remove_signal_handler(number)

        for number in signals:
            try:
                loop.add_signal_handler(number, told)
            except NotImplementedError:
                # Windows.
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
        await self.serve(stop)

    async def serve(self, stop: asyncio.Event) -> None:
        """Serves within a running event loop until `stop` is set, then answers the tasks at hand and leaves. Raises
        `NatsClosed` as `run` does."""
        if not self._offer.patterns:
            raise ValueError("the worker answers no query: declare a function with @worker.query")
        session = Session(self._id, self._offer, Jobs(*self._limits), self._replicas, self._subjects)
        await session.run(self._servers, self._nats_options, stop)
