"""One run of a worker: it connects, announces itself, answers tasks, and leaves."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Any, Optional, TypeVar

from nats.aio.client import Client as Connection
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.errors import SlowConsumerError

from .._fields import Malformed
from .._version import __version__
from . import _service, _wire
from ._answers import Answers
from ._function import Function
from ._jobs import Job, Jobs
from ._observation import REFUSED, Observed
from ._offer import Offer
from ._troubles import Troubles, denied_subscription
from ._wire import ReplyTo, Subjects, Task

ANNOUNCE_EVERY_S = 2.0
#: How long a draining worker still receives tasks of coordinators that do not know yet that it is draining.
DRAIN_GRACE_S = 0.25
#: How long the last messages may take to leave.
FLUSH_S = 5.0
#: How long NATS may take to say that the worker may not receive packs, before it announces that it takes them.
CONFIRM_S = 1

T = TypeVar("T")

log = logging.getLogger("quorate.worker")


class Session:
    """A worker that runs."""

    def __init__(
        self, worker_id: str, offer: Offer[Function], jobs: Jobs[Function], replicated: bool, subjects: Subjects
    ) -> None:
        self._identity = _service.Identity(
            worker_id=worker_id,
            instance=secrets.token_hex(16),
            version=__version__,
            replicated=replicated,
            queries=offer.patterns,
            subjects=subjects,
            started=datetime.now(timezone.utc),
        )
        self._subjects = subjects
        self._offer = offer
        self._jobs = jobs
        self._counters = _service.Counters()
        self._state = "live"
        #: Whether NATS does not let it receive packs, and whether it tells coordinators that it takes them.
        self._packs_denied = False
        self._takes_packs = False
        self._subscriptions: list[Subscription] = []
        self._closed = False
        self._idle = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._nats = Connection()
        self._troubles = Troubles(lambda: self._nats.servers, self._now)
        self._answers = Answers(worker_id, self._counters.losses, self._publish, self._keep)
        self._is_over = False

    async def run(self, servers: Sequence[str], options: Mapping[str, Any], stop: asyncio.Event) -> None:
        """Serves until `stop`, then answers the tasks at hand and leaves; `NatsClosed` if there is no connection any
        more."""
        serving = asyncio.ensure_future(self._serve_until(stop, servers, options))
        end = self._troubles.end
        both: set[asyncio.Future[Any]] = {serving, end}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                raise end.result()
            await serving
        finally:
            self._is_over = True
            for running in (serving, *self._tasks):
                running.cancel()
            # A connection that has not even begun, because an option or an address is wrong, cannot be closed.
            with suppress(AssertionError):
                await self._nats.close()

    async def _serve_until(self, stop: asyncio.Event, servers: Sequence[str], options: Mapping[str, Any]) -> None:
        connecting = self._keep(self._connect(servers, options))
        stopped = self._keep(_wait(stop))
        await asyncio.wait({stopped, connecting}, return_when=asyncio.FIRST_COMPLETED)
        if not connecting.done():
            return
        await connecting
        self._keep(self._announce_regularly())
        await stopped
        await self._drain()
        self._state = "left"
        await self._announce()
        await self._flush()

    async def _connect(self, servers: Sequence[str], options: Mapping[str, Any]) -> None:
        try:
            await self._nats.connect(
                list(servers),
                **{
                    "name": f"worker {self._identity.worker_id}",
                    "max_reconnect_attempts": -1,
                    "reconnect_time_wait": 1,
                    **options,
                    "error_cb": self._failed,
                    "reconnected_cb": self._reconnected,
                    "closed_cb": self._has_closed,
                },
            )
            await self._subscribe()
        except NatsError as error:
            if self._nats.last_error is None:
                # Not NATS, but an option or an address is wrong.
                raise
            raise self._troubles.closed(self._nats.last_error) from error

    async def _subscribe(self) -> None:
        self._troubles.connected()
        await self._receive(self._subjects.tasks, self._received)
        service = self._subjects.service
        for suffix in ("", f".{service}", f".{service}.{self._identity.instance}"):
            await self._nats.subscribe(f"$SRV.*{suffix}", cb=self._serve)
        await self._subscribe_to_packs()
        await self._announce()

    async def _receive(self, subject: str, received: Callable[[Msg], Awaitable[None]]) -> None:
        """Receives tasks until the worker has drained."""
        self._subscriptions.append(await self._nats.subscribe(subject, queue=self._identity.queue_group, cb=received))

    async def _subscribe_to_packs(self) -> None:
        self._packs_denied = False
        await self._receive(self._subjects.packs, self._received_pack)
        # NATS says nothing if it allows the subscription. The first ping may overtake it, the second one does not.
        with suppress(NatsError, OSError, asyncio.TimeoutError):
            await self._nats.flush(timeout=CONFIRM_S)
            await self._nats.flush(timeout=CONFIRM_S)
        self._takes_packs = not self._packs_denied

    async def _failed(self, error: Exception) -> None:
        if isinstance(error, SlowConsumerError):
            self._counters.losses.tasks_dropped += 1
            self._troubles.dropped()
            return
        self._troubles.failed(error)
        if denied_subscription(error) == self._subjects.packs.lower():
            self._packs_denied = True
            if self._takes_packs:
                self._takes_packs = False
                self._keep(self._announce())

    async def _reconnected(self) -> None:
        self._troubles.connected()
        if self._packs_denied and self._state == "live":
            # nats-py has renewed all subscriptions already, so that it is not known whether this one was denied again.
            await self._stop_receiving(self._subscriptions.pop())
            await self._subscribe_to_packs()
        await self._announce()

    async def _has_closed(self) -> None:
        if not self._is_over:
            self._troubles.closed(self._nats.last_error)

    async def _announce_regularly(self) -> None:
        while True:
            await asyncio.sleep(ANNOUNCE_EVERY_S)
            self._jobs.forget(self._now())
            await self._announce()

    async def _announce(self) -> None:
        if self._nats.is_connected:
            body = _wire.encode_presence(self._identity.presence, self._state, self._takes_packs)
            await self._publish(self._subjects.presence, body)

    async def _serve(self, request: Msg) -> None:
        verb = request.subject.split(".")[1]
        body = _service.reply(verb, self._identity, self._state, self._takes_packs, self._counters)
        if body is not None and request.reply:
            await self._publish(request.reply, body)

    async def _received(self, message: Msg) -> None:
        try:
            task = _wire.decode_task(message.data, message.reply or self._subjects.results, message.headers)
        except Malformed as error:
            self._lose(1, error)
        else:
            await self._take(task)

    async def _received_pack(self, message: Msg) -> None:
        try:
            pack = _wire.decode_pack(message.data, message.reply, self._subjects.results)
        except Malformed as error:
            self._lose(1, error)
            return
        if pack.malformed > 0:
            self._lose(pack.malformed, "elements of a pack that cannot be read or are too many")
        for task in pack.tasks:
            await self._take(task)
        # A function that answers at once leaves its place to the next pack.
        await asyncio.sleep(0)

    def _lose(self, count: int, why: object) -> None:
        self._counters.losses.tasks_malformed += count
        log.debug("tasks are dropped: %s: %s", count, why)

    async def _take(self, task: Task) -> None:
        self._counters.received += 1
        answered_by = self._offer.find(task.query)
        if answered_by is None:
            self._counters.losses.tasks_unoffered += 1
            return
        if task.ttl_s <= 0:
            self._counters.losses.tasks_expired += 1
            return
        now = self._now()
        self._jobs.forget(now)
        known = self._jobs.find(task)
        if known is not None and known.answer is not None:
            await self._send(known, known.answer, [task.reply])
        elif known is not None:
            known.wait_for(task.reply, now + task.ttl_s)
        elif self._jobs.is_full():
            self._counters.refused += 1
            refused = Job(task, answered_by, now, now, answered_s=now)
            await self._send(refused, REFUSED, [task.reply])
        else:
            job = Job(task, answered_by, now, now + task.ttl_s)
            job.wait_for(task.reply, job.deadline_s)
            self._jobs.add(job)
            asyncio.get_running_loop().call_at(job.deadline_s, self._is_due, job)
            self._start_waiting()

    def _start_waiting(self) -> None:
        while (job := self._jobs.next()) is not None:
            job.working = self._keep(self._work(job))

    def _keep(self, running: Coroutine[None, None, T]) -> asyncio.Task[T]:
        """Runs something until it ends, or the session does. The event loop alone would not keep it."""
        task = asyncio.ensure_future(running)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _work(self, job: Job[Function]) -> None:
        observed = await job.answered_by.observe(job.task.query, self._ended)
        if job.expired:
            return
        self._jobs.answer(job, observed, self._now())
        self._counters.count(observed, job.response_time_ns)
        if observed.err is not None:
            log.info("%s: %s", job.task.query, observed.err)
        await self._send(job, observed, list(job.replies))
        self._check_idle()

    def _ended(self) -> None:
        """A function has ended, and its place is free."""
        self._jobs.release()
        self._start_waiting()

    def _is_due(self, job: Job[Function]) -> None:
        """The time to live of a job has run out, unless a later task has extended it."""
        if job.answer is not None or job.expired:
            return
        if job.deadline_s > self._now():
            asyncio.get_running_loop().call_at(job.deadline_s, self._is_due, job)
            return
        self._counters.losses.tasks_expired += 1
        self._jobs.expire(job)
        if job.working is not None:
            # Not at once: a task that is cancelled before its first step would never give its place back.
            asyncio.get_running_loop().call_soon(job.working.cancel)
        self._check_idle()

    async def _send(self, job: Job[Function], observed: Observed, replies: Sequence[ReplyTo]) -> None:
        since = timedelta(seconds=self._now() - job.answered_s)
        for reply in replies:
            await self._answers.send(job.task, reply, observed, job.response_time_ns, since)

    async def _publish(self, subject: str, body: bytes, headers: Optional[dict[str, str]] = None) -> bool:
        try:
            await self._nats.publish(subject, body, headers=headers)
            return True
        except (NatsError, OSError, asyncio.TimeoutError) as error:
            log.debug("a message to %s is not sent: %s", subject, error)
            return False

    async def _drain(self) -> None:
        """Tells coordinators that it takes no further tasks, and answers those that it has."""
        self._state = "draining"
        await self._announce()
        await asyncio.sleep(DRAIN_GRACE_S)
        await asyncio.gather(*map(self._stop_receiving, self._subscriptions))
        self._closed = True
        self._check_idle()
        await self._idle.wait()
        await self._answers.sent()

    async def _stop_receiving(self, tasks: Subscription) -> None:
        """Ends the subscription, and takes what the server has sent until then: nobody else in the queue group receives
        it."""
        try:
            if self._nats.is_connected:
                await asyncio.wait_for(tasks.drain(), FLUSH_S)  # type: ignore[no-untyped-call]
            else:
                # The server has ended the subscription, and it is not made again.
                await tasks.unsubscribe()
        except (NatsError, OSError, asyncio.TimeoutError) as error:
            log.debug("the subscription does not end: %s", error)
            # The connection was lost meanwhile. The next one would make the subscription again.
            self._nats._remove_sub(tasks._id)

    def _check_idle(self) -> None:
        if self._closed and self._jobs.is_idle():
            self._idle.set()

    async def _flush(self) -> None:
        if self._nats.is_connected:
            try:
                await self._nats.flush(timeout=int(FLUSH_S))
            except (NatsError, OSError, asyncio.TimeoutError) as error:
                log.debug("the last messages may be lost: %s", error)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


async def _wait(event: asyncio.Event) -> None:
    await event.wait()
