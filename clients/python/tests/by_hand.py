"""Tasks that are sent to a worker by hand, without a coordinator."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Optional

import nats
from cluster import PATIENCE_S, Cluster, Program
from nats.aio.client import Client as Nats
from nats.aio.subscription import Subscription
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeout

SCRIPT = Path(__file__).parent / "worker_of_tests.py"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Bus:
    """Tasks sent by hand, and what comes back."""

    def __init__(self, connection: Nats, answers: asyncio.Queue[Any], announced: Subscription, worker: Program) -> None:
        self._connection = connection
        self._answers = answers
        self._announced = announced
        self.worker = worker

    async def send(
        self,
        body: object,
        reply: str = "answers",
        headers: Optional[dict[str, str]] = None,
        subject: str = "oracle.tasks",
    ) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        await self._connection.publish(subject, data, reply=reply, headers=headers)

    async def send_pack(self, *tasks: object, reply: str = "answers", named: Optional[str] = None) -> None:
        """Sends a pack that may name where its results go."""
        body = {"tasks": tasks, **({"reply": named} if named is not None else {})}
        await self.send(body, reply, subject="oracle.tasks.packed")

    async def answer(self) -> tuple[str, dict[str, Any], dict[str, str]]:
        message = await asyncio.wait_for(self._answers.get(), PATIENCE_S)
        return message.subject, json.loads(message.data), message.headers or {}

    async def pack(self) -> tuple[str, list[dict[str, Any]]]:
        """The next answer, which must be a pack without headers and within its bounds."""
        message = await asyncio.wait_for(self._answers.get(), PATIENCE_S)
        body = json.loads(message.data)
        assert list(body) == ["results"] and not message.headers, body
        assert len(message.data) <= 65536 and 1 <= len(body["results"]) <= 1024, len(message.data)
        return message.subject, body["results"]

    async def ask(self, body: object, reply: str = "answers") -> dict[str, Any]:
        await self.send(body, reply)
        subject, answer, _ = await self.answer()
        assert subject == (reply or "oracle.results")
        return answer

    async def announced(self, state: str) -> dict[str, Any]:
        """The next announcement of this state."""
        while True:
            presence: dict[str, Any] = json.loads((await self._announced.next_msg(PATIENCE_S)).data)
            if presence["state"] == state:
                return presence

    async def is_heard(self) -> bool:
        """Whether anybody receives tasks. Who does ignores this one."""
        try:
            await self._connection.request("oracle.tasks", b'{"id": "x", "query": "not offered"}', timeout=0.02)
        except NoRespondersError:
            return False
        except NatsTimeout:
            return True
        raise AssertionError("somebody answers")

    @property
    def is_silent(self) -> bool:
        """Whether no answer waits to be looked at."""
        return self._answers.empty()

    async def stats(self) -> dict[str, Any]:
        endpoint: dict[str, Any] = (await self.request("$SRV.STATS"))["endpoints"][0]
        return endpoint

    async def request(self, subject: str) -> dict[str, Any]:
        body: dict[str, Any] = json.loads((await self._connection.request(subject, b"", timeout=PATIENCE_S)).data)
        return body


def by_hand(cluster: Cluster, places: int, use: Callable[[Bus], Awaitable[None]], *arguments: str) -> None:
    """Runs a test with a worker and no coordinator."""

    async def run() -> None:
        connection = await nats.connect(cluster.nats.url)
        answers: asyncio.Queue[Any] = asyncio.Queue()
        announced = await connection.subscribe("oracle.workers")
        for subject in ("answers", "answers.*", "oracle.results"):
            await connection.subscribe(subject, cb=answers.put)
        await connection.flush()
        worker = cluster.python(SCRIPT, "alice", str(places), *arguments)
        presence = json.loads((await announced.next_msg(PATIENCE_S)).data)
        is_replica = "replica" in arguments
        assert (presence["worker_id"], presence["state"], presence["replicated"]) == ("alice", "live", is_replica)
        assert presence["packs"] is True
        try:
            await asyncio.wait_for(use(Bus(connection, answers, announced, worker)), 2 * PATIENCE_S)
        finally:
            await connection.close()

    asyncio.run(run())
