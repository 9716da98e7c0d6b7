"""What goes wrong between a worker and NATS: what is logged, and what ends the worker."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from typing import Optional
from urllib.parse import ParseResult

from ._errors import NatsClosed

#: How long every server must refuse the credentials until that is final. A service that authorizes clients may start
#: after the server.
PATIENCE_S = 5.0
#: The most subjects of which a denial is told.
MAX_DENIED = 100

#: What a server or nats-py says about credentials that are wrong, have expired or were revoked.
_REFUSAL = re.compile(r"authorization (violation|failed)|authentication (expired|revoked)", re.IGNORECASE)
_DENIAL = "permissions violation"
#: The number of the task at the end of a reply subject. Such subjects count as one.
_TASK_NUMBER = re.compile(r"\.\d+(?=\"|$)")
_DENIED_SUBSCRIPTION = re.compile(_DENIAL + r' for subscription to "([^"]*)"', re.IGNORECASE)

log = logging.getLogger("quorate.worker")


class Troubles:
    """What has gone wrong. Tells each trouble once until there is a connection again."""

    def __init__(self, servers: Callable[[], Sequence[ParseResult]], now: Callable[[], float]) -> None:
        #: Done when there will be no connection any more.
        self.end: asyncio.Future[NatsClosed] = asyncio.get_running_loop().create_future()
        self._servers = servers
        self._now = now
        self._told: set[str] = set()
        self._denied: set[str] = set()
        #: The refusals in a row, and when the first of them was.
        self._refusals = 0
        self._refused_since = 0.0
        self._was_connected = False

    def connected(self) -> None:
        """There is a connection."""
        self._was_connected = True
        self._refusals = 0
        self._told.clear()

    def dropped(self) -> None:
        """Tasks came faster than they were taken."""
        self._tell("dropped", "NATS: tasks are dropped, because they come faster than they are taken")

    def failed(self, error: Exception) -> None:
        """nats-py reports an error. It tries again after those that concern the connection."""
        why = _text(error)
        if _DENIAL in why.lower():
            self._deny(why)
        elif _REFUSAL.search(why):
            self._refuse(why)
        elif self._refusals > 0 and isinstance(error, (ConnectionResetError, BrokenPipeError)):
            log.debug("NATS: %s, after a refusal", why)
        else:
            self._refusals = 0
            # A server that is away is tried again every second.
            self._tell("away", f"NATS: {why}")

    def closed(self, error: Optional[Exception]) -> NatsClosed:
        """nats-py has closed the connection, and will not make another one."""
        if self.end.done():
            return self.end.result()
        why = _text(error) if error is not None else "the reason is not known"
        return self._end(why)

    def _deny(self, why: str) -> None:
        denied = _TASK_NUMBER.sub(".*", why)
        is_told = denied in self._denied or len(self._denied) >= MAX_DENIED
        if not is_told:
            self._denied.add(denied)
        log.log(logging.DEBUG if is_told else logging.WARNING, "NATS: %s", why)

    def _refuse(self, why: str) -> None:
        if self._refusals == 0:
            self._refused_since = self._now()
        self._refusals += 1
        # nats-py tries one server after the other.
        if self._refusals >= len(self._servers()) and self._now() - self._refused_since >= PATIENCE_S:
            self._end(why)
        elif self._was_connected or "away" in self._told:
            self._tell("refused", f"NATS refuses the credentials; still trying: {why}")
        else:
            # It is told soon, when it is final.
            log.debug("NATS refuses the credentials: %s", why)

    def _end(self, why: str) -> NatsClosed:
        if _REFUSAL.search(why):
            addresses = ", ".join(f"{server.hostname}:{server.port}" for server in self._servers())
            error = NatsClosed(
                f"NATS refuses the credentials: {addresses}: {why}; correct them in nats_url "
                "(nats://user:password@host or nats://token@host) or in an option such as user_credentials, and start "
                "the worker again"
            )
        else:
            error = NatsClosed(
                f"NATS has closed the connection for good: {why}; remove the cause, and start the worker again"
            )
        if not self.end.done():
            log.error("%s", error)
            self.end.set_result(error)
        return error

    def _tell(self, kind: str, text: str) -> None:
        log.log(logging.DEBUG if kind in self._told else logging.WARNING, "%s", text)
        self._told.add(kind)


def denied_subscription(error: Exception) -> Optional[str]:
    """The subject that the worker may not subscribe to, in small letters, as nats-py tells it."""
    denied = _DENIED_SUBSCRIPTION.search(str(error))
    return denied[1].lower() if denied else None


def _text(error: Exception) -> str:
    """What an error says, without the name of the library and the quotation marks of the server."""
    return (str(error) or type(error).__name__).removeprefix("nats: ").strip("'")
