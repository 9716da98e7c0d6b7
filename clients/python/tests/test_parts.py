"""The parts that need no coordinator: what is read and written."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Optional

import pytest

from quorate import (
    Blame,
    Excluded,
    LastFailure,
    OfferedQuery,
    Outcome,
    Policies,
    Policy,
    Readiness,
    Register,
    RequestFields,
    ShortPolicy,
    Spread,
    WorkerFate,
    WorkerRecord,
    WorkerResponse,
    __version__,
)
from quorate._fields import Fields, Malformed, parse
from quorate._sse import Parser, ServerSentEvent, TooLong
from quorate.worker._jobs import MAX_REMEMBERED, REMEMBER_S, Job, Jobs
from quorate.worker._observation import Observed, failed, observed
from quorate.worker._offer import Offer, matches
from quorate.worker._wire import ReplyTo, Subjects, decode_task, encode_result

ROOT = Path(__file__).parents[3]
SCHEMAS: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text())["components"]["schemas"]

#: The fields with another name here: units are in names, and the answer is short to type.
RENAMED = {"final_value": "value", "elapsed": "elapsed_ns", "response_time": "response_time_ns"}


def properties(schema: str) -> set[str]:
    described = SCHEMAS[schema]
    own = set(described.get("properties", {}))
    for part in described.get("allOf", []):
        own |= properties(part["$ref"].rsplit("/", 1)[1]) if "$ref" in part else set(part["properties"])
    return own


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ("Outcome", Outcome),
        ("WorkerResponse", WorkerResponse),
        ("WorkerFate", WorkerFate),
        ("Excluded", Excluded),
        ("Spread", Spread),
        ("WorkerRecord", WorkerRecord),
        ("KnownWorker", WorkerRecord),
        ("LastFailure", LastFailure),
        ("Blame", Blame),
        ("Register", Register),
        ("OfferedQuery", OfferedQuery),
        ("Readiness", Readiness),
        ("ShortPolicy", ShortPolicy),
        ("Policies", Policies),
        ("Policy", Policy),
    ],
)
def test_every_field_that_is_described_is_there(schema: str, kind: Any) -> None:
    renamed = RENAMED if kind is not WorkerRecord else {}
    described = {renamed.get(name, name) for name in properties(schema)}
    missing = described - {field.name for field in dataclasses.fields(kind)}
    assert not missing, f"{kind.__name__} lacks {missing}"


def test_a_question_can_set_every_field_of_a_request() -> None:
    # Numbers are exact however they are written, so nobody needs to choose.
    assert properties("Request") - {"query", "numbers"} <= set(RequestFields.__annotations__)


def test_the_version_is_that_of_the_coordinator() -> None:
    assert f'\nversion = "{__version__}"\n' in (ROOT / "Cargo.toml").read_text()


def test_numbers_are_read_without_rounding() -> None:
    fields = Fields(parse('{"a": 0.1234567890123456789012345678, "b": 79228162514264337593543950335, "c": "1.50"}'))
    assert str(fields.value("a")) == "0.1234567890123456789012345678"
    assert fields.value("b") == Decimal("79228162514264337593543950335")
    assert (fields.value("c"), fields.decimal("c")) == ("1.50", Decimal("1.50"))
    for text in ("NaN", "Infinity", "[", "", '{"a": 1' + "0" * 5000 + "}", "[" * 100_000):
        with pytest.raises(Malformed):
            Fields(parse(text)).decimal("a")
    for text in ("true", "null", "[]", '"x"'):
        with pytest.raises(Malformed, match="a of the answer is not a number"):
            Fields(parse(f'{{"a": {text}}}')).decimal("a")


def test_events_are_read_however_the_stream_is_cut() -> None:
    stream = (
        "\ufeffretry: 1000\n\n: a comment\nid: c-1\nevent: outcome\ndata: {\ndata:  1}\n\nevent: empty\n\n"
        "data\r\n\r\nid: c-2\rdata: é\r\rid: bad\0\nother: x\ndata: y\n\nid: c-3\n\nid: c-4\ndata: unfinished\n"
    ).encode()
    expected = [
        ServerSentEvent("c-1", "outcome", "{\n 1}"),
        ServerSentEvent("c-1", "message", ""),
        ServerSentEvent("c-2", "message", "é"),
        ServerSentEvent("c-2", "message", "y"),
    ]
    for size in (1, 2, 3, 7, len(stream)):
        parser = Parser(1000)
        pieces = (stream[at : at + size] for at in range(0, len(stream), size))
        assert [event for piece in pieces for event in parser.feed(piece)] == expected, size
        assert (parser.retry_ms, parser.last_id) == (1000, "c-3"), "an id counts once its event has ended"


def test_an_event_without_end_is_not_kept() -> None:
    parser = Parser(1000)
    for _ in range(100):
        assert list(parser.feed(b": a comment that keeps the connection alive\n\n")) == []
        assert list(parser.feed(b": another one\n")) == []
    for endless in (b"data: x\n", b"x"):
        parser = Parser(1000)
        with pytest.raises(TooLong):
            for _ in range(2000):
                list(parser.feed(endless))


@pytest.mark.parametrize(
    ("pattern", "query", "is_one"),
    [
        ("BTC/USD", "BTC/USD", True),
        ("BTC/USD", "BTC/USDT", False),
        ("*", "", True),
        ("*/USD", "BTC/USDT", False),
        ("BTC/*", "BTC/USD", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "acb", False),
        ("a*a", "a", False),
        ("a**a", "aba", True),
        ("a*ab*b", "aabb", True),
        ("a*ab*b", "aab", False),
    ],
)
def test_a_star_stands_for_any_characters(pattern: str, query: str, is_one: bool) -> None:
    assert matches(pattern, query) is is_one


def test_an_offer_is_bounded_like_that_of_any_worker() -> None:
    offer: Offer[int] = Offer()
    offer.add("BTC/USD", 1)
    offer.add("BTC/*", 2)
    assert (offer.find("BTC/USD"), offer.find("BTC/EUR"), offer.find("ETH/USD")) == (1, 2, None)
    for wrong in ("", "x" * 257, "a\nb", "\ud800", "BTC/USD"):
        with pytest.raises(ValueError):
            offer.add(wrong, 3)
    for number in range(254):
        offer.add(f"query {number}", 3)
    with pytest.raises(ValueError, match="at most 256"):
        offer.add("one more", 3)


def result(value: object, since_ms: int = 0) -> Any:
    body = encode_result("w", "r", observed(value), 7, timedelta(milliseconds=since_ms))
    return json.loads(body, parse_float=str, parse_int=str)


def test_what_a_function_returns_is_sent_with_all_its_digits() -> None:
    for value, sent in [
        (Decimal("42000.50"), "42000.50"),
        (Decimal("1E+3"), "1E+3"),
        (1.1, "1.1"),
        (2**90, str(2**90)),
        (Fraction(1, 4), "0.25"),
        ("42000.50", "42000.50"),
        ('a "text" é', 'a "text" é'),
    ]:
        expected = {"worker_id": "w", "request_id": "r", "response_time": "7", "value": sent}
        assert result(value) == expected, value
    wrong: object
    for wrong in (None, True, [], Decimal("NaN"), float("inf"), b"1", "x" * 4097, "\ud800", (1, 2, 3), (1, 5)):
        with pytest.raises(ValueError):
            observed(wrong)
    for when in (datetime(2026, 1, 1), timedelta(seconds=-1)):
        with pytest.raises(ValueError):
            observed((1, when))
    error = failed(KeyError("é" * 2000))
    assert error.err is not None and len(error.err.encode()) == 1024


def test_a_value_ages_until_it_is_repeated() -> None:
    at = datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert "age_ms" not in result(1)
    assert result(1, since_ms=40)["age_ms"] == "40"
    assert result((1, timedelta(seconds=2)))["age_ms"] == "2000"
    assert result((1, timedelta(seconds=2)), since_ms=40)["age_ms"] == "2040"
    dated = result((1, at), since_ms=40)
    assert (dated["observed_at"], "age_ms" in dated) == ("2026-01-01T00:00:00.000+00:00", False)


def test_a_task_needs_an_id_and_a_query_and_nothing_else() -> None:
    def decoded(text: str, headers: Optional[dict[str, str]] = None) -> Any:
        return decode_task(text.encode(), "answers", headers)

    task = decoded('{"id": "r", "query": "q"}')
    assert (task.id, task.query, task.ttl_s, task.reply, task.traceparent) == ("r", "q", 30, ReplyTo("answers"), None)
    for ttl, seconds in [("5000", 5), ("0", 0), ('"x"', 30), ("-1", 30), ("1.5", 30), ("9" * 30, 600)]:
        assert decoded(f'{{"id": "r", "query": "q", "ttl_ms": {ttl}}}').ttl_s == seconds
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert decoded('{"id": "r", "query": "q"}', {"Traceparent": trace}).traceparent == trace
    for invalid in (
        "",
        "00-1-1-01",
        f"01{trace[2:]}",
        trace.upper(),
        trace.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
    ):
        assert decoded('{"id": "r", "query": "q"}', {"traceparent": invalid}).traceparent is None, invalid
    long = "x" * 129
    for wrong in (
        "",
        "null",
        "[]",
        "{}",
        '{"id": "r"}',
        '{"id": 1, "query": "q"}',
        '{"id": "", "query": "q"}',
        f'{{"id": "{long}", "query": "q"}}',
        '{"id": "r", "query": ""}',
        '{"id": "r", "query": "a\\u0000b"}',
        '{"id": "r", "query": "q", "more": "' + "x" * 70_000 + '"}',
    ):
        with pytest.raises(Malformed):
            decoded(wrong)


def test_a_deployment_has_subjects_and_a_service_of_its_own() -> None:
    names = [
        (it.tasks, it.packs, it.results, it.presence, it.service) for it in map(Subjects, ("oracle", "eu.staging_2"))
    ]
    assert names == [
        ("oracle.tasks", "oracle.tasks.packed", "oracle.results", "oracle.workers", "quorate-worker"),
        (
            "eu.staging_2.tasks",
            "eu.staging_2.tasks.packed",
            "eu.staging_2.results",
            "eu.staging_2.workers",
            "quorate-worker-eu_staging__2",
        ),
    ]
    # As in runtime/src/wire/subjects.rs, so that both refuse the same.
    wrong = (
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "a b",
        "a.*",
        ">",
        "$SRV",
        "_INBOX",
        "a._b",
        "a-",
        "é",
        "a/b",
        "a\n",
        "x" * 65,
    )
    for prefix in wrong:
        with pytest.raises(ValueError, match="each beginning and ending with a letter or digit, such as staging"):
            Subjects(prefix)
    for prefix in ("outcomes", "oracle.outcomes", "oracle.outcomes.eu"):
        with pytest.raises(ValueError, match="no token may be outcomes"):
            Subjects(prefix)
    assert Subjects("x" * 64).tasks == "x" * 64 + ".tasks"


def test_answers_are_remembered_for_a_while_and_only_so_many() -> None:
    jobs: Jobs[None] = Jobs(1, 1)
    task = decode_task(b'{"id": "r", "query": "q"}', "answers", None)

    def answer(number: int, now_s: float) -> None:
        job: Job[None] = Job(dataclasses.replace(task, id=f"r{number}"), None, now_s, now_s + 1)
        jobs.add(job)
        assert jobs.next() is job
        jobs.answer(job, Observed("1"), now_s)
        jobs.release()

    for number in range(MAX_REMEMBERED + 5):
        answer(number, 0.0)

    def known(number: int) -> bool:
        return jobs.find(dataclasses.replace(task, id=f"r{number}")) is not None

    assert (known(4), known(5), jobs.is_idle()) == (False, True, True)
    answer(-1, REMEMBER_S)
    assert (known(5), known(-1)) == (False, True)
