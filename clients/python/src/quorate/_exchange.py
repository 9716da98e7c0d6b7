"""One exchange with a coordinator, without a connection: what is sent, and what the response means."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Generic, Optional, TypedDict, TypeVar, Union

from ._errors import BY_WORD, ApiError, InvalidResponse, Unreachable
from ._fields import Fields, Malformed, parse
from ._outcome import Evidence, Outcome
from ._policies import Policies
from ._state import OfferedQuery, Readiness, Register

if TYPE_CHECKING:
    from typing import Literal

T = TypeVar("T")

#: The longest body and the longest event that is read, in bytes. The evidence of a thousand workers fits.
MAX_BODY_BYTES = 16 << 20
#: How long a coordinator may take to answer, beyond the timeout of the request itself.
MARGIN_S = 10.0
#: The longest timeout that a coordinator allows by default.
LONGEST_TIMEOUT_S = 60.0

#: Asks for bodies that are not compressed, so that their length is bounded as they are read.
UNPACKED = {"accept-encoding": "identity"}
#: What a proxy answers while it cannot reach the coordinator.
_OF_A_PROXY = (502, 503, 504)

#: A number in a request. A text must spell one.
Number = Union[Decimal, int, float, str]


class RequestFields(TypedDict, total=False):
    """The fields of a request beside its query. What is not set follows the coordinator's policy."""

    #: Your name for the request. A retry under the same name receives the same outcome.
    id: str
    strategy: Literal["average", "median", "majority", "weighted_median", "trimmed_mean", "min", "max"]
    #: The decimals that `majority` keeps when it compares numbers.
    precision: int
    #: The share of the values that `trimmed_mean` drops at each end.
    trim_share: Number
    #: The outlier rule: a fraction of the median, `mad:K`, `iqr:K` or `none`.
    max_deviation: Number
    #: How far from the answer a value still agrees, as a fraction of it.
    tolerance: Number
    #: The share of agreeing values below which the answer is disputed.
    min_agreement: Number
    on_dispute: Literal["answer", "reject"]
    max_age_ms: int
    min_responses: int
    #: The number of usable values with which the request ends early.
    quorum: int
    timeout_ms: int
    #: The decimals that the answer is rounded to, half-even.
    decimals: int


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request to a coordinator, and how to read its response."""

    method: str
    path: str
    read: Callable[[Fields], T]
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: Optional[bytes] = None
    #: How long the response may take.
    timeout_s: float = MARGIN_S

    @property
    def headers(self) -> dict[str, str]:
        return UNPACKED if self.body is None else {**UNPACKED, "content-type": "application/json"}

    def finish(self, status: int, retry_after: Optional[str], body: bytes) -> T:
        """The result of the call; raises what the response says."""
        try:
            fields = Fields(parse(body))
            if status != 200:
                raise error_of(fields, status, retry_after)
            return self.read(fields)
        except Malformed as error:
            if status in _OF_A_PROXY:
                raise Unreachable(f"a proxy answered {self.method} {self.path} with {status}") from error
            raise InvalidResponse(f"{self.method} {self.path} was answered with {status}, and {error}") from error


def error_of(fields: Fields, status: int, retry_after: Optional[str] = None) -> ApiError:
    """The exception for the body of an error."""
    word = fields.text("error")
    kind = BY_WORD.get(word, ApiError)
    return kind(
        word,
        status,
        fields.text("details"),
        evidence=Evidence.read(fields) if fields.has("worker_responses") else None,
        retry_after_s=int(retry_after) if retry_after is not None and retry_after.isdecimal() else None,
    )


def ask(query: str, chosen: RequestFields) -> Call[Outcome]:
    fields = {"query": query, **{name: value for name, value in chosen.items() if value is not None}}
    timeout_ms = chosen.get("timeout_ms")
    wait_s = LONGEST_TIMEOUT_S if timeout_ms is None else timeout_ms / 1000
    body = json.dumps(fields, default=_decimal, allow_nan=False).encode()
    return Call("POST", "/request", Outcome.read, body=body, timeout_s=wait_s + MARGIN_S)


def _decimal(value: object) -> str:
    """A decimal as a text, so that it keeps its digits."""
    if isinstance(value, Decimal) and value.is_finite():
        return str(value)
    raise TypeError(f"{value!r} cannot be part of a request")


def workers() -> Call[Register]:
    return Call("GET", "/workers", Register.read)


def queries() -> Call[tuple[OfferedQuery, ...]]:
    return Call("GET", "/queries", OfferedQuery.read_all)


def policies(query: Optional[str]) -> Call[Policies]:
    return Call("GET", "/policies", Policies.read, {} if query is None else {"query": query})


def ready() -> Call[Readiness]:
    return Call("GET", "/ready", Readiness.read)
