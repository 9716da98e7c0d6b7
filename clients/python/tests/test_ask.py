"""Questions to a real coordinator, with and without an event loop."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from cluster import QUICK, Cluster, until

from quorate import AsyncClient, Client, InvalidRequest, Outcome

EXACT = Decimal("42000.123456789012345678901234")
SCRIPT = Path(__file__).parent / "worker_of_tests.py"


def test_an_answer_keeps_its_digits_and_comes_with_its_evidence(cluster: Cluster) -> None:
    coordinator = cluster.coordinator()
    for name in ("alice", "bob"):
        cluster.python(SCRIPT, name, "8")
    coordinator.wait_for(2)
    outcome = coordinator.client.ask("BTC/USD", id="mine")
    assert (outcome.value, outcome.number, outcome.status) == (EXACT, EXACT, "complete")
    assert (outcome.request_id, outcome.query, outcome.strategy) == ("mine", "BTC/USD", "average")
    assert (outcome.expected, outcome.succeeded, outcome.failed, outcome.missing) == (2, 2, 0, ())
    assert [(each.worker_id, each.fate) for each in outcome.workers] == [("alice", "used"), ("bob", "used")]
    assert [(each.worker_id, each.value) for each in outcome.worker_responses] == [("alice", EXACT), ("bob", EXACT)]
    assert outcome.spread is not None and (outcome.spread.min, outcome.spread.mad) == (EXACT, Decimal(0))
    assert (outcome.agreement, outcome.tie) == (Decimal(1), False) and not outcome.excluded
    assert 0 < outcome.elapsed_ns < 5e9
    assert coordinator.client.ask("BTC/USD", id="mine") == outcome, "a retry receives the same outcome"

    rounded = coordinator.client.ask("BTC/USD", decimals=2)
    assert (rounded.value, rounded.exact_value) == (Decimal("42000.12"), EXACT)
    answer = coordinator.client.ask("ETH/USD", strategy="majority")
    assert (answer.value, answer.spread) == ("text of ETH/USD", None)
    with pytest.raises(TypeError, match="the answer to ETH/USD is the text 'text of ETH/USD'"):
        _ = answer.number

    aged = coordinator.client.ask("aged", max_age_ms=60_000)
    assert all(response.age_ms == 7_000 for response in aged.worker_responses), aged
    dated = coordinator.client.ask("dated")
    ages = [response.age_ms for response in dated.worker_responses]
    assert all(age is not None and 3_600_000 <= age < 3_700_000 for age in ages), dated
    now = datetime.now(timezone.utc)
    assert dated.answered_at is not None and timedelta() <= now - dated.answered_at < timedelta(minutes=1)
    assert dated.oldest_observed_at is not None and now - dated.oldest_observed_at >= timedelta(hours=1)


def test_every_field_of_the_policy_reaches_the_coordinator(cluster: Cluster) -> None:
    coordinator = cluster.coordinator()
    for name in ("w1", "w2", "w3"):
        cluster.worker(name, *QUICK)
    coordinator.wait_for(3)
    outcome = coordinator.client.ask(
        "BTC/USD",
        id="a request",
        strategy="trimmed_mean",
        precision=3,
        trim_share=Decimal("0.25"),
        max_deviation="mad:5",
        tolerance=0.05,
        min_agreement="0.5",
        on_dispute="answer",
        max_age_ms=1000,
        min_responses=1,
        quorum=3,
        timeout_ms=4000,
        decimals=1,
    )
    assert (outcome.strategy, outcome.succeeded) == ("trimmed_mean", 3)
    assert outcome.number == round(outcome.number, 1)


def test_the_state_of_a_coordinator_is_read_with_its_types(cluster: Cluster) -> None:
    coordinator = cluster.coordinator("--expect", "carol", "--min-expected", "3")
    cluster.worker("w1", *QUICK)
    cluster.worker("w2", "--queries", "BTC/*", *QUICK)
    coordinator.wait_for(2)
    client = coordinator.client
    client.ask("BTC/USD")
    # What the coordinator says about itself is up to 250 ms old.
    until("the answer to be counted", lambda: client.workers().workers[0].successes == 1)
    register = client.workers()
    assert [worker.worker_id for worker in register.workers] == ["w1", "w2"]
    assert (register.workers[1].queries, register.workers[1].announced) == (("BTC/*",), True)
    assert register.workers[0].response_time is not None and register.workers[0].response_time.p50_ns > 0
    assert (register.absent, register.counters["requests_accepted"]) == (("carol",), 1)
    assert {(each.query, each.workers) for each in client.queries()} == {("*", 1), ("BTC/*", 1)}
    [default] = client.policies().policies
    assert (default.query, default.strategy, default.expect, default.min_expected) == ("*", "average", ("carol",), 3)
    assert (default.tolerance, default.quorum, default.timeout_ms) == (Decimal("0.06"), None, 5_000)
    assert client.policies("BTC/USD").policies == (default,)
    with pytest.raises(InvalidRequest):
        client.policies("")
    ready = client.ready()
    assert (ready.ready, ready.workers, ready.short[0].needed, ready.short[0].missing) == (True, 2, 3, ("carol",))


def test_a_worker_comes_with_what_explains_its_score(cluster: Cluster) -> None:
    coordinator = cluster.coordinator()
    cluster.python(SCRIPT, "alice", "8")
    cluster.worker("w1", *QUICK)
    coordinator.wait_for(2)
    client = coordinator.client
    for worker in client.workers().workers:
        assert (worker.last_failure, worker.blames) == (None, ())
    # A failure lowers a score if the worker has answered the query before.
    assert [client.ask("once", id=name).failed for name in ("zero", "one")] == [0, 1]
    # What the coordinator says about itself is up to 250 ms old.
    until("the failure to be counted", lambda: client.workers().workers[0].failures == 1)
    worker, other = client.workers().workers
    assert (other.last_failure, other.blames) == (None, ())
    assert worker.last_failure is not None
    assert (worker.last_failure.text, worker.last_failure.request_id) == ("StopIteration()", "one")
    [blame] = worker.blames
    assert (blame.blame, blame.request_id, blame.score_before, blame.score) == (
        "failure",
        "one",
        Decimal(1),
        worker.score,
    )
    assert min(blame.ago_ms, worker.last_failure.ago_ms) >= 0 and worker.score < 1


def test_the_asynchronous_client_does_the_same(cluster: Cluster) -> None:
    coordinator = cluster.coordinator()
    cluster.worker("w1", *QUICK)
    coordinator.wait_for(1)

    async def use() -> None:
        async with AsyncClient(coordinator.url) as client:
            answers = await asyncio.gather(*(client.ask("BTC/USD", strategy="median") for _ in range(5)))
            assert all(isinstance(answer, Outcome) and answer.number > 1000 for answer in answers)
            assert (await client.workers()).workers[0].worker_id == "w1"
            assert [each.query for each in await client.queries()] == ["*"]
            assert (await client.ready()).workers == 1
            assert (await client.policies("BTC/USD")).policies[0].query == "*"

    asyncio.run(use())


def test_what_is_no_address_is_refused_at_once() -> None:
    for url in ("localhost:8080", "ftp://localhost", "http://", ""):
        with pytest.raises(ValueError):
            Client(url)
        with pytest.raises(ValueError):
            AsyncClient(url)
