"""Reads JSON without rounding, and its fields with their types."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn, Optional, TypeVar, Union

#: What a worker observed: a number with all its digits, or a text.
Value = Union[Decimal, str]

T = TypeVar("T")


class Malformed(Exception):
    """A text that is not the JSON that was expected; says where."""


def parse(text: Union[str, bytes]) -> Any:
    """Parses JSON. Numbers with a fraction or an exponent become decimals, whole numbers become integers."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"no JSON: {error}") from error


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")


class Fields:
    """The fields of a JSON object. Unknown fields are ignored; a field of a wrong type is `Malformed`."""

    def __init__(self, json_value: object, what: str = "the answer") -> None:
        if not isinstance(json_value, Mapping):
            raise Malformed(f"{what} is not an object")
        self._fields: Mapping[str, object] = json_value
        self._what = what

    def has(self, name: str) -> bool:
        """Whether the field is present and not null."""
        return self._fields.get(name) is not None

    def text(self, name: str) -> str:
        value = self._fields.get(name)
        return value if isinstance(value, str) else self._wrong(name, "a text")

    def integer(self, name: str) -> int:
        value = self._fields.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else self._wrong(name, "a whole number")

    def boolean(self, name: str) -> bool:
        value = self._fields.get(name)
        return value if isinstance(value, bool) else self._wrong(name, "true or false")

    def decimal(self, name: str) -> Decimal:
        """A number, or a text that spells one, as `"numbers": "string"` has it."""
        value = self._fields.get(name)
        if isinstance(value, (Decimal, int)) and not isinstance(value, bool):
            return Decimal(value)
        if isinstance(value, str):
            try:
                return Decimal(value)
            except ArithmeticError:
                pass
        return self._wrong(name, "a number")

    def value(self, name: str) -> Value:
        """A number as a decimal; a text as it is."""
        value = self._fields.get(name)
        if isinstance(value, bool):
            return self._wrong(name, "a number or a text")
        if isinstance(value, (Decimal, int)):
            return Decimal(value)
        return value if isinstance(value, str) else self._wrong(name, "a number or a text")

    def time(self, name: str) -> datetime:
        """A time of day in the form of RFC 3339."""
        text = self.text(name)
        try:
            return datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError:
            return self._wrong(name, "a time")

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(
            item if isinstance(item, str) else self._wrong(name, "a list of texts") for item in self._list(name)
        )

    def objects(self, name: str, read: Callable[[Fields], T]) -> tuple[T, ...]:
        return tuple(read(Fields(item, name)) for item in self._list(name))

    def nested(self, name: str) -> Fields:
        return Fields(self._fields.get(name), name)

    def integers(self, name: str) -> dict[str, int]:
        """An object whose fields are whole numbers."""
        fields = self.nested(name)
        return {key: fields.integer(key) for key in fields._fields}

    def decimals(self, name: str) -> dict[str, Decimal]:
        """An object whose fields are numbers."""
        fields = self.nested(name)
        return {key: fields.decimal(key) for key in fields._fields}

    def optional(self, name: str, read: Callable[[str], T]) -> Optional[T]:
        """What `read` makes of the field, or nothing if it is absent or null."""
        return read(name) if self.has(name) else None

    def first(self, *names: str) -> str:
        """The first of these names that is present: a newer name and the older ones that it replaces."""
        return next((name for name in names if self.has(name)), names[0])

    def _list(self, name: str) -> list[object]:
        value = self._fields.get(name)
        return value if isinstance(value, list) else self._wrong(name, "a list")

    def _wrong(self, name: str, expected: str) -> NoReturn:
        raise Malformed(f"{name} of {self._what} is not {expected}")
