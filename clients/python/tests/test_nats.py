"""Workers in Python and a NATS server that does not let them in, or not everywhere."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlparse

import nats
import pytest
from cluster import PATIENCE_S, Nats
from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.errors import Error, NoRespondersError
from nats.errors import TimeoutError as NatsTimeout

from quorate import QuorateError
from quorate.worker import NatsClosed, Worker, _session, _troubles
from quorate.worker._troubles import Troubles


def guarded(password: str) -> str:
    """The settings of a server that lets in one user."""
    return f"authorization {{ users = [{{ user: quorate, password: {password} }}] }}"


def url_of(server: Nats, password: str) -> str:
    return server.url.replace("://", f"://quorate:{password}@")


@contextmanager
def running(settings: str) -> Iterator[Nats]:
    server = Nats(settings)
    try:
        yield server
    finally:
        server.kill()


def answering(url: str, **options: object) -> Worker:
    worker = Worker("alice", url, **options)  # type: ignore[arg-type]

    @worker.query("hangs")
    async def hangs() -> float:
        await asyncio.sleep(50)
        return 1

    return worker


async def is_heard(url: str, state: str = "live") -> None:
    """Waits until the worker has announced this state."""
    connection = await nats.connect(url)
    announced = await connection.subscribe("oracle.workers")
    while json.loads((await announced.next_msg(PATIENCE_S)).data)["state"] != state:
        pass
    await connection.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_troubles, "PATIENCE_S", 0.5)


Change = Callable[[Nats, asyncio.Event], Awaitable[None]]


async def none(server: Nats, told: asyncio.Event) -> None:
    pass


async def restart(server: Nats, told: asyncio.Event) -> None:
    server.kill()
    await asyncio.to_thread(server.start, guarded("second"))


async def reload(server: Nats, told: asyncio.Event) -> None:
    await asyncio.to_thread(server.reload, guarded("second"))


async def reload_in_drain(server: Nats, told: asyncio.Event) -> None:
    connection = await nats.connect(url_of(server, "first"))
    await connection.publish("oracle.tasks", json.dumps({"id": "r", "query": "hangs"}).encode())
    await connection.flush()
    # The worker takes what has arrived before it hears that it is to stop.
    await is_busy(connection)
    told.set()
    await is_heard(url_of(server, "first"), "draining")
    await connection.close()
    await reload(server, told)


async def is_busy(connection: Client) -> None:
    while True:
        stats = json.loads((await connection.request("$SRV.STATS", b"", timeout=PATIENCE_S)).data)
        if stats["endpoints"][0]["num_requests"] > 0:
            return


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("password", "change"), [("wr0ng", none), ("first", restart), ("first", reload), ("first", reload_in_drain)]
)
def test_a_worker_that_nats_does_not_let_in_says_so_once_and_ends(
    password: str, change: Change, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "quorate.worker")
    with running(guarded("first")) as server:

        async def use() -> None:
            told = asyncio.Event()
            serving = asyncio.ensure_future(answering(url_of(server, password)).serve(told))
            if password == "first":
                await is_heard(url_of(server, "first"))
            await change(server, told)
            await asyncio.wait_for(serving, PATIENCE_S)

        with pytest.raises(NatsClosed) as raised:
            asyncio.run(use())
    text = str(raised.value)
    assert isinstance(raised.value, QuorateError)
    assert f"NATS refuses the credentials: 127.0.0.1:{server.port}: authorization " in text.replace(": A", ": a"), text
    assert text.endswith("user_credentials, and start the worker again"), text
    errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert errors == [text]
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == (2 if change is restart else 0), warned
    assert password not in caplog.text


def test_a_program_whose_worker_is_refused_ends_with_the_reason() -> None:
    script = "from quorate.worker import Worker; w = Worker('w'); w.query('q')(lambda: 1); w.run()"
    with running(guarded("first")) as server:
        variables = {"NATS_URL": url_of(server, "wr0ng")}
        ended = subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONPATH": ":".join(sys.path), **variables},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert ended.returncode == 1
    lines = ended.stderr.splitlines()
    assert lines[0].startswith("NATS refuses the credentials: "), "the log"
    assert lines[-1] == f"quorate.worker.NatsClosed: {lines[0]}"
    assert ended.stderr.count("NATS refuses") == 2 and "wr0ng" not in ended.stderr


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_away_may_let_a_worker_in_later(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "quorate.worker")
    with running(guarded("first")) as refusing, running(guarded("second")) as away:
        away.kill()
        urls = f"{url_of(refusing, 'second')},{url_of(away, 'second')}"

        async def use() -> None:
            told = asyncio.Event()
            serving = asyncio.ensure_future(answering(urls).serve(told))
            # Longer than the patience of a worker that every server refuses.
            while caplog.text.count("refuses the credentials") < 4:
                await asyncio.wait({serving}, timeout=0.02)
                assert not serving.done(), caplog.text
            await asyncio.to_thread(away.start, guarded("second"))
            await is_heard(url_of(away, "second"))
            told.set()
            await asyncio.wait_for(serving, PATIENCE_S)

        asyncio.run(use())
        warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert sum("refuses the credentials; still trying" in text for text in warned) == 1, warned
        assert len(warned) == 2, warned


def test_a_connection_that_is_not_made_again_ends_a_worker() -> None:
    with running("") as server:

        async def use() -> None:
            serving = asyncio.ensure_future(answering(server.url, allow_reconnect=False).serve(asyncio.Event()))
            await is_heard(server.url)
            server.kill()
            await asyncio.wait_for(serving, PATIENCE_S)

        with pytest.raises(
            NatsClosed, match="NATS has closed the connection for good: unexpected EOF; remove the cause"
        ):
            asyncio.run(use())
    with pytest.raises(Error, match="invalid hostname"):
        asyncio.run(answering("nats://").serve(asyncio.Event()))
    for name in ("error_cb", "closed_cb", "reconnected_cb"):
        with pytest.raises(TypeError, match=name):
            answering(server.url, **{name: None})


@pytest.mark.parametrize("fault", [Nats.kill, Nats.stall])
def test_a_worker_that_drains_in_an_outage_does_not_subscribe_again(
    fault: Callable[[Nats], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "quorate.worker")
    monkeypatch.setattr(_session, "FLUSH_S", 0.2)
    with running("") as server:

        async def use() -> None:
            told = asyncio.Event()
            serving = asyncio.ensure_future(answering(server.url).serve(told))
            await is_heard(server.url)
            connection = await nats.connect(server.url)
            await connection.publish("oracle.tasks", json.dumps({"id": "r", "query": "hangs"}).encode())
            await is_busy(connection)
            await connection.close()
            fault(server)
            told.set()
            while fault is Nats.stall and "the subscription does not end" not in caplog.text:
                await asyncio.sleep(0.01)
            server.kill()
            await asyncio.to_thread(server.start)
            await is_heard(server.url, "draining")
            connection = await nats.connect(server.url)
            with pytest.raises(NoRespondersError):
                while True:
                    with suppress(NatsTimeout):
                        await connection.request("oracle.tasks", b"", timeout=0.02)
                    assert not serving.done()
            await connection.close()
            serving.cancel()

        asyncio.run(asyncio.wait_for(use(), PATIENCE_S))


def test_what_a_worker_may_not_do_is_always_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "quorate.worker")
    denied = (
        "authorization { users = [{ user: quorate, password: first, permissions: { "
        'publish: { deny: ["oracle.workers"] }, subscribe: { deny: ["$SRV.>"] } } }] }'
    )
    with running(denied) as server:
        server.kill()

        async def use() -> None:
            told = asyncio.Event()
            serving = asyncio.ensure_future(answering(url_of(server, "first")).serve(told))
            while "NATS: " not in caplog.text:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(server.start, denied)
            # The worker has announced itself again, and was told again that it may not.
            while caplog.text.count("oracle.workers") < 2:
                await asyncio.wait({serving}, timeout=0.02)
                assert not serving.done(), caplog.text
            told.set()
            await asyncio.wait_for(serving, PATIENCE_S)

        asyncio.run(use())
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    for what in ('publish to "oracle.workers"', 'subscription to "$srv.*"'):
        assert sum(f"permissions violation for {what}" in text for text in warned) == 1, warned


def test_a_worker_that_may_not_receive_packs_says_so_once_and_takes_none(caplog: pytest.LogCaptureFixture) -> None:
    def settings(*denied: str) -> str:
        subjects = ", ".join(f'"{subject}"' for subject in denied)
        alice = f"{{ user: alice, password: p, permissions: {{ subscribe: {{ deny: [{subjects}] }} }} }}"
        return f"authorization {{ users = [{alice}, {{ user: quorate, password: first }}] }}"

    packs = "EU.Staging.tasks.packed"
    with running(settings(packs)) as server:

        async def announced(subscription: Subscription, packs: bool) -> None:
            while (presence := json.loads((await subscription.next_msg(PATIENCE_S)).data))["packs"] is not packs:
                pass
            assert presence["state"] == "live"

        async def use() -> None:
            told = asyncio.Event()
            connection = await nats.connect(url_of(server, "first"), reconnect_time_wait=0.1)
            presence = await connection.subscribe("EU.Staging.workers")
            await connection.flush()
            worker = answering(server.url.replace("://", "://alice:p@"), replicas=True, subject_prefix="EU.Staging")
            serving = asyncio.ensure_future(worker.serve(told))

            async def takes_packs() -> bool:
                ping = json.loads((await connection.request("$SRV.PING", b"", timeout=PATIENCE_S)).data)
                return bool(ping["metadata"].get("packs") == "true")

            first = json.loads((await presence.next_msg(PATIENCE_S)).data)
            assert (first["state"], first["packs"], await takes_packs()) == ("live", False, False)
            # Nobody takes a pack, and it does not take it for a task.
            with pytest.raises(NoRespondersError):
                await connection.request(packs, b'{"tasks": []}', timeout=PATIENCE_S)
            for denied in ([], [packs], ["x"]):
                server.kill()
                while presence.pending_msgs > 0:
                    await presence.next_msg()
                await asyncio.to_thread(server.start, settings(*denied))
                await asyncio.wait_for(announced(presence, packs not in denied), PATIENCE_S)
                assert await takes_packs() is (packs not in denied)
            told.set()
            await asyncio.wait_for(serving, PATIENCE_S)
            await connection.close()

        asyncio.run(use())
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert sum(f'subscription to "{packs.lower()}"' in text for text in warned) == 1, warned


def test_every_trouble_is_told_once_until_there_is_a_connection(caplog: pytest.LogCaptureFixture) -> None:
    async def use() -> None:
        now_s = 0.0
        troubles = Troubles(lambda: [urlparse("nats://u:secret@a:1"), urlparse("nats://b:2")], lambda: now_s)

        def warned(*errors: Exception) -> list[str]:
            caplog.clear()
            for error in errors:
                troubles.failed(error)
            return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]

        away, refused = OSError("away"), Error("nats: 'Authorization Violation'")
        denied = [Error(f'nats: permissions violation for publish to "x{number}"') for number in range(200)]
        assert warned(refused, ConnectionResetError(), refused) == [], "it may be final soon"
        now_s = 5.0
        assert warned(away, away, NatsTimeout()) == ["NATS: away"]
        assert warned(refused, ConnectionResetError(), refused) == [
            "NATS refuses the credentials; still trying: Authorization Violation"
        ], "another server was away, so the count of refusals starts again"
        assert warned(*denied[:3], *denied[:3]) == [f"NATS: {str(error)[6:]}" for error in denied[:3]]
        troubles.connected()
        assert warned(denied[0], away) == ["NATS: away"]
        replies = [Error(f'nats: permissions violation for publish to "_inbox.a.{number}"') for number in range(5)]
        assert len(warned(*replies)) == 1, "they differ in the number of the task"
        assert len(warned(*denied)) == 96, "no more than a hundred"
        troubles.connected()
        assert len(warned(refused)) == 1
        now_s = 9.9
        assert warned(refused, refused) == [] and not troubles.end.done()
        now_s = 10.0
        [final] = warned(refused)
        assert str(troubles.end.result()) == final and "a:1, b:2: Authorization Violation" in final
        assert "secret" not in final
        assert warned(refused) == [] and troubles.closed(None) is troubles.end.result()

    asyncio.run(use())
