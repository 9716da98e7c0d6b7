"""The exceptions: one per error word of a coordinator, and those of the way to it."""

from __future__ import annotations

from typing import Any, ClassVar, Optional

from ._outcome import Evidence


class QuorateError(Exception):
    """Any failure of this package."""


class Unreachable(QuorateError):
    """The coordinator cannot be reached, or the connection broke off. Whether it received the request is unknown:
    ask again under the same `id`."""


class TimedOut(QuorateError):
    """The coordinator did not answer within the client's own time. Its answer can still be had: ask again under the
    same `id`."""


class InvalidResponse(QuorateError):
    """What answered is not a coordinator, or one that this version does not understand."""


class ApiError(QuorateError):
    """The coordinator answered with an error. A word that this version does not know raises this class itself."""

    #: The error word of a subclass.
    WORD: ClassVar[str] = ""

    def __init__(
        self,
        word: str,
        code: int,
        details: str,
        *,
        evidence: Optional[Evidence] = None,
        retry_after_s: Optional[int] = None,
    ) -> None:
        super().__init__(f"{word} ({code}): {details}")
        #: What went wrong, as a word for programs.
        self.word = word
        #: The HTTP status.
        self.code = code
        #: What went wrong and what to do, for people.
        self.details = details
        #: What the workers said, if the request was dispatched.
        self.evidence = evidence
        #: After how many seconds a retry may help, if the coordinator says so.
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.word, self.code, self.details, self.evidence, self.retry_after_s)


def _rebuild(
    kind: type[ApiError],
    word: str,
    code: int,
    details: str,
    evidence: Optional[Evidence],
    retry_after_s: Optional[int],
) -> ApiError:
    return kind(word, code, details, evidence=evidence, retry_after_s=retry_after_s)


class InvalidRequest(ApiError):
    """A field of the request is wrong; `details` names it."""

    WORD = "invalid_request"


class NotFound(ApiError):
    """There is no such route: the address is not that of a coordinator, or of an older one."""

    WORD = "not_found"


class UnknownQuery(ApiError):
    """Workers are live and none offers the query; `details` names the nearest that are offered."""

    WORD = "unknown_query"


class MethodNotAllowed(ApiError):
    """The route has another method."""

    WORD = "method_not_allowed"


class RequestTimeout(ApiError):
    """The coordinator did not receive the whole request in time."""

    WORD = "request_timeout"


class Conflict(ApiError):
    """The `id` stands for another query."""

    WORD = "conflict"


class Disputed(ApiError):
    """The workers disagree, and `on_dispute` is `reject`. The evidence has what they said."""

    WORD = "disputed"


class PayloadTooLarge(ApiError):
    """The request is too long."""

    WORD = "payload_too_large"


class UnsupportedMediaType(ApiError):
    """The request was not declared as JSON."""

    WORD = "unsupported_media_type"


class InsufficientResponses(ApiError):
    """Fewer values than `min_responses` could be used. The evidence has what the workers said."""

    WORD = "insufficient_responses"


class RateLimited(ApiError):
    """This address sends too many requests; `retry_after_s` says when to ask again."""

    WORD = "rate_limited"


class NoWorkers(ApiError):
    """No worker listens for tasks, or those that offer the query are gone."""

    WORD = "no_workers"


class TooFewWorkers(ApiError):
    """Fewer workers are live than every policy requires."""

    WORD = "too_few_workers"


class Overloaded(ApiError):
    """The coordinator has no room for the request."""

    WORD = "overloaded"


class BusDown(ApiError):
    """The coordinator is not connected to NATS."""

    WORD = "bus_down"


class Draining(ApiError):
    """The coordinator is about to stop: ask another one."""

    WORD = "draining"


class DeadlineExceeded(ApiError):
    """The deadline passed without one usable value. The evidence has what the workers said."""

    WORD = "deadline_exceeded"


class NoStore(ApiError):
    """The coordinator has no store: start it with ``--store``."""

    WORD = "no_store"


class StoreUnavailable(ApiError):
    """The store does not answer, so that nothing can be said or promised."""

    WORD = "store_unavailable"


#: The exception of each error word.
BY_WORD: dict[str, type[ApiError]] = {
    kind.WORD: kind
    for kind in (
        InvalidRequest,
        NotFound,
        UnknownQuery,
        MethodNotAllowed,
        RequestTimeout,
        Conflict,
        Disputed,
        PayloadTooLarge,
        UnsupportedMediaType,
        InsufficientResponses,
        RateLimited,
        NoWorkers,
        TooFewWorkers,
        Overloaded,
        BusDown,
        Draining,
        DeadlineExceeded,
        NoStore,
        StoreUnavailable,
    )
}
