"""The messages of a worker: tasks in, results and presence announcements out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Optional

from .._fields import Fields, Malformed, parse
from ._observation import Observed
from ._offer import MAX_QUERY_CHARACTERS
from ._text import is_id, is_printable

DEFAULT_PREFIX = "oracle"
MAX_MESSAGE_BYTES = 64 << 10
#: The time to live of a task that states none, and the longest that counts.
DEFAULT_TTL_S = 30.0
LONGEST_TTL_S = 600.0

_TOKEN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")
MAX_PREFIX_BYTES = 64
#: A token that would put the subjects of a deployment among the outcomes of another one.
_RESERVED = "outcomes"
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Subjects:
    """The subjects of one deployment, which begin with its prefix, and the name of its service."""

    def __init__(self, prefix: str) -> None:
        tokens = prefix.split(".")
        if len(prefix) > MAX_PREFIX_BYTES or not all(map(_TOKEN.fullmatch, tokens)):
            raise ValueError(
                "expected tokens of letters, digits, - and _, joined by dots, each beginning and ending with a letter "
                f"or digit, such as staging or eu.staging; at most {MAX_PREFIX_BYTES} characters"
            )
        if _RESERVED in tokens:
            raise ValueError(f"no token may be {_RESERVED}")
        self.tasks = f"{prefix}.tasks"
        self.results = f"{prefix}.results"
        self.presence = f"{prefix}.workers"
        own = "" if prefix == DEFAULT_PREFIX else "-" + prefix.replace("_", "__").replace(".", "_")
        self.service = f"quorate-worker{own}"


@dataclass(frozen=True)
class Task:
    """One question of a coordinator."""

    id: str
    query: str
    #: How long an answer can still count.
    ttl_s: float
    #: Where the answer goes.
    reply: str
    #: The trace that the task belongs to.
    traceparent: Optional[str]


def decode_tasks(payload: bytes, reply: str, headers: Optional[Mapping[str, str]]) -> list[Task]:
    """The tasks of a message, to be answered on `reply`; `Malformed` if it has none."""
    if len(payload) > MAX_MESSAGE_BYTES:
        raise Malformed("the message is too long")
    fields = Fields(parse(payload), "a task")
    return [_task(fields, reply, _traceparent(headers))]


def _task(fields: Fields, reply: str, traceparent: Optional[str]) -> Task:
    request, query = fields.text("id"), fields.text("query")
    if not is_id(request):
        raise Malformed("id is not that of a request")
    if not 1 <= len(query) <= MAX_QUERY_CHARACTERS or not is_printable(query):
        raise Malformed("query is too long or has control characters")
    return Task(request, query, _ttl_s(fields), reply, traceparent)


def _ttl_s(fields: Fields) -> float:
    """A worker must not rely on `ttl_ms`: what is no duration counts as absent."""
    try:
        ttl_ms = fields.integer("ttl_ms")
    except Malformed:
        return DEFAULT_TTL_S
    return min(ttl_ms / 1000, LONGEST_TTL_S) if ttl_ms >= 0 else DEFAULT_TTL_S


def _traceparent(headers: Optional[Mapping[str, str]]) -> Optional[str]:
    named = [value for name, value in (headers or {}).items() if name.lower() == "traceparent"]
    return named[0] if len(named) == 1 and _TRACEPARENT.fullmatch(named[0]) else None


def encode_result(worker_id: str, request: str, observed: Observed, response_time_ns: int, since: timedelta) -> bytes:
    """A result that is sent so long after the function has returned."""
    fields = {
        "worker_id": worker_id,
        "request_id": request,
        **observed.fields(since),
        "response_time": response_time_ns,
    }
    text = json.dumps(fields)
    if observed.value is not None:
        # The value is JSON already, so that it keeps its digits.
        text = f'{text[:-1]}, "value": {observed.value}}}'
    return text.encode()


def encode_presence(identity: Mapping[str, object], state: str) -> bytes:
    return json.dumps({**identity, "state": state}).encode()
