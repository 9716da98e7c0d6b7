"""Reads server-sent events from the bytes of a stream, as HTML's standard specifies."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional


class TooLong(Exception):
    """An event is longer than it may be."""


@dataclass(frozen=True)
class ServerSentEvent:
    """An event. `id` is the last id that the stream has named, in this event or before it."""

    id: str
    name: str
    data: str


class Parser:
    """Takes a stream in pieces of any length."""

    def __init__(self, max_bytes: int) -> None:
        #: The time to wait before a reconnection, if the stream names one.
        self.retry_ms: Optional[int] = None
        #: The id to continue after: the last one whose event has ended, even if that event has no data.
        self.last_id = ""
        self._max = max_bytes
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._line: list[str] = []
        self._at_start = True
        self._after_cr = False
        self._id = ""
        self._name = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[ServerSentEvent]:
        """The events that end in this piece."""
        text = self._decode(piece)
        if not text:
            return
        if self._at_start:
            text, self._at_start = text.removeprefix("\ufeff"), False
        if self._after_cr and text.startswith("\n"):
            text = text[1:]
        self._after_cr = text.endswith("\r")
        *ended, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for line in ended:
            self._grow(len(line))
            self._line.append(line)
            whole = "".join(self._line)
            self._line.clear()
            event = self._end(whole)
            if event is not None:
                yield event
        if rest:
            self._grow(len(rest))
            self._line.append(rest)

    def _grow(self, characters: int) -> None:
        self._size += characters
        if self._size > self._max:
            raise TooLong(f"an event has more than {self._max} bytes")

    def _end(self, line: str) -> Optional[ServerSentEvent]:
        """Handles the end of a line. An empty line ends an event."""
        if line:
            self._field(line)
            return None
        data, name = self._data, self._name
        self._data, self._name, self._size = [], "", 0
        self.last_id = self._id
        return ServerSentEvent(self._id, name or "message", "\n".join(data)) if data else None

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._name = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry_ms = int(value[:9])
        elif name == "":
            # A comment, which belongs to no event.
            self._size -= len(line)
