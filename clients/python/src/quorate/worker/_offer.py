"""What a worker offers: the queries that it answers, and the function that answers each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Optional, TypeVar

from ._text import is_printable

MAX_PATTERNS = 256
MAX_BYTES = 16 << 10
MAX_QUERY_CHARACTERS = 256

T = TypeVar("T")


def matches(pattern: str, query: str) -> bool:
    """Whether a query is one of a pattern, in which `*` stands for any characters, including none and `/`. The time is
    at worst proportional to the product of both lengths."""
    first, *parts = pattern.split("*")
    if not parts:
        return pattern == query
    if not query.startswith(first):
        return False
    query = query[len(first) :]
    *middle, last = parts
    # The leftmost match of each part leaves the most to the parts after it.
    for part in middle:
        at = query.find(part)
        if at < 0:
            return False
        query = query[at + len(part) :]
    return query.endswith(last)


@dataclass(frozen=True)
class _Offered(Generic[T]):
    pattern: str
    answered_by: T


class Offer(Generic[T]):
    """Patterns of queries, each with what answers it. The first that matches counts."""

    def __init__(self) -> None:
        self._offered: list[_Offered[T]] = []

    @property
    def patterns(self) -> list[str]:
        return [offered.pattern for offered in self._offered]

    def add(self, pattern: str, answered_by: T) -> None:
        """Adds a pattern; `ValueError` if coordinators would refuse it."""
        if not 1 <= len(pattern) <= MAX_QUERY_CHARACTERS or not is_printable(pattern):
            raise ValueError(f"{pattern!r}: a query has 1 to {MAX_QUERY_CHARACTERS} characters, none of them a control")
        patterns = self.patterns
        if pattern in patterns:
            raise ValueError(f"{pattern} is offered already")
        patterns.append(pattern)
        if len(patterns) > MAX_PATTERNS or sum(len(each.encode()) for each in patterns) > MAX_BYTES:
            raise ValueError(f"a worker offers at most {MAX_PATTERNS} queries, of {MAX_BYTES} bytes together")
        self._offered.append(_Offered(pattern, answered_by))

    def find(self, query: str) -> Optional[T]:
        """What answers the query; nothing if the worker does not offer it."""
        return next((offered.answered_by for offered in self._offered if matches(offered.pattern, query)), None)
