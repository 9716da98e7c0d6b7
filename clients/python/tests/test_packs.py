"""Packs of tasks: what is read and written, sent by hand, and sent by a real coordinator."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import defaultdict
from typing import Any

import nats
import pytest
from by_hand import SCRIPT, TRACE, Bus, by_hand
from cluster import STUCK, Cluster
from nats.aio.client import Client
from nats.aio.msg import Msg

import quorate
from quorate._fields import Malformed
from quorate.worker._wire import MAX_MESSAGE_BYTES, MAX_PACKED, Pack, ReplyTo, decode_pack, encode_packs


def decoded(body: object, reply: str = "answers") -> Pack:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decode_pack(data, reply, "oracle.results")


def test_a_bad_element_of_a_pack_loses_only_itself() -> None:
    good, last = {"id": "a", "query": "q", "task": "7", "traceparent": TRACE}, {"id": "b", "query": "q", "ttl_ms": 500}
    bad: list[object] = [7, None, [], {}, {"id": "", "query": "q"}, {"id": "c"}, {"id": "d", "query": "a\0b"}]
    pack = decoded({"tasks": [good, *bad, last]})
    assert pack.malformed == len(bad)
    assert [(task.id, task.ttl_s, task.traceparent) for task in pack.tasks] == [("a", 30, TRACE), ("b", 0.5, None)]
    assert [task.reply for task in pack.tasks] == [ReplyTo("answers", True, "7"), ReplyTo("answers", True)]
    for number, trace in ((7, 7), ("", ""), ("x", "x"), ("-1", TRACE.upper()), ("7" * 21, TRACE[2:]), (None, None)):
        [task] = decoded({"tasks": [{**good, "task": number, "traceparent": trace}]}).tasks
        assert (task.reply, task.traceparent) == (ReplyTo("answers", True), None), "what is none counts as absent"


def test_a_pack_names_where_its_results_go() -> None:
    tasks = [{"id": "a", "query": "q", "task": "7"}]

    def to(reply: str, **named: object) -> ReplyTo:
        body = {"tasks": tasks, **({"reply": named["name"]} if named else {})}
        [task] = decoded(body, reply).tasks
        return task.reply

    assert to("answers", name="named") == to("", name="named") == ReplyTo("named", True, "7")
    assert to("answers") == to("answers", name=None) == ReplyTo("answers", True, "7")
    assert to("") == ReplyTo("oracle.results"), "which takes no packs"
    # The name of a subject is written into a command to NATS.
    wrongs: list[object] = ["a b", "a\r\nPUB oracle.workers 0\r\n", "a\t", "é", "x" * 1025, 7, False, []]
    for wrong in wrongs:
        with pytest.raises(Malformed):
            to("answers", name=wrong)


@pytest.mark.parametrize(
    "wrong", [b"", b"null", b"[]", b"{}", b'{"tasks": 7}', b'{"tasks": {}}', b'{"tasks": [}', b'{"tasks": [NaN]}']
)
def test_what_is_no_pack_is_malformed(wrong: bytes) -> None:
    with pytest.raises(Malformed):
        decoded(wrong)


def test_a_pack_is_read_up_to_its_bounds() -> None:
    pack = decoded({"tasks": [{"id": str(number), "query": "q"} for number in range(MAX_PACKED + 3)]})
    assert (len(pack.tasks), pack.tasks[-1].id, pack.malformed) == (1024, "1023", 3)
    body = json.dumps({"tasks": []}).encode()
    assert decoded(body + b" " * (MAX_MESSAGE_BYTES - len(body))).tasks == []
    with pytest.raises(Malformed, match="too long"):
        decoded(body + b" " * (MAX_MESSAGE_BYTES - len(body) + 1))


@pytest.mark.parametrize("length", [6, 61, 62, 63, 64, 500, 4096, 30_000, 70_000])
def test_results_are_split_into_as_few_packs_as_their_bounds_allow_and_none_is_lost(length: int) -> None:
    results = [json.dumps(f"{number:04}" + "x" * (length - 6)).encode() for number in range(3000)]
    packs = list(encode_packs(results))
    read = [(body, json.loads(body)["results"], count) for body, count in packs]
    assert [element for _, elements, _ in read for element in elements] == [json.loads(each) for each in results]
    for at, (body, elements, count) in enumerate(read):
        assert len(elements) == count <= MAX_PACKED
        assert len(body) <= MAX_MESSAGE_BYTES or count == 1, "a result that is too long spoils no other"
        if at + 1 < len(read):
            more = len(json.dumps(read[at + 1][1][0])) + 1
            assert count == MAX_PACKED or len(body) + more > MAX_MESSAGE_BYTES, "there is no room for the next"
    assert list(encode_packs([])) == []


def task(number: int, query: str, **further: object) -> dict[str, object]:
    return {"id": f"r{number}", "query": query, "ttl_ms": 5000, "attempt": 1, "task": str(number), **further}


async def results_of(bus: Bus, count: int) -> tuple[dict[str, dict[str, Any]], set[str]]:
    """So many results in packs, by the number of their task, and where they went. None may come twice."""
    received: dict[str, dict[str, Any]] = {}
    subjects = set()
    while len(received) < count:
        subject, results = await bus.pack()
        subjects.add(subject)
        for result in results:
            assert result["task"] not in received, result
            assert (result["worker_id"], result["request_id"]) == ("alice", f"r{result['task']}")
            received[result["task"]] = result
    return received, subjects


def test_results_that_are_ready_together_go_out_together(cluster: Cluster) -> None:
    async def use(bus: Bus) -> None:
        # It answers these at once, all in the same turn, and those later.
        now = [task(number, "BTC/USD") for number in range(40)] + [task(40, "fails"), task(41, "dated")]
        later = [task(42, "slow", traceparent=TRACE), task(43, "ETH/USD")]
        lost: list[object] = [7, {"id": "r"}, task(44, "not offered"), task(45, "BTC/USD", ttl_ms=0)]
        await bus.send_pack(*now, *later, *lost, task(46, "BTC/USD", traceparent=TRACE), reply="answers.7")
        subject, results = await bus.pack()
        assert subject == "answers.7"
        assert [result["task"] for result in results] == [str(number) for number in (*range(42), 46)]
        assert str(results[0]["value"]).startswith("42000.12") and results[0]["request_id"] == "r0"
        assert results[40]["err"] == "KeyError('fails')" and "observed_at" in results[41]
        assert [result.get("traceparent") for result in results] == [None] * 42 + [TRACE]
        rest, subjects = await results_of(bus, 2)
        assert (rest["42"]["value"], rest["43"]["value"], subjects) == (7, "text of ETH/USD", {"answers.7"})
        assert rest["42"]["traceparent"] == TRACE and "traceparent" not in rest["43"]

        endpoint = await bus.stats()
        assert (endpoint["num_requests"], endpoint["num_errors"]) == (47, 1)
        losses = {name: count for name, count in endpoint["data"].items() if count > 0}
        assert losses == {"tasks_malformed": 2, "tasks_unoffered": 1, "tasks_expired": 1}
        await bus.send(b"no pack", subject="oracle.tasks.packed")
        while (await bus.stats())["data"]["tasks_malformed"] < 3:
            await asyncio.sleep(0.01)

    by_hand(cluster, 64, use)


def test_the_results_of_each_pack_go_where_it_says(cluster: Cluster) -> None:
    async def use(bus: Bus) -> None:
        await bus.send_pack(task(1, "BTC/USD"), task(2, "ETH/USD"), reply="answers.1")
        await bus.send_pack(task(3, "BTC/USD"), reply="answers.9", named="answers.2")
        await bus.send({"id": "r4", "query": "BTC/USD"}, reply="answers.3")
        await bus.send_pack({"id": "r5", "query": "BTC/USD"}, reply="")
        received: dict[str, list[str]] = defaultdict(list)
        for _ in range(5):
            subject, body, _ = await bus.answer()
            received[subject] += [result["request_id"] for result in body.get("results", [body])]
            assert ("results" in body) is (subject in ("answers.1", "answers.2")), "one that came alone goes out alone"
            if sum(map(len, received.values())) == 5:
                break
        assert {subject: sorted(ids) for subject, ids in received.items()} == {
            "answers.1": ["r1", "r2"],
            "answers.2": ["r3"],
            "answers.3": ["r4"],
            "oracle.results": ["r5"],
        }

    by_hand(cluster, 64, use)


def test_long_results_of_a_pack_are_split_and_none_is_lost(cluster: Cluster) -> None:
    async def use(bus: Bus) -> None:
        await bus.send_pack(*(task(number, "long") for number in range(60)))
        received, _ = await results_of(bus, 60)
        assert {result["value"] for result in received.values()} == {"x" * 4096}

    by_hand(cluster, 64, use)


def test_a_redispatched_task_of_a_pack_receives_the_same_answer_alone_or_in_a_pack(cluster: Cluster) -> None:
    async def use(bus: Bus) -> None:
        await bus.send_pack(task(1, "count"), reply="answers.1")
        first, _ = await results_of(bus, 1)
        await bus.send_pack(task(1, "count", attempt=2, traceparent=TRACE), task(2, "count"), reply="answers.2")
        again, subjects = await results_of(bus, 2)
        assert (again["1"]["value"], again["2"]["value"], subjects) == (first["1"]["value"], 2, {"answers.2"})
        alone = await bus.ask(task(1, "count", attempt=2), reply="answers.3")
        assert alone["value"] == first["1"]["value"] and "task" not in alone, alone
        alone = await bus.ask({"id": "r3", "query": "count"})
        await bus.send_pack(task(3, "count", attempt=2))
        again, _ = await results_of(bus, 1)
        assert again["3"]["value"] == alone["value"] == 3

        # The redispatch comes before the answer: each place receives it.
        await bus.send_pack(task(4, "slow"), task(4, "slow"), reply="answers.4")
        await bus.send_pack(task(4, "slow", attempt=2), reply="answers.5")
        await bus.send(task(4, "slow", attempt=2), reply="answers.6")
        answers = dict([(await bus.answer())[:2] for _ in range(3)])
        assert sorted(answers) == ["answers.4", "answers.5", "answers.6"]
        assert answers["answers.4"] == answers["answers.5"] and len(answers["answers.4"]["results"]) == 1
        assert answers["answers.6"]["value"] == 7

    by_hand(cluster, 8, use)


def test_tasks_of_a_pack_without_room_are_refused(cluster: Cluster) -> None:
    async def use(bus: Bus) -> None:
        await bus.send_pack(task(1, "hangs"), *(task(number, "count") for number in range(2, 5)))
        _, results = await bus.pack()
        assert [(result["task"], result["overloaded"]) for result in results] == [(str(n), True) for n in (2, 3, 4)]

    by_hand(cluster, 1, use)


def test_a_worker_that_drains_answers_the_packs_that_it_has_and_takes_no_further_ones(cluster: Cluster) -> None:
    async def use(bus: Bus) -> None:
        slow = [task(number, "slow") for number in range(30)]
        await bus.send_pack(*slow)
        while (await bus.stats())["num_requests"] < 30:
            await asyncio.sleep(0.01)
        bus.worker.signal(signal.SIGTERM)
        assert (await bus.announced("draining"))["packs"] is True
        # Not all coordinators know that it drains.
        await bus.send_pack(task(30, "BTC/USD"))
        received, _ = await results_of(bus, 31)
        assert received["29"]["value"] == 7
        await bus.announced("left")
        assert bus.is_silent, "all has been received before it said that it leaves"
        assert await asyncio.to_thread(bus.worker.ended) == 0

    by_hand(cluster, 64, use)


class Watched:
    """What goes over NATS between coordinators and workers."""

    def __init__(self) -> None:
        #: The numbers of the tasks of each pack, by its reply subject, and those of the tasks that went out alone.
        self.packs: dict[str, list[str]] = {}
        self.alone: list[str] = []
        #: Who has answered each task in a pack, by the reply subject of the pack, and how many messages that took.
        self.answered: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self.answers = 0

    async def connect(self, url: str) -> Client:
        connection = await nats.connect(url)
        await connection.subscribe("oracle.tasks.packed", cb=self.packed)
        await connection.subscribe("oracle.tasks", cb=self.single)
        await connection.subscribe("_INBOX.*.*", cb=self.answer)
        await connection.flush()
        return connection

    async def packed(self, message: Msg) -> None:
        body = json.loads(message.data)
        assert body["reply"] == message.reply
        self.packs[message.reply] = [task["task"] for task in body["tasks"]]

    async def single(self, message: Msg) -> None:
        self.alone.append(message.reply.rsplit(".", 1)[1])

    async def answer(self, message: Msg) -> None:
        assert len(message.data) <= MAX_MESSAGE_BYTES
        body = json.loads(message.data)
        if "results" in body:
            self.answers += 1
            self.answered[message.subject] += [(result["task"], result["worker_id"]) for result in body["results"]]


def test_a_coordinator_sends_packs_and_receives_every_answer(cluster: Cluster) -> None:
    # A busy machine makes a worker late, which is no reason to go on without it.
    coordinator = cluster.coordinator("--timeout-ms", "20000", "--suspect-after-ms", "20000")
    for name in ("alice", "bob"):
        cluster.python(SCRIPT, name, "64", "1024")
    coordinator.wait_for(2)
    asked = 150

    async def use() -> Watched:
        watched = Watched()
        connection = await watched.connect(cluster.nats.url)
        async with quorate.AsyncClient(coordinator.url) as client:
            for turn in range(3):
                queries = [f"ETH/{turn}.{number}" for number in range(asked)]
                outcomes = await asyncio.gather(*(client.ask(query, strategy="majority") for query in queries))
                for query, outcome in zip(queries, outcomes, strict=True):
                    assert (outcome.value, outcome.status) == (f"text of {query}", "complete"), outcome
                    answered = [(each.worker_id, each.value) for each in outcome.worker_responses]
                    assert answered == [("alice", outcome.value), ("bob", outcome.value)] and outcome.missing == ()
        await connection.drain()
        return watched

    watched = asyncio.run(use())
    packed = sum(map(len, watched.packs.values()))
    assert packed + len(watched.alone) == 3 * asked
    assert watched.packs and packed > len(watched.packs), "several tasks went out together"
    for reply, tasks in watched.packs.items():
        everybody = sorted((task, name) for task in tasks for name in ("alice", "bob"))
        assert sorted(watched.answered.pop(reply)) == everybody, "each task is answered once by each worker"
    assert not watched.answered and watched.answers < 2 * packed, "several results went out together"
    counters = coordinator.client.workers().counters
    wrong = ("malformed", "misdirected", "unknown", "duplicate", "late")
    assert not {name: count for name, count in counters.items() if count > 0 and name.endswith(wrong)}, counters


def test_a_task_that_a_coordinator_dispatches_again_is_answered_again(cluster: Cluster) -> None:
    # The other worker is silent, so that all tasks are dispatched again, after they are answered.
    flags = ("--timeout-ms", "6000", "--redispatch-share", "0.25", "--suspect-after-ms", "20000")
    coordinator = cluster.coordinator(*flags)
    cluster.python(SCRIPT, "alice", "64", "1024")
    cluster.worker("stuck", *STUCK)
    coordinator.wait_for(2)

    async def use() -> Watched:
        watched = Watched()
        connection = await watched.connect(cluster.nats.url)
        async with quorate.AsyncClient(coordinator.url) as client:
            outcomes = await asyncio.gather(*(client.ask("slow", id=f"r{number}") for number in range(20)))
            assert all((str(outcome.number), outcome.missing) == ("7", ("stuck",)) for outcome in outcomes)
        await connection.drain()
        return watched

    watched = asyncio.run(use())
    counters = coordinator.client.workers().counters
    assert (counters["results_duplicate"], counters["results_equivocal"]) == (20, 0)
    dispatched = sorted([*watched.alone, *(task for tasks in watched.packs.values() for task in tasks)])
    assert len(dispatched) == 40 and dispatched[::2] == dispatched[1::2], "each of them twice"
    assert len(watched.packs) >= 2
