"""Each kind of error, from a real coordinator where one can be brought to say it."""

from __future__ import annotations

import asyncio
import http.server
import json
import pickle
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from cluster import QUICK, STUCK, Cluster, Coordinator, until

import quorate
from quorate import ApiError, AsyncClient, Client
from quorate._errors import BY_WORD
from quorate._exchange import Call
from quorate._outcome import Evidence

OPENAPI = Path(__file__).parents[3] / "docs" / "openapi.json"


@contextmanager
def in_flight(coordinator: Coordinator, query: str = "q") -> Iterator[None]:
    """A request that waits for workers that do not answer."""

    def ask() -> None:
        with suppress(quorate.QuorateError):
            Client(coordinator.url).ask(query, timeout_ms=20_000)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    coordinator.wait_for_in_flight(1)
    yield


def refused(kind: type[ApiError], code: int, call: Callable[[], object]) -> ApiError:
    with pytest.raises(kind) as raised:
        call()
    error = raised.value
    assert (type(error), error.word, error.code) == (kind, kind.WORD, code)
    assert error.details and str(error) == f"{kind.WORD} ({code}): {error.details}"
    return error


def evidence(error: ApiError) -> Evidence:
    assert error.evidence is not None
    return error.evidence


def test_every_word_has_an_exception() -> None:
    words = json.loads(OPENAPI.read_text())["components"]["schemas"]["ErrorWord"]["enum"]
    assert set(BY_WORD) == set(words)
    body = {"error": "new_word", "code": 418, "details": "later"}
    with pytest.raises(ApiError) as raised:
        Call("GET", "/", lambda _: None).finish(418, "7", json.dumps(body).encode())
    assert (type(raised.value), raised.value.word, raised.value.retry_after_s) == (ApiError, "new_word", 7)


def test_mistakes_of_the_caller(cluster: Cluster) -> None:
    coordinator = cluster.coordinator()
    cluster.worker("w1", "--queries", "BTC/USD", *QUICK)
    coordinator.wait_for(1)
    client = coordinator.client
    error = refused(quorate.InvalidRequest, 400, lambda: client.ask("BTC/USD", timeout_ms=0))
    assert "timeout_ms" in error.details and error.evidence is None
    refused(quorate.NotFound, 404, lambda: Client(f"{coordinator.url}/elsewhere").workers())
    error = refused(quorate.UnknownQuery, 404, lambda: client.ask("BTC/USDT"))
    assert "did you mean BTC/USD?" in error.details
    refused(quorate.MethodNotAllowed, 405, lambda: client._call(Call("POST", "/workers", lambda _: None)))
    client.ask("BTC/USD", id="used")
    refused(quorate.Conflict, 409, lambda: client.ask("ETH/USD", id="used"))
    refused(quorate.PayloadTooLarge, 413, lambda: client.ask("x" * 20_000))

    @dataclass(frozen=True)
    class Undeclared(Call[None]):
        @property
        def headers(self) -> dict[str, str]:
            return {"accept": "*/*"}

    undeclared = Undeclared("POST", "/request", lambda _: None, body=b"{}")
    refused(quorate.UnsupportedMediaType, 415, lambda: client._call(undeclared))
    for wrong in (object(), float("nan")):
        with pytest.raises((TypeError, ValueError)):
            client.ask("BTC/USD", tolerance=wrong)  # type: ignore[arg-type]


def test_requests_without_an_answer_carry_their_evidence(cluster: Cluster) -> None:
    coordinator = cluster.coordinator()
    workers = [cluster.worker(name, *QUICK) for name in ("w1", "w2", "w3")]
    coordinator.wait_for(3)
    ask = coordinator.client.ask
    error = refused(quorate.InsufficientResponses, 422, lambda: ask("q", min_responses=4))
    assert [each.worker_id for each in evidence(error).worker_responses] == ["w1", "w2", "w3"]
    strict = {"tolerance": 0, "min_agreement": 1, "on_dispute": "reject"}
    error = refused(quorate.Disputed, 409, lambda: ask("q", **strict))  # type: ignore[arg-type]
    assert evidence(error).agreement is not None and evidence(error).succeeded == 3
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.evidence) == (quorate.Disputed, str(error), error.evidence)
    for worker in workers:
        worker.signal(signal.SIGSTOP)
    error = refused(quorate.DeadlineExceeded, 504, lambda: ask("q", timeout_ms=100))
    assert evidence(error).missing == ("w1", "w2", "w3")


def test_a_coordinator_that_cannot_serve_says_why(cluster: Cluster) -> None:
    coordinator = cluster.coordinator("--min-responses", "2", "--max-in-flight", "1")
    client = coordinator.client
    until("the bus", lambda: client.workers() is not None)
    error = refused(quorate.NoWorkers, 503, lambda: client.ask("q"))
    assert error.retry_after_s == 1
    cluster.worker("w1", *STUCK)
    coordinator.wait_for(1)
    refused(quorate.TooFewWorkers, 503, client.ready)
    with in_flight(coordinator):
        refused(quorate.Overloaded, 503, lambda: client.ask("another"))
        coordinator.program.signal(signal.SIGTERM)

        def drains() -> bool:
            try:
                client.ready()
            except ApiError as error:
                return isinstance(error, quorate.Draining)
            return False

        until("the coordinator to drain", drains)
        error = refused(quorate.Draining, 503, lambda: client.ask("another"))
        assert error.retry_after_s is None
    other = cluster.coordinator()
    other.wait_for(1)
    cluster.nats.kill()

    def is_down() -> bool:
        try:
            other.client.ask("q", timeout_ms=100)
        except quorate.BusDown:
            return True
        except ApiError:
            pass
        return False

    until("the loss of NATS to be noticed", is_down)


def test_a_client_that_asks_too_often_is_told_when_to_come_back(cluster: Cluster) -> None:
    coordinator = cluster.coordinator("--rate-limit", "1", "--rate-burst", "1")
    with pytest.raises(quorate.NoWorkers):
        coordinator.client.ask("q")
    error = refused(quorate.RateLimited, 429, lambda: coordinator.client.ask("q"))
    assert error.retry_after_s == 1


#: Set when the silent server may end.
DONE = threading.Event()


class NoCoordinator(http.server.BaseHTTPRequestHandler):
    """Something else that speaks HTTP, and says what its path asks for."""

    def do_GET(self) -> None:
        path = self.path.rsplit("/", 1)[0]
        if path == "/silent":
            DONE.wait()
        body = b"x" * (17 << 20) if path == "/long" else b"<html>" if path != "/deep" else b"[" * 100_000
        self.send_response(int(path[1:]) if path[1:].isdigit() else 200)
        self.send_header("content-length", str(len(body) + (1 if path == "/broken" else 0)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class Dripping(http.server.BaseHTTPRequestHandler):
    """Something that sends a byte now and then, for longer than a client waits: of the headers, or of the body."""

    #: How many clients have gone away before the end.
    left: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        part = b"HTTP/1.1 200 OK\r\nx-long: " if "/headers" in self.path else b"HTTP/1.1 200 OK\r\n\r\n"
        try:
            self.wfile.write(part)
            for _ in range(100):
                self.wfile.write(b"x")
                time.sleep(0.02)
        except OSError:
            self.left.append(self.path)

    do_POST = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.mark.parametrize("part", ["headers", "body"])
def test_the_time_of_a_client_is_that_of_the_whole_call(part: str) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Dripping) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/{part}"
        client = Client(url, timeout_s=0.2)
        for call in (client.workers, lambda: client.ask("q")):
            with pytest.raises(quorate.TimedOut, match="did not answer in time"):
                call()

        async def use() -> None:
            async with AsyncClient(url, timeout_s=0.2) as client:
                for waiting in (client.workers(), client.ask("q")):
                    with pytest.raises(quorate.TimedOut, match="did not answer in time"):
                        await waiting

        asyncio.run(use())
        if part == "body":
            until("all connections to be closed", lambda: sum("/body" in path for path in Dripping.left) == 4)
        client.close()
        server.shutdown()


def test_a_connection_that_is_not_made_in_time_is_told_as_such() -> None:
    # The queue of the listener is full, so the system does not answer.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        with ExitStack() as waiting:
            for _ in range(2):
                each = waiting.enter_context(socket.socket())
                each.setblocking(False)
                each.connect_ex(address)
            url = "http://{}:{}".format(*address)
            with pytest.raises(quorate.Unreachable, match="no connection in time"):
                Client(url, timeout_s=1).workers()

            async def use() -> None:
                async with AsyncClient(url, timeout_s=1) as client:
                    with pytest.raises(quorate.Unreachable, match="no connection in time"):
                        await client.workers()

            asyncio.run(use())


def test_what_is_no_coordinator_is_told_from_one_that_is_away() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), NoCoordinator) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        for path in ("html", "404", "500", "long", "deep"):
            with pytest.raises(quorate.InvalidResponse):
                Client(f"{url}/{path}").workers()
        for path in ("502", "broken"):
            with pytest.raises(quorate.Unreachable):
                Client(f"{url}/{path}").workers()
        with pytest.raises(quorate.TimedOut):
            Client(f"{url}/silent", timeout_s=0.1).workers()
        DONE.set()
        server.shutdown()
    with pytest.raises(quorate.Unreachable, match=f"{url} cannot be reached"):
        Client(url).ask("q")
    with pytest.raises(quorate.Unreachable):
        next(Client(url).follow())

    async def use() -> None:
        async with AsyncClient(url) as client:
            with pytest.raises(quorate.Unreachable):
                await client.ready()

    asyncio.run(use())
