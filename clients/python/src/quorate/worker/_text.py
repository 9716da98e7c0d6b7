"""Bounds of texts that travel between workers and coordinators."""

from __future__ import annotations

import unicodedata

MAX_ID_BYTES = 128


def is_printable(text: str) -> bool:
    """Whether the text can be sent and has no control characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return all(unicodedata.category(character) != "Cc" for character in text)


def is_id(text: str) -> bool:
    """Whether the text can be the id of a request or a worker."""
    return is_printable(text) and 1 <= len(text.encode()) <= MAX_ID_BYTES


def cut(text: str, max_bytes: int) -> str:
    """The beginning of a text that has at most so many bytes."""
    return text.encode(errors="replace")[:max_bytes].decode(errors="ignore")
