"""What a function has observed, in the form in which it is sent."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from numbers import Integral, Real
from typing import Optional, Union

from ._text import cut

MAX_VALUE_BYTES = 4096
MAX_ERROR_BYTES = 1024

_Observed = Union[Decimal, int, float, str]

#: What a function of a worker returns: a number or a text, alone or with the time of its observation or its age.
Observation = Union[_Observed, tuple[_Observed, Union[datetime, timedelta]]]


@dataclass(frozen=True)
class Observed:
    """A value or a failure, ready to be sent, now or again."""

    #: The value as JSON; `None` in a failure.
    value: Optional[str]
    #: Why there is no value.
    err: Optional[str] = None
    #: Whether the task was refused for lack of room.
    overloaded: bool = False
    #: When the value was observed, or how old it was, if the function said so.
    observed_at: Optional[datetime] = None
    age: Optional[timedelta] = None

    def fields(self, since: timedelta) -> dict[str, object]:
        """The fields of the result beside the value, when it is sent so long after the function has returned."""
        if self.value is None:
            return {"value": None, "err": self.err, **({"overloaded": True} if self.overloaded else {})}
        if self.observed_at is not None:
            return {"observed_at": self.observed_at.isoformat(timespec="milliseconds")}
        age_ms = ((self.age or timedelta()) + since) // timedelta(milliseconds=1)
        return {"age_ms": age_ms} if self.age is not None or age_ms > 0 else {}


def observed(returned: object) -> Observed:
    """What a function has returned; `ValueError` if that cannot be sent."""
    if not isinstance(returned, tuple):
        return Observed(_value(returned))
    if len(returned) != 2:
        raise ValueError("a tuple is a value and its time or age")
    value, when = returned
    if isinstance(when, datetime):
        if when.tzinfo is None:
            raise ValueError("the time of an observation needs a time zone")
        return Observed(_value(value), observed_at=when)
    if isinstance(when, timedelta):
        if when < timedelta():
            raise ValueError("the age of a value cannot be negative")
        return Observed(_value(value), age=when)
    raise ValueError("a value comes with a datetime or a timedelta")


def failed(error: BaseException) -> Observed:
    """The failure of a function."""
    return Observed(None, err=cut(repr(error), MAX_ERROR_BYTES))


REFUSED = Observed(None, err="worker is overloaded", overloaded=True)


def _value(value: object) -> str:
    """A number or a text as JSON, with all its digits."""
    if isinstance(value, str):
        if len(value.encode()) > MAX_VALUE_BYTES:
            raise ValueError(f"a text has at most {MAX_VALUE_BYTES} bytes")
        return json.dumps(value)
    if isinstance(value, Decimal) and value.is_finite():
        return str(value)
    if isinstance(value, Integral) and not isinstance(value, bool):
        return str(int(value))
    if isinstance(value, Real) and not isinstance(value, (bool, Decimal)) and math.isfinite(value):
        return float.__repr__(float(value))
    raise ValueError(f"{value!r} is neither a number nor a text")
