"""Workers in Python against a real coordinator, and against tasks that are sent by hand."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import threading
from contextlib import suppress

import nats
import pytest
from by_hand import SCRIPT, TRACE, Bus, by_hand
from cluster import PATIENCE_S, Cluster, binary, stop, until
from nats.aio.subscription import Subscription
from nats.errors import TimeoutError as NatsTimeout

import quorate
from quorate.worker import Worker
from quorate.worker._session import Session


def shown(url: str) -> str:
    """What `quorate workers` shows."""
    ended = subprocess.run([binary("quorate"), "workers", "--url", url], capture_output=True, text=True, check=True)
    return ended.stdout


def test_a_worker_is_seen_from_its_start_until_it_says_that_it_leaves(cluster: Cluster) -> None:
    # Long enough to tell a request that waits for unknown workers from one that knows its workers.
    coordinator = cluster.coordinator("--stall-ms", "20000", "--timeout-ms", "25000")
    worker = cluster.python(SCRIPT, "alice", "8")
    coordinator.wait_for(1)
    assert re.search(r"  alice +live ", shown(coordinator.url)), shown(coordinator.url)
    [record] = coordinator.client.workers().workers
    assert record.announced and record.queries[:2] == ("BTC/USD", "ETH/*")
    assert coordinator.client.ask("ETH/USD", strategy="majority").elapsed_ns < 20e9
    with pytest.raises(quorate.UnknownQuery):
        coordinator.client.ask("XRP/USD")
    for query, err in [
        ("fails", "KeyError('fails')"),
        ("fails too", "KeyError('fails too')"),
        ("nothing", "ValueError('None is neither a number nor a text')"),
    ]:
        with pytest.raises(quorate.InsufficientResponses) as raised:
            coordinator.client.ask(query)
        assert raised.value.evidence is not None
        assert raised.value.evidence.worker_responses[0].err == err
    stop(worker)
    coordinator.wait_for(1, "left")
    assert re.search(r"  alice +left ", shown(coordinator.url)), shown(coordinator.url)
    assert worker.written == "", "nothing is worth a warning"


def test_a_worker_that_is_told_to_stop_answers_what_it_has(cluster: Cluster) -> None:
    coordinator = cluster.coordinator()
    worker = cluster.python(SCRIPT, "alice", "8")
    coordinator.wait_for(1)

    async def use() -> None:
        async with quorate.AsyncClient(coordinator.url) as client:
            asked = asyncio.ensure_future(client.ask("slow"))
            await asyncio.to_thread(coordinator.wait_for_in_flight, 1)
            worker.signal(signal.SIGTERM)
            answer = await asked
            assert (str(answer.number), answer.status) == ("7", "complete")

    asyncio.run(use())
    assert worker.ended() == 0
    coordinator.wait_for(1, "left")


def test_a_second_signal_ends_a_worker_at_once(cluster: Cluster) -> None:
    coordinator = cluster.coordinator()
    worker = cluster.python(SCRIPT, "alice", "8")
    coordinator.wait_for(1)
    with pytest.raises(quorate.TimedOut):
        quorate.Client(coordinator.url, timeout_s=0.2).ask("hangs")
    worker.signal(signal.SIGTERM)
    coordinator.wait_for(1, "draining")
    worker.signal(signal.SIGTERM)
    assert worker.ended() == -signal.SIGTERM


def test_a_worker_starts_before_nats_and_survives_its_restart(cluster: Cluster) -> None:
    coordinator = cluster.coordinator()
    cluster.nats.kill()
    worker = cluster.python(SCRIPT, "alice", "8")
    worker.writes("NATS: ")
    cluster.nats.start()
    coordinator.wait_for(1)
    cluster.nats.kill()
    cluster.nats.start()

    def answers() -> bool:
        try:
            return bool(coordinator.client.ask("BTC/USD", timeout_ms=500).number)
        except quorate.ApiError:
            return False

    until("an answer after the restart", answers)
    assert worker.written.count("NATS: ") <= 2, f"an outage is told once: {worker.written}"
    stop(worker)


def test_a_worker_without_nats_can_be_stopped(cluster: Cluster) -> None:
    cluster.nats.kill()
    worker = cluster.python(SCRIPT, "alice", "8")
    worker.writes("NATS: ")
    stop(worker)


def test_a_redispatched_task_receives_the_same_answer(cluster: Cluster) -> None:
    async def use(bus: Bus) -> None:
        for wrong in (b"no JSON", b"null", b"{", b"\xff"):
            await bus.send(wrong)
        first = await bus.ask({"id": "a", "query": "count", "ttl_ms": 5000, "attempt": 1})
        assert (first["request_id"], first["value"], first["worker_id"]) == ("a", 1, "alice")
        again = await bus.ask({"id": "a", "query": "count", "ttl_ms": 2500, "attempt": 2}, reply="answers.2")
        again.pop("age_ms", None)
        assert again == first, "it has not asked its source again"
        assert (await bus.ask({"id": "b", "query": "count"}))["value"] == 2
        assert (await bus.ask({"id": "c", "query": "count"}, reply=""))["value"] == 3

        # Both tasks came before the answer: the function runs once, and each place receives the answer.
        for reply in ("answers.1", "answers.2"):
            await bus.send({"id": "d", "query": "slow", "ttl_ms": 5000}, reply=reply)
        answers = [await bus.answer(), await bus.answer()]
        assert {subject for subject, *_ in answers} == {"answers.1", "answers.2"}
        assert answers[0][1] == answers[1][1]

        await bus.send({"id": "e", "query": "not offered"})
        await bus.send({"id": "f", "query": "count"}, headers={"traceparent": TRACE})
        _, answer, headers = await bus.answer()
        assert (answer["request_id"], headers) == ("f", {"traceparent": TRACE})

    by_hand(cluster, 8, use)


def test_a_draining_worker_leaves_its_tasks_to_others_and_answers_those_it_has(cluster: Cluster) -> None:
    async def use(bus: Bus) -> None:
        await bus.send({"id": "a", "query": "slower"})
        await bus.send({"id": "b", "query": "once"})
        assert (await bus.answer())[1]["request_id"] == "b", "both tasks have come"
        bus.worker.signal(signal.SIGTERM)
        # A repetition counts as long as the worker listens.
        await bus.send({"id": "a", "query": "slower"}, reply="answers.2")
        while await bus.is_heard():
            pass
        assert bus.is_silent, "it does not wait for its tasks before it stops to listen"
        for subject in ("answers", "answers.2"):
            answered, answer, _ = await bus.answer()
            assert (answered, answer["request_id"], answer["value"]) == (subject, "a", 8)
        assert await asyncio.to_thread(bus.worker.ended) == 0
        assert bus.is_silent

    by_hand(cluster, 8, use)


def test_no_task_is_lost_while_one_of_two_replicas_drains(cluster: Cluster) -> None:
    async def use(bus: Bus) -> None:
        cluster.python(SCRIPT, "alice", "64", "replica", "1000")
        counts: list[int] = []
        # Each replica counts for itself, so both are there once a number has come twice.
        while len(counts) == len(set(counts)):
            counts.append((await bus.ask({"id": f"first {len(counts)}", "query": "count"}))["value"])
        unanswered = {f"slower {number}" for number in range(16)}
        for request in unanswered:
            await bus.send({"id": request, "query": "slower"})
        bus.worker.signal(signal.SIGTERM)
        ended = asyncio.ensure_future(asyncio.to_thread(bus.worker.ended))
        while not ended.done():
            unanswered.add(request := f"task {len(unanswered)}")
            await bus.send({"id": request, "query": "count"})
            await asyncio.wait({ended}, timeout=0.005)
        assert await ended == 0
        while unanswered:
            _, answer, _ = await bus.answer()
            assert answer["value"] is not None, answer
            unanswered.remove(answer["request_id"])

    by_hand(cluster, 64, use, "replica", "1000")


def test_a_replica_answers_what_was_on_its_way_when_it_stopped_receiving(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker("alice", cluster.nats.url, replicas=True)
    worker.query("q")(lambda: 1)
    stop_receiving = Session._stop_receiving

    async def publish() -> None:
        connection = await nats.connect(cluster.nats.url)
        for number in range(10):
            await connection.publish("oracle.tasks", json.dumps({"id": f"r{number}", "query": "q"}).encode())
        await connection.flush()
        await connection.close()

    async def with_tasks_on_their_way(session: Session, tasks: Subscription) -> None:
        # The loop of the worker stands still meanwhile, so it has read none of them.
        thread = threading.Thread(target=asyncio.run, args=(publish(),))
        thread.start()
        thread.join()
        await stop_receiving(session, tasks)

    monkeypatch.setattr(Session, "_stop_receiving", with_tasks_on_their_way)

    async def use() -> None:
        connection = await nats.connect(cluster.nats.url)
        announced = await connection.subscribe("oracle.workers")
        results = await connection.subscribe("oracle.results")
        told = asyncio.Event()
        serving = asyncio.ensure_future(worker.serve(told))
        await announced.next_msg(PATIENCE_S)
        told.set()
        await asyncio.wait_for(serving, PATIENCE_S)
        answered = [json.loads((await results.next_msg(PATIENCE_S)).data)["request_id"] for _ in range(10)]
        assert sorted(answered) == [f"r{number}" for number in range(10)]
        await connection.close()

    asyncio.run(use())


@pytest.mark.parametrize("query", ["hangs", "blocks"])
def test_a_task_without_room_is_refused_and_one_out_of_time_is_dropped(cluster: Cluster, query: str) -> None:
    async def use(bus: Bus) -> None:
        await bus.send({"id": "a", "query": query, "ttl_ms": 300})
        refused = await bus.ask({"id": "b", "query": "count"})
        assert (refused["value"], refused["err"], refused["overloaded"]) == (None, "worker is overloaded", True)
        while (stats := await bus.request("$SRV.STATS"))["endpoints"][0]["data"]["tasks_expired"] == 0:
            pass
        endpoint = stats["endpoints"][0]
        assert (endpoint["num_requests"], endpoint["num_errors"]) == (2, 1)
        after = await bus.ask({"id": "c", "query": "count"})
        # What awaits is cancelled. What blocks keeps its place, as its thread cannot be ended.
        assert after.get("overloaded", False) is (query == "blocks")

    by_hand(cluster, 1, use)


def test_a_worker_is_a_service_of_nats(cluster: Cluster) -> None:
    async def use(bus: Bus) -> None:
        await bus.ask({"id": "a", "query": "count"})
        await bus.ask({"id": "b", "query": "fails"})
        await bus.send({"id": "c", "query": "not offered"})
        ping = await bus.request("$SRV.PING")
        assert (ping["type"], ping["name"]) == ("io.nats.micro.v1.ping_response", "quorate-worker")
        assert ping["metadata"]["worker_id"] == "alice" and ping["metadata"]["state"] == "live"
        assert "BTC/USD" in json.loads(ping["metadata"]["queries"]) and ping["metadata"]["packs"] == "true"
        info = await bus.request(f"$SRV.INFO.quorate-worker.{ping['id']}")
        assert info["endpoints"][0]["subject"] == "oracle.tasks"
        while (stats := await bus.request("$SRV.STATS.quorate-worker"))["endpoints"][0]["num_requests"] < 3:
            pass
        endpoint = stats["endpoints"][0]
        assert (endpoint["num_errors"], endpoint["last_error"]) == (1, "KeyError('fails')")
        assert endpoint["average_processing_time"] > 0 and endpoint["data"]["tasks_unoffered"] == 1

    by_hand(cluster, 8, use)


def test_replicas_share_their_tasks_and_a_prefix_keeps_deployments_apart(cluster: Cluster) -> None:
    script = (
        "import sys; from quorate.worker import Worker; "
        "w = Worker('twins', replicas=True, subject_prefix='eu.staging'); w.query('q')(lambda: 1); w.run()"
    )
    coordinator = cluster.coordinator("--subject-prefix", "eu.staging")
    for _ in range(2):
        cluster.program(["python3", "-c", script], "", {"NATS_URL": cluster.nats.url})
    coordinator.wait_for(1)
    assert coordinator.client.workers().workers[0].replicated

    async def use() -> None:
        connection = await nats.connect(cluster.nats.url)
        replies = await connection.subscribe("replies")

        async def received() -> list[int]:
            """How many tasks each replica has received."""
            await connection.publish("$SRV.STATS", reply="replies")
            counts: list[int] = []
            with suppress(NatsTimeout):
                while True:
                    message = await replies.next_msg(timeout=0.5)
                    counts.append(json.loads(message.data)["endpoints"][0]["num_requests"])
            return counts

        while len(await received()) < 2:
            pass
        async with quorate.AsyncClient(coordinator.url) as client:
            outcomes = [await client.ask("q", id=f"r{number}") for number in range(5)]
            outcomes += await asyncio.gather(*(client.ask("q", id=f"packed {number}") for number in range(50)))
        assert {outcome.status for outcome in outcomes} == {"complete"}
        assert sum(await received()) == 55, "each task is received once, alone or in a pack"
        await connection.close()

    asyncio.run(asyncio.wait_for(use(), PATIENCE_S))
    assert coordinator.client.workers().counters["results_duplicate"] == 0


def test_mistakes_are_told_where_they_are_made() -> None:
    for name in ("", "a\nb", "x" * 129):
        with pytest.raises(ValueError):
            Worker(name)
    with pytest.raises(ValueError, match="a place"):
        Worker("w", max_concurrent=0)
    worker = Worker("w")
    with pytest.raises(ValueError, match="declare a function"):
        worker.run()
    worker.query("BTC/USD")(lambda: 1)
    with pytest.raises(ValueError, match="offered already"):
        worker.query("BTC/USD")(lambda: 1)
    with pytest.raises(TypeError):
        worker.query("ETH/USD")(lambda one, two: 1)
