"""The jobs that a worker knows: those it works on, and those it has answered."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Generic, Optional, TypeVar

from ._observation import Observed
from ._wire import ReplyTo, Task

#: How long an answer is remembered to be repeated, and how many are.
REMEMBER_S = 60.0
MAX_REMEMBERED = 10_000
#: Callers that give up and retry add a place for the answer each time. The latest are kept.
MAX_REPLIES = 8

H = TypeVar("H")


@dataclass
class Job(Generic[H]):
    """One request with its query. It is worked on once, however many tasks come for it."""

    task: Task
    #: What answers it.
    answered_by: H
    received_s: float
    deadline_s: float
    replies: deque[ReplyTo] = field(default_factory=lambda: deque(maxlen=MAX_REPLIES))
    #: The answer, once there is one; when it was made, and how long that took.
    answer: Optional[Observed] = None
    answered_s: float = 0.0
    #: Whether the time to live ran out.
    expired: bool = False
    #: What runs the function.
    working: Optional[asyncio.Task[None]] = None

    @property
    def key(self) -> tuple[str, str]:
        return self.task.id, self.task.query

    @property
    def response_time_ns(self) -> int:
        return round((self.answered_s - self.received_s) * 1e9)

    def wait_for(self, reply: ReplyTo, deadline_s: float) -> None:
        """A further task wants the same answer."""
        if reply not in self.replies:
            self.replies.append(reply)
        self.deadline_s = max(self.deadline_s, deadline_s)


class Jobs(Generic[H]):
    """All jobs by request and query. Bounded: a job beyond the places and the queue is refused."""

    def __init__(self, max_concurrent: int, max_queued: int) -> None:
        if max_concurrent < 1 or max_queued < 0:
            raise ValueError("a worker needs a place for at least one job")
        self._max_concurrent = max_concurrent
        self._max_queued = max_queued
        self._known: dict[tuple[str, str], Job[H]] = {}
        self._waiting: deque[Job[H]] = deque()
        #: Those with an answer, the oldest first.
        self._answered: OrderedDict[tuple[str, str], Job[H]] = OrderedDict()
        #: How many places are taken.
        self.running = 0

    def find(self, task: Task) -> Optional[Job[H]]:
        return self._known.get((task.id, task.query))

    def is_full(self) -> bool:
        return self.running >= self._max_concurrent and len(self._waiting) >= self._max_queued

    def is_idle(self) -> bool:
        """Whether every job is answered or expired."""
        return len(self._known) == len(self._answered)

    def add(self, job: Job[H]) -> None:
        self._known[job.key] = job
        self._waiting.append(job)

    def next(self) -> Optional[Job[H]]:
        """Takes a place for the job that has waited longest, if there is a place."""
        if self.running >= self._max_concurrent or not self._waiting:
            return None
        self.running += 1
        return self._waiting.popleft()

    def release(self) -> None:
        """Gives a place back."""
        self.running -= 1

    def expire(self, job: Job[H]) -> None:
        """Forgets a job without an answer."""
        job.expired = True
        del self._known[job.key]
        if job in self._waiting:
            self._waiting.remove(job)

    def answer(self, job: Job[H], observed: Observed, now_s: float) -> None:
        """Remembers the answer of a job."""
        job.answer, job.answered_s = observed, now_s
        self._answered[job.key] = job
        self.forget(now_s)

    def forget(self, now_s: float) -> None:
        """Forgets the answers that are too old or too many."""
        while self._answered:
            key, oldest = next(iter(self._answered.items()))
            if len(self._answered) <= MAX_REMEMBERED and oldest.answered_s + REMEMBER_S > now_s:
                return
            del self._answered[key], self._known[key]
