"""The policies that a coordinator has for requests that set no policy of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Optional

from ._fields import Fields


@dataclass(frozen=True)
class Policy:
    """How requests for some queries are answered, as far as they set nothing themselves."""

    #: The queries: a pattern in which `*` stands for any characters.
    query: str
    strategy: str
    #: The decimals that `majority` keeps when it compares numbers.
    precision: int
    #: The share of the values that `trimmed_mean` drops at each end.
    trim_share: Decimal
    #: The outlier rule: a fraction of the median, `mad:K`, `iqr:K` or `none`.
    max_deviation: str
    #: How far from the answer a value still agrees, as a fraction of it.
    tolerance: Decimal
    #: The share of agreeing values below which the answer is disputed; `None` for no bound.
    min_agreement: Optional[Decimal]
    #: Values known to be older are excluded; `None` for no bound.
    max_age_ms: Optional[int]
    on_dispute: str
    min_responses: int
    #: The number of usable values with which a request ends early; `None` to wait for all.
    quorum: Optional[int]
    timeout_ms: int
    #: The decimals that an answer is rounded to; `None` for all.
    decimals: Optional[int]
    #: The workers that should be there by name.
    expect: tuple[str, ...]
    #: The number of workers that should be there.
    min_expected: int

    @classmethod
    def read(cls, fields: Fields) -> Policy:
        return cls(
            query=fields.text("query"),
            strategy=fields.text("strategy"),
            precision=fields.integer("precision"),
            trim_share=fields.decimal("trim_share"),
            max_deviation=fields.text("max_deviation"),
            tolerance=fields.decimal("tolerance"),
            min_agreement=fields.optional("min_agreement", fields.decimal),
            max_age_ms=fields.optional("max_age_ms", fields.integer),
            on_dispute=fields.text("on_dispute"),
            min_responses=fields.integer("min_responses"),
            quorum=fields.optional("quorum", fields.integer),
            timeout_ms=fields.integer("timeout_ms"),
            decimals=fields.optional("decimals", fields.integer),
            expect=fields.texts("expect"),
            min_expected=fields.integer("min_expected"),
        )


@dataclass(frozen=True)
class Policies:
    """The policies in force. The first whose `query` covers a query applies to it."""

    policies: tuple[Policy, ...]
    #: The weights of workers that the operator set.
    weights: Mapping[str, Decimal]

    @classmethod
    def read(cls, fields: Fields) -> Policies:
        return cls(policies=fields.objects("policies", Policy.read), weights=fields.decimals("weights"))
