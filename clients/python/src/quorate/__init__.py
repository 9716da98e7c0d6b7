"""A client of Quorate, which asks many independent workers one question and answers with the evidence.

`Client` is for ordinary programs, `AsyncClient` for those of asyncio; `quorate.worker` is for workers.
"""

from ._async_client import AsyncClient
from ._client import Client
from ._errors import (
    ApiError,
    BusDown,
    Conflict,
    DeadlineExceeded,
    Disputed,
    Draining,
    InsufficientResponses,
    InvalidRequest,
    InvalidResponse,
    MethodNotAllowed,
    NoStore,
    NotFound,
    NoWorkers,
    Overloaded,
    PayloadTooLarge,
    QuorateError,
    RateLimited,
    RequestTimeout,
    StoreUnavailable,
    TimedOut,
    TooFewWorkers,
    UnknownQuery,
    Unreachable,
    UnsupportedMediaType,
)
from ._events import Answered, Event, Failed, Missed, WorkerChanged
from ._exchange import RequestFields
from ._fields import Value
from ._outcome import Evidence, Excluded, Outcome, Spread, WorkerFate, WorkerResponse
from ._policies import Policies, Policy
from ._state import Blame, LastFailure, OfferedQuery, Quantiles, Readiness, Register, ShortPolicy, WorkerRecord
from ._version import __version__

__all__ = [
    "Answered",
    "ApiError",
    "AsyncClient",
    "Blame",
    "BusDown",
    "Client",
    "Conflict",
    "DeadlineExceeded",
    "Disputed",
    "Draining",
    "Event",
    "Evidence",
    "Excluded",
    "Failed",
    "InsufficientResponses",
    "InvalidRequest",
    "InvalidResponse",
    "LastFailure",
    "MethodNotAllowed",
    "Missed",
    "NoStore",
    "NoWorkers",
    "NotFound",
    "OfferedQuery",
    "Outcome",
    "Overloaded",
    "PayloadTooLarge",
    "Policies",
    "Policy",
    "Quantiles",
    "QuorateError",
    "RateLimited",
    "Readiness",
    "Register",
    "RequestFields",
    "RequestTimeout",
    "ShortPolicy",
    "Spread",
    "StoreUnavailable",
    "TimedOut",
    "TooFewWorkers",
    "UnknownQuery",
    "Unreachable",
    "UnsupportedMediaType",
    "Value",
    "WorkerChanged",
    "WorkerFate",
    "WorkerRecord",
    "WorkerResponse",
    "__version__",
]

# Tracebacks and documentation show the names under which they are imported.
for _name in __all__:
    if isinstance(globals()[_name], type):
        globals()[_name].__module__ = __name__
