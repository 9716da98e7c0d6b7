"""What a coordinator streams to its followers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

from ._errors import ApiError, InvalidResponse
from ._exchange import error_of
from ._fields import Fields, Malformed, parse
from ._outcome import Outcome
from ._sse import ServerSentEvent
from ._state import WorkerRecord


@dataclass(frozen=True)
class Answered:
    """A request ended with an answer."""

    #: Names the event, to continue after it.
    id: str
    outcome: Outcome


@dataclass(frozen=True)
class Failed:
    """A request ended without an answer. The error carries the evidence."""

    id: str
    query: str
    error: ApiError


@dataclass(frozen=True)
class WorkerChanged:
    """A worker is new, or its state has changed."""

    id: str
    worker: WorkerRecord


@dataclass(frozen=True)
class Missed:
    """Events are left out here: the follower was too slow, or away for too long, or the coordinator was restarted."""

    #: How many, if that is known.
    count: Optional[int]


#: What a follower receives.
Event = Union[Answered, Failed, WorkerChanged, Missed]


def read(event: ServerSentEvent) -> Optional[Event]:
    """The event; nothing if this version does not know its kind."""
    try:
        fields = Fields(parse(event.data), f"the event {event.name}") if event.name in _KNOWN else None
        if fields is None:
            return None
        if event.name == "missed":
            return Missed(fields.optional("count", fields.integer))
        if event.name == "worker":
            return WorkerChanged(event.id, WorkerRecord.read(fields))
        if fields.has("error"):
            return Failed(event.id, fields.text("query"), error_of(fields, fields.integer("code")))
        return Answered(event.id, Outcome.read(fields))
    except Malformed as error:
        raise InvalidResponse(f"GET /events: {error}") from error


_KNOWN = frozenset({"outcome", "worker", "missed"})
