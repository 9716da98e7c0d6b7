"""What ends a worker."""

from __future__ import annotations

from .._errors import QuorateError


class NatsClosed(QuorateError):
    """NATS refuses the worker's credentials, or has closed its connection for good, so the worker has ended. The text
    says why, and what to correct before the worker is started again. A server that is only away does not raise this:
    the worker waits for it."""
