"""How a session sends results: each by itself, or those for one pack of tasks together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Optional

from . import _wire
from ._observation import Observed
from ._service import Losses
from ._wire import ReplyTo, Task

#: Publishes a message with headers. Returns whether it was sent.
Publish = Callable[[str, bytes, Optional[dict[str, str]]], Awaitable[bool]]
#: Runs something beside what calls it.
Run = Callable[[Coroutine[None, None, None]], "asyncio.Task[None]"]


class Answers:
    """The results of one worker."""

    def __init__(self, worker_id: str, losses: Losses, publish: Publish, run: Run) -> None:
        self._worker_id = worker_id
        self._losses = losses
        self._publish = publish
        self._run = run
        #: The results for packs, by where they go. They go out together, in the next turn of the event loop.
        self._kept: dict[str, list[bytes]] = {}
        self._sending: Optional[asyncio.Task[None]] = None

    async def send(self, task: Task, to: ReplyTo, observed: Observed, response_time_ns: int, since: timedelta) -> None:
        """Sends the answer to a task, which is ready for so long, or keeps it for a pack."""
        trace = {"traceparent": task.traceparent} if task.traceparent else {}
        extra = {**({"task": to.task} if to.task else {}), **trace} if to.is_packed else None
        body = _wire.encode_result(self._worker_id, task.id, observed, response_time_ns, since, extra)
        if not to.is_packed:
            self._note(await self._publish(to.subject, body, trace or None), 1)
            return
        self._kept.setdefault(to.subject, []).append(body)
        if self._sending is None:
            self._sending = self._run(self._send_kept())

    async def sent(self) -> None:
        """Waits until nothing is kept."""
        if self._sending is not None:
            await self._sending

    async def _send_kept(self) -> None:
        while self._kept:
            kept, self._kept = self._kept, {}
            for subject, results in kept.items():
                for body, count in _wire.encode_packs(results):
                    self._note(await self._publish(subject, body, None), count)
        self._sending = None

    def _note(self, is_sent: bool, results: int) -> None:
        if not is_sent:
            self._losses.results_unsent += results
