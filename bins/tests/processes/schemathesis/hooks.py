"""What a right request keeps to and JSON Schema cannot say, so that such requests are made up, too.

Only what the schema allows is changed: a request that breaks the schema goes out as it is.
"""

import schemathesis

SHARES = {"trim_share": 0.499999, "tolerance": None, "min_agreement": 1, "max_deviation": None}


def share(value, most):
    """A number within its bounds, as exact decimals hold it: with few digits."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or value < 0 or (most is not None and value > most):
        return value
    return int(min(value, 1e6) * 1e6) / 1e6


@schemathesis.hook
def map_body(context, body):
    if not isinstance(body, dict):
        return body
    body = dict(body)
    for field, most in SHARES.items():
        if field in body:
            body[field] = share(body[field], most)
    # At most 128 bytes, which may be fewer characters.
    if isinstance(body.get("id"), str) and len(body["id"]) <= 128:
        body["id"] = body["id"].encode("utf-8", "ignore")[:128].decode("utf-8", "ignore") if body["id"] else body["id"]
    return body
