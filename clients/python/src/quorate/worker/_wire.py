"""The messages of a worker: tasks in, results and presence announcements out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Optional

from .._fields import Fields, Malformed, parse
from ._observation import Observed
from ._offer import MAX_QUERY_CHARACTERS
from ._text import is_id, is_printable

DEFAULT_PREFIX = "oracle"
MAX_MESSAGE_BYTES = 64 << 10
#: The most elements of a pack that are read, or sent.
MAX_PACKED = 1024
#: The time to live of a task that states none, and the longest that counts.
DEFAULT_TTL_S = 30.0
LONGEST_TTL_S = 600.0

_TOKEN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")
MAX_PREFIX_BYTES = 64
#: A token that would put the subjects of a deployment among the outcomes of another one.
_RESERVED = "outcomes"
#: The number of a task. It is repeated and never computed with.
_NUMBER = re.compile(r"[0-9]{1,20}")
#: A subject that NATS takes. One with a space or the end of a line would be a command of its own.
_SUBJECT = re.compile(r"[!-~]{1,1024}")
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
        self.packs = f"{prefix}.tasks.packed"
        self.results = f"{prefix}.results"
        self.presence = f"{prefix}.workers"
        own = "" if prefix == DEFAULT_PREFIX else "-" + prefix.replace("_", "__").replace(".", "_")
        self.service = f"quorate-worker{own}"


@dataclass(frozen=True)
class ReplyTo:
    """Where an answer goes."""

    subject: str
    #: Whether it goes there in a pack, with others.
    is_packed: bool = False
    #: The number of the task, which a result in a pack repeats.
    task: Optional[str] = None


@dataclass(frozen=True)
class Task:
    """One question of a coordinator."""

    id: str
    query: str
    #: How long an answer can still count.
    ttl_s: float
    reply: ReplyTo
    #: The trace that the task belongs to.
    traceparent: Optional[str]


@dataclass(frozen=True)
class Pack:
    """Tasks that came in one message."""

    tasks: list[Task]
    #: How many of its elements are lost, because they cannot be read or are too many.
    malformed: int


def decode_task(payload: bytes, reply: str, headers: Optional[Mapping[str, str]]) -> Task:
    """The task of a message, to be answered on `reply`; `Malformed` if it has none."""
    return _task(Fields(_parse(payload), "a task"), ReplyTo(reply), _traceparent(headers))


def decode_pack(payload: bytes, reply: str, shared: str) -> Pack:
    """The tasks of a pack. They are to be answered on the subject that the pack names, or else on `reply`, or else each
    by itself on the shared subject. `Malformed` if it is no pack."""
    body = _parse(payload)
    elements = body.get("tasks") if isinstance(body, Mapping) else None
    if not isinstance(elements, list):
        raise Malformed("tasks of a pack is not a list")
    subject = reply if body.get("reply") is None else body["reply"]
    if not isinstance(subject, str) or (subject and not _SUBJECT.fullmatch(subject)):
        raise Malformed("reply of a pack is not a subject")
    tasks = []
    for element in elements[:MAX_PACKED]:
        try:
            fields = Fields(element, "a task")
            number, traceparent = _matching(fields, "task", _NUMBER), _matching(fields, "traceparent", _TRACEPARENT)
            to = ReplyTo(subject, is_packed=True, task=number) if subject else ReplyTo(shared)
            tasks.append(_task(fields, to, traceparent))
        except Malformed:
            # It is counted below.
            pass
    return Pack(tasks, malformed=len(elements) - len(tasks))


def _parse(payload: bytes) -> Any:
    if len(payload) > MAX_MESSAGE_BYTES:
        raise Malformed("the message is too long")
    return parse(payload)


def _matching(fields: Fields, name: str, pattern: re.Pattern[str]) -> Optional[str]:
    """A text of this form. Anything else counts as absent."""
    try:
        text = fields.text(name)
    except Malformed:
        return None
    return text if pattern.fullmatch(text) else None


def _task(fields: Fields, reply: ReplyTo, traceparent: Optional[str]) -> Task:
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


def encode_result(
    worker_id: str,
    request: str,
    observed: Observed,
    response_time_ns: int,
    since: timedelta,
    extra: Optional[Mapping[str, str]] = None,
) -> bytes:
    """A result that is sent so long after the function has returned, with the fields that an element of a pack has
    besides."""
    fields = {
        "worker_id": worker_id,
        "request_id": request,
        **observed.fields(since),
        "response_time": response_time_ns,
        **(extra or {}),
    }
    text = json.dumps(fields)
    if observed.value is not None:
        # The value is JSON already, so that it keeps its digits.
        text = f'{text[:-1]}, "value": {observed.value}}}'
    return text.encode()


def encode_packs(results: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Puts results into as few packs as their bounds allow. Yields each with the number of its results."""
    begin, end = b'{"results": [', b"]}"
    packed: list[bytes] = []
    size = len(begin) + len(end)
    for result in results:
        if packed and (len(packed) == MAX_PACKED or size + len(result) + 1 > MAX_MESSAGE_BYTES):
            yield begin + b",".join(packed) + end, len(packed)
            packed, size = [], len(begin) + len(end)
        size += len(result) + (1 if packed else 0)
        packed.append(result)
    if packed:
        yield begin + b",".join(packed) + end, len(packed)


def encode_presence(identity: Mapping[str, object], state: str, takes_packs: bool) -> bytes:
    return json.dumps({**identity, "state": state, "packs": takes_packs}).encode()
