"""Bounds how long a call blocks as a whole. The timeouts of httpx bound each read, of which a call has any number."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotDone
from typing import TypeVar

from ._errors import TimedOut

T = TypeVar("T")

#: Whether the caller still waits.
IsWanted = Callable[[], bool]


def within(timeout_s: float, late: TimedOut, work: Callable[[IsWanted], T]) -> T:
    """What `work` returns or raises; raises `late` if that takes too long. A read cannot be interrupted, so `work` runs
    in a thread of its own, and ends by itself when it finds that nobody waits."""
    future: Future[T] = Future()
    context = contextvars.copy_context()
    given_up = threading.Event()

    def run() -> None:
        try:
            future.set_result(context.run(work, lambda: not given_up.is_set()))
        except BaseException as error:
            # Whatever ends the thread, somebody waits for it.
            future.set_exception(error)

    threading.Thread(target=run, name="quorate-client", daemon=True).start()
    try:
        return future.result(timeout_s)
    except NotDone:
        if future.done():
            # `work` itself has raised it, or was done at the last moment.
            return future.result()
        raise late from None
    finally:
        given_up.set()
