"""What a coordinator says about itself, its workers and the queries that they offer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Optional

from ._fields import Fields


@dataclass(frozen=True)
class Quantiles:
    """Quantiles of response times."""

    p50_ns: int
    p90_ns: int
    p99_ns: int

    @classmethod
    def read(cls, fields: Fields) -> Quantiles:
        return cls(fields.integer("p50"), fields.integer("p90"), fields.integer("p99"))


@dataclass(frozen=True)
class LastFailure:
    """The last failure of a worker."""

    #: The worker's words, at most 256 bytes of them.
    text: str
    #: The request that it failed to answer.
    request_id: str
    #: The time since then.
    ago_ms: int

    @classmethod
    def read(cls, fields: Fields) -> LastFailure:
        return cls(text=fields.text("text"), request_id=fields.text("request_id"), ago_ms=fields.integer("ago_ms"))


@dataclass(frozen=True)
class Blame:
    """One time the score of a worker was lowered."""

    #: `outlier`, `failure`, `silence` or `equivocation`.
    blame: str
    #: The request that it happened in.
    request_id: str
    #: The score until then.
    score_before: Decimal
    #: The score since.
    score: Decimal
    #: The time since then.
    ago_ms: int

    @classmethod
    def read(cls, fields: Fields) -> Blame:
        return cls(
            blame=fields.text("blame"),
            request_id=fields.text("request_id"),
            score_before=fields.decimal("score_before"),
            score=fields.decimal("score"),
            ago_ms=fields.integer("ago_ms"),
        )


@dataclass(frozen=True)
class WorkerRecord:
    """One worker with its record."""

    worker_id: str
    #: `live`, `draining`, `left` or `expired`.
    state: str
    #: Whether it announces itself.
    announced: bool
    #: Whether several replicas answer under its name.
    replicated: bool
    #: Its recent reliability, 0 to 1.
    score: Decimal
    #: Whether its values are not used, because its score is too low.
    quarantined: bool
    #: Whether it has been silent for longer than usual while others answered.
    suspect: bool
    #: The queries that it offers: patterns in which `*` stands for any characters.
    queries: tuple[str, ...]
    successes: int
    failures: int
    timeouts: int
    late: int
    outliers: int
    equivocations: int
    #: From dispatch to arrival, over its last answers; `None` before the first.
    response_time: Optional[Quantiles]
    #: The time since its last message.
    last_heard_ms: int
    #: The last failure that a request accepted from it; `None` if none is kept, and in a `WorkerChanged`.
    last_failure: Optional[LastFailure] = None
    #: The last times its score was lowered, at most 8, the oldest first; empty in a `WorkerChanged`.
    blames: tuple[Blame, ...] = ()

    @classmethod
    def read(cls, fields: Fields) -> WorkerRecord:
        return cls(
            worker_id=fields.text("worker_id"),
            state=fields.text("state"),
            announced=fields.boolean("announced"),
            replicated=fields.boolean("replicated"),
            score=fields.decimal("score"),
            quarantined=fields.boolean("quarantined"),
            suspect=fields.optional("suspect", fields.boolean) or False,
            queries=fields.optional("queries", fields.texts) or ("*",),
            successes=fields.integer("successes"),
            failures=fields.integer("failures"),
            timeouts=fields.integer("timeouts"),
            late=fields.integer("late"),
            outliers=fields.integer("outliers"),
            equivocations=fields.integer("equivocations"),
            response_time=fields.optional("response_time", lambda name: Quantiles.read(fields.nested(name))),
            last_heard_ms=fields.integer("last_heard_ms"),
            last_failure=fields.optional("last_failure", lambda name: LastFailure.read(fields.nested(name))),
            blames=fields.optional("blames", lambda name: fields.objects(name, Blame.read)) or (),
        )


@dataclass(frozen=True)
class Register:
    """The known workers, and what the coordinator has counted since its start."""

    workers: tuple[WorkerRecord, ...]
    #: The workers that some policy expects by name, and that are not there.
    absent: tuple[str, ...]
    in_flight: int
    counters: Mapping[str, int]

    @classmethod
    def read(cls, fields: Fields) -> Register:
        return cls(
            workers=fields.objects("workers", WorkerRecord.read),
            absent=fields.optional("absent", fields.texts) or (),
            in_flight=fields.integer("in_flight"),
            counters=fields.integers("counters"),
        )


@dataclass(frozen=True)
class OfferedQuery:
    """A query or a pattern of queries, and how many live workers offer it."""

    query: str
    workers: int

    @classmethod
    def read(cls, fields: Fields) -> OfferedQuery:
        return cls(query=fields.text("query"), workers=fields.integer("workers"))

    @staticmethod
    def read_all(fields: Fields) -> tuple[OfferedQuery, ...]:
        return fields.objects("queries", OfferedQuery.read)


@dataclass(frozen=True)
class ShortPolicy:
    """A policy for which too few workers are there."""

    #: The queries of the policy; `*` is the default policy.
    query: str
    #: Whether a request can succeed.
    served: bool
    #: How many live workers offer such queries.
    workers: int
    #: How many should.
    needed: int
    #: Those that the policy expects by name, and that are not there.
    missing: tuple[str, ...]

    @classmethod
    def read(cls, fields: Fields) -> ShortPolicy:
        return cls(
            query=fields.text("query"),
            served=fields.boolean("served"),
            workers=fields.integer("workers"),
            needed=fields.integer("needed"),
            missing=fields.texts("missing"),
        )


@dataclass(frozen=True)
class Readiness:
    """A coordinator that can serve."""

    ready: bool
    #: The number of live workers.
    workers: int
    in_flight: int
    short: tuple[ShortPolicy, ...]

    @classmethod
    def read(cls, fields: Fields) -> Readiness:
        return cls(
            ready=fields.boolean("ready"),
            workers=fields.integer("workers"),
            in_flight=fields.integer("in_flight"),
            short=fields.objects("short", ShortPolicy.read) if fields.has("short") else (),
        )
