"""How a request ended: the answer, and the evidence that it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Optional

from ._fields import Fields, Value


@dataclass(frozen=True)
class WorkerResponse:
    """The first answer of one worker: a value or a failure."""

    worker_id: str
    request_id: str
    #: The observed value; `None` in a failure.
    value: Optional[Value]
    #: Why there is no value.
    err: Optional[str]
    #: The response time that the worker states.
    response_time_ns: int
    #: The age of the value on arrival, if the worker stated one.
    age_ms: Optional[int]

    @classmethod
    def read(cls, fields: Fields) -> WorkerResponse:
        return cls(
            worker_id=fields.text("worker_id"),
            request_id=fields.text("request_id"),
            value=fields.optional("value", fields.value),
            err=fields.optional("err", fields.text),
            response_time_ns=fields.integer(fields.first("response_time_ns", "response_time")),
            age_ms=fields.optional("age_ms", fields.integer),
        )


@dataclass(frozen=True)
class WorkerFate:
    """What became of one worker of the expected set."""

    worker_id: str
    #: `used`, `excluded`, `failed`, `late` or `missing`.
    fate: str
    #: Why its value was excluded.
    reason: Optional[str]
    #: The weight of its value, if the strategy uses weights.
    weight: Optional[Decimal]
    #: The age of its value on arrival, if the worker stated one.
    age_ms: Optional[int]

    @classmethod
    def read(cls, fields: Fields) -> WorkerFate:
        return cls(
            worker_id=fields.text("worker_id"),
            fate=fields.text("fate"),
            reason=fields.optional("reason", fields.text),
            weight=fields.optional("weight", fields.decimal),
            age_ms=fields.optional("age_ms", fields.integer),
        )


@dataclass(frozen=True)
class Excluded:
    """A value that was not used."""

    worker_id: str
    #: `not_a_number`, `outlier`, `stale`, `quarantined` or `newcomer`.
    reason: str

    @classmethod
    def read(cls, fields: Fields) -> Excluded:
        return cls(worker_id=fields.text("worker_id"), reason=fields.text("reason"))


@dataclass(frozen=True)
class Spread:
    """How far the used numbers lie apart."""

    min: Decimal
    max: Decimal
    #: The interquartile range; `None` if no decimal holds it.
    interquartile: Optional[Decimal]
    #: The median absolute deviation from the median.
    mad: Decimal

    @classmethod
    def read(cls, fields: Fields) -> Spread:
        return cls(
            min=fields.decimal("min"),
            max=fields.decimal("max"),
            interquartile=fields.optional("interquartile", fields.decimal),
            mad=fields.decimal("mad"),
        )


@dataclass(frozen=True)
class Evidence:
    """What the workers said about one request."""

    request_id: str
    query: str
    strategy: str
    #: How many workers should have answered.
    expected: int
    #: How many answered with a value, used or not.
    succeeded: int
    #: How many answered with a failure.
    failed: int
    #: Those that did not answer, as far as they have names.
    missing: tuple[str, ...]
    #: The missing ones that were not there, and so were not asked.
    absent: tuple[str, ...]
    #: The missing ones that were no longer waited for, because they were silent for longer than usual.
    suspects: tuple[str, ...]
    excluded: tuple[Excluded, ...]
    workers: tuple[WorkerFate, ...]
    worker_responses: tuple[WorkerResponse, ...]
    #: How far the answer can be relied on, as a sentence.
    reliability_note: str
    #: The time from submission to end.
    elapsed_ns: int
    #: When the request ended, by the coordinator's clock.
    answered_at: Optional[datetime]
    #: When the oldest and the newest of the used values were observed, as far as workers said so.
    oldest_observed_at: Optional[datetime]
    newest_observed_at: Optional[datetime]
    #: The share of the used values that agree with the answer. An error has it if the dispute is the error.
    agreement: Optional[Decimal]

    @classmethod
    def read(cls, fields: Fields) -> Evidence:
        return cls(**_evidence(fields))


def _evidence(fields: Fields) -> dict[str, Any]:
    none: tuple[str, ...] = ()
    return {
        "request_id": fields.text("request_id"),
        "query": fields.text("query"),
        "strategy": fields.text("strategy"),
        "expected": fields.integer("expected"),
        "succeeded": fields.integer("succeeded"),
        "failed": fields.integer("failed"),
        "missing": fields.texts("missing"),
        "absent": fields.optional("absent", fields.texts) or none,
        "suspects": fields.optional("suspects", fields.texts) or none,
        "excluded": fields.objects("excluded", Excluded.read),
        "workers": fields.objects("workers", WorkerFate.read),
        "worker_responses": fields.objects("worker_responses", WorkerResponse.read),
        "reliability_note": fields.text("reliability_note"),
        "elapsed_ns": fields.integer(fields.first("elapsed_ns", "elapsed")),
        "answered_at": fields.optional("answered_at", fields.time),
        "oldest_observed_at": fields.optional("oldest_observed_at", fields.time),
        "newest_observed_at": fields.optional("newest_observed_at", fields.time),
        "agreement": fields.optional("agreement", fields.decimal),
    }


@dataclass(frozen=True)
class Outcome(Evidence):
    """An answer with its evidence."""

    #: The answer: a number with all its digits, or a text.
    value: Value
    #: The answer before it was rounded to `decimals`, if that changed it.
    exact_value: Optional[Decimal]
    #: `complete`, `partial`, `low_reliability` or `disputed`.
    status: str
    #: Whether several values were equally frequent, so that a rule chose the answer and not the workers.
    tie: bool
    #: How far the used numbers lie apart; `None` for texts.
    spread: Optional[Spread]

    @property
    def number(self) -> Decimal:
        """The answer, which must be a number: `TypeError` if it is a text."""
        if isinstance(self.value, Decimal):
            return self.value
        raise TypeError(f"the answer to {self.query} is the text {self.value!r}")

    @classmethod
    def read(cls, fields: Fields) -> Outcome:
        return cls(
            **_evidence(fields),
            value=fields.value("final_value"),
            exact_value=fields.optional("exact_value", fields.decimal),
            status=fields.text("status"),
            tie=fields.boolean("tie"),
            spread=fields.optional("spread", lambda name: Spread.read(fields.nested(name))),
        )
