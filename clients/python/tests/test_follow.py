"""Events of a real coordinator, over its restarts."""

from __future__ import annotations

import asyncio
import http.server
import itertools
import queue
import threading
from collections.abc import Iterator
from typing import ClassVar

import pytest
from cluster import PATIENCE_S, QUICK, Cluster, Coordinator, Relay

import quorate
from quorate import Answered, AsyncClient, Client, Event, Failed, Missed, WorkerChanged
from quorate._follow import Following


class Follower:
    """Follows in a thread."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._received: queue.Queue[Event] = queue.Queue()
        threading.Thread(target=self._follow, args=(events,), daemon=True).start()

    def _follow(self, events: Iterator[Event]) -> None:
        for event in events:
            self._received.put(event)

    def next(self) -> Event:
        return self._received.get(timeout=PATIENCE_S)


def follow(coordinator: Coordinator, query: str | None = None) -> Follower:
    """A follower that is known to receive what happens from now on: it begins with a past event."""
    follower = Follower(coordinator.client.follow(query, recent=1))
    assert isinstance(follower.next(), Answered)
    return follower


def answered(event: Event) -> str:
    assert isinstance(event, Answered), event
    return event.outcome.request_id


def test_a_follower_continues_where_it_was_and_over_a_restart_tells_of_the_gap(cluster: Cluster) -> None:
    coordinator = cluster.coordinator()
    cluster.worker("w1", *QUICK)
    coordinator.wait_for(1)
    ask = coordinator.client.ask
    ask("q", id="before")
    follower = follow(coordinator, "q")
    for name in ("first", "second"):
        ask("q", id=name)
        ask("another", id=f"not {name}")
        assert answered(follower.next()) == name
    coordinator.restart()
    assert follower.next() == Missed(None), "another process does not have the events of the first"
    coordinator.wait_for(1)
    ask("q", id="third")
    assert answered(follower.next()) == "third"
    ask("q", id="fourth")
    assert answered(follower.next()) == "fourth"


def test_the_coordinator_sends_and_counts_only_the_outcomes_that_are_followed(cluster: Cluster) -> None:
    coordinator = cluster.coordinator()
    cluster.worker("w1", *QUICK)
    coordinator.wait_for(1)
    for query in ("BTC/USD", "ETH/USD", "BTC/EUR", "ETH/EUR"):
        coordinator.client.ask(query, id=f"the {query}")
    for pattern, recent, expected in [
        ("BTC/USD", 1, ["the BTC/USD"]),
        ("BTC/*", 2, ["the BTC/USD", "the BTC/EUR"]),
        ("*/EUR", 1, ["the ETH/EUR"]),
    ]:
        follower = Follower(coordinator.client.follow(pattern, recent=recent))
        assert [answered(follower.next()) for _ in range(recent)] == expected, pattern
    with pytest.raises(quorate.InvalidRequest):
        next(coordinator.client.follow(""))


class Passing(http.server.BaseHTTPRequestHandler):
    """A coordinator that sends no outcome at first, and says how far it has come. Then it ends the stream."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        again = "last_event_id" in self.path
        self.send_response(200)
        self.end_headers()
        data = 'event: missed\ndata: {"count": 3}\n\n' if again else ":\n\n"
        self.wfile.write(f"retry: 10\n\nid: c1-{8 if again else 7}\n{data}".encode())
        if not again:
            self.wfile.write(b"\nid: c1-never ended")

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def test_a_stream_goes_on_after_the_events_that_the_coordinator_has_passed_over() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Passing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"

        def asked(folder: str) -> list[str]:
            return [path.removeprefix(folder) for path in Passing.asked if path.startswith(folder)][:2]

        opened = ["/events?query=BTC%2F%2A&recent=2", "/events?query=BTC%2F%2A&last_event_id=c1-7"]
        assert Follower(Client(f"{url}/one").follow("BTC/*", recent=2)).next() == Missed(3)
        assert asked("/one") == opened

        async def use() -> None:
            async with AsyncClient(f"{url}/two") as client:
                events = client.follow("BTC/*", recent=2)
                assert await asyncio.wait_for(events.__anext__(), PATIENCE_S) == Missed(3)

        asyncio.run(use())
        assert asked("/two") == opened
        server.shutdown()


def test_a_stream_that_breaks_off_is_resumed_without_a_gap(cluster: Cluster) -> None:
    coordinator = cluster.coordinator()
    cluster.worker("w1", *QUICK)
    coordinator.wait_for(1)
    ask = coordinator.client.ask
    ask("q", id="first")
    relay = Relay(coordinator.address)
    events = Client(relay.url).follow("q", recent=1)
    event = next(events)
    assert answered(event) == "first"
    relay.cut()
    for name in ("second", "third"):
        ask("q", id=name)
    assert [answered(each) for each in itertools.islice(events, 2)] == ["second", "third"]
    assert isinstance(event, Answered)
    resumed = coordinator.client.follow("q", last_event_id=event.id)
    assert [answered(each) for each in itertools.islice(resumed, 2)] == ["second", "third"]
    gone = coordinator.client.follow("q", last_event_id="another process-7")
    assert next(gone) == Missed(None)


def test_failures_and_changes_of_workers_are_events_too(cluster: Cluster) -> None:
    coordinator = cluster.coordinator()
    worker = cluster.worker("w1", *QUICK)
    coordinator.wait_for(1)
    coordinator.client.ask("q")
    with pytest.raises(quorate.InsufficientResponses):
        coordinator.client.ask("q", id="failed", min_responses=2)
    events = coordinator.client.follow(recent=100)
    changed, first, failed = itertools.islice(events, 3)
    assert isinstance(changed, WorkerChanged) and (changed.worker.worker_id, changed.worker.state) == ("w1", "live")
    assert isinstance(first, Answered)
    assert isinstance(failed, Failed) and isinstance(failed.error, quorate.InsufficientResponses)
    assert failed.query == "q" and failed.error.evidence is not None
    assert failed.error.evidence.request_id == "failed"
    worker.kill()


def test_the_asynchronous_follower_does_the_same(cluster: Cluster) -> None:
    coordinator = cluster.coordinator()
    cluster.worker("w1", *QUICK)
    coordinator.wait_for(1)
    coordinator.client.ask("q", id="first")

    async def use() -> None:
        async with AsyncClient(coordinator.url) as client:
            events = client.follow("q", recent=1)
            assert answered(await asyncio.wait_for(events.__anext__(), PATIENCE_S)) == "first"
            await client.ask("q", id="second")
            assert answered(await asyncio.wait_for(events.__anext__(), PATIENCE_S)) == "second"
            await asyncio.to_thread(coordinator.restart)
            assert await asyncio.wait_for(events.__anext__(), PATIENCE_S) == Missed(None)

    asyncio.run(use())


def test_a_follower_waits_longer_after_each_failure_and_gives_up_only_what_does_not_pass() -> None:
    following = Following(None, 5, None)
    assert following.parameters == {"recent": "5"}
    with pytest.raises(quorate.Unreachable):
        following.lost(quorate.Unreachable("the first connection must be made"))
    assert list(following.opened()) == []
    assert list(following.received(b"retry: 200\n\n")) == []
    for round in range(12):
        wait_s = following.lost(quorate.Unreachable("away"))
        longest_s = min(0.2 * 2**round, 30.0)
        assert longest_s / 2 <= wait_s <= longest_s
    assert following.lost(quorate.RateLimited("rate_limited", 429, "too many", retry_after_s=60)) == 60
    assert list(following.opened()) == [Missed(None)], "without an event to continue after, events may be lost"
    assert list(following.received(b": a comment\n\nid: c1-7\nevent: unknown\ndata: {}\n\n")) == []
    assert following.parameters == {"last_event_id": "c1-7"}
    assert Following("BTC/*", 5, "c1-7").parameters == {"query": "BTC/*", "last_event_id": "c1-7"}
    list(following.received(b":\n"))
    assert following.lost(None) <= 1.0, "it had been connected for a while"
    for error in (quorate.NotFound("not_found", 404, "no such route"), quorate.InvalidResponse("no coordinator")):
        with pytest.raises(type(error)):
            following.lost(error)
    with pytest.raises(quorate.InvalidResponse, match="outcome"):
        list(following.received(b"event: outcome\ndata: {}\n\n"))
