"""The rules of valid requests that JSON Schema cannot express, so that valid requests are generated, too.

Only what the schema allows is changed: a request that violates it is sent unchanged.
"""

import re

import schemathesis

# The largest value of each fraction. One without a limit gets one that decimals can hold.
FRACTIONS = {"trim_share": 0.499999, "tolerance": 1e6, "min_agreement": 1, "max_deviation": 1e6}
UNLIMITED = ("tolerance", "max_deviation")
WRITTEN = re.compile(r"((?:mad|iqr):)?((?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)")
WORKERS = range(1, 1001)


def few_digits(number, most):
    """The number with at most 6 decimals, which exact decimals can hold."""
    return int(min(number, most) * 1e6) / 1e6


def fraction(field, value):
    most = FRACTIONS[field]
    if isinstance(value, str):
        written = WRITTEN.fullmatch(value)
        if written and (not written[1] or field == "max_deviation"):
            return f"{written[1] or ''}{few_digits(float(written[2]), most):.6f}"
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        if 0 <= value and (value <= most or field in UNLIMITED):
            return few_digits(value, most)
    return value


def corrected(body):
    if not isinstance(body, dict):
        return body
    body = {name: fraction(name, value) if name in FRACTIONS else value for name, value in body.items()}
    name = body.get("id")
    if isinstance(name, str) and len(name) <= 128:
        # The limit is in bytes, which may be fewer characters.
        body["id"] = name.encode()[:128].decode(errors="ignore")
    quorum, least = body.get("quorum"), body.get("min_responses")
    if quorum in WORKERS and least in WORKERS and quorum < least:
        body["quorum"] = least
    return body


@schemathesis.hook
def map_body(context, body):
    return corrected(body)


@schemathesis.hook
def before_call(context, case, kwargs):
    # The bounds of each field are tried within the examples, without the hook above.
    case.body = corrected(case.body)
