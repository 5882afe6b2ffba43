"""The order of search results, and the tokens that name a place in it."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, UnaryExpression, and_, literal_column, or_

from skerry.catalog.items import StoredItem
from skerry.catalog.tables import items
from skerry.core.errors import InvalidInputError

_COLUMNS = {"datetime": "begins", "created": "created"}
"""Field to its column; an item of a period is sorted by the period's beginning."""
_LARGEST_INTEGER = 2**63


@dataclass(frozen=True)
class Order:
    """The order of results: by fields, then by the order of registration.

    The registration is compared in the direction of the last field, so no two items have the same
    place, and pages neither repeat nor lose an item.

    Attributes
    ----------
    fields
        Names (``datetime``, ``created``), each with whether it goes down from the newest.
    """

    fields: tuple[tuple[str, bool], ...] = (("datetime", True),)

    @property
    def words(self) -> str:
        """The order as STAC writes it, such as ``-datetime,+created``."""
        return ",".join(("-" if down else "+") + name for name, down in self.fields)

    def sort(self, *, indexed: bool) -> list[UnaryExpression[Any]]:
        """Return what to sort by.

        Unless `indexed`, the first column is written so that no database uses its index: to go
        through the items in this order takes long where few items meet the other conditions.
        """
        keys = self._list_keys()
        first = keys[0][0]
        if not indexed:
            keys[0] = (literal_column(f"+items.{first.key}", BigInteger), keys[0][1])
        return [key.desc() if down else key.asc() for key, down in keys]

    @property
    def length(self) -> int:
        """How many numbers a place has."""
        return len(self.fields) + 1

    @property
    def is_by_time(self) -> bool:
        """Whether the time of the data comes first."""
        return self.fields[0][0] == "datetime"

    @property
    def is_down(self) -> bool:
        """Whether the newest come first."""
        return self.fields[0][1]

    def continue_after(self, place: Sequence[Any]) -> ColumnElement[bool]:
        """Return the condition on the items after the item at a place, of numbers or parameters."""
        keys = self._list_keys()
        ways = []
        for rank, (key, down) in enumerate(keys):
            same = [
                earlier == value for (earlier, _), value in zip(keys[:rank], place, strict=False)
            ]
            ways.append(and_(*same, key < place[rank] if down else key > place[rank]))
        return or_(*ways)

    def find_place(self, item: StoredItem) -> tuple[int, ...]:
        """Return the place of an item in this order."""
        return (*(getattr(item, _COLUMNS[name]) for name, _ in self.fields), item.key)

    def write_token(self, item: StoredItem) -> str:
        """Return the token of the page that begins after an item."""
        place = json.dumps([self.words, *self.find_place(item)]).encode()
        return base64.urlsafe_b64encode(place).decode().rstrip("=")

    def read_token(self, token: str) -> tuple[int, ...]:
        """Return the place that a token names.

        Raises
        ------
        InvalidInputError
            If it is no token, or one of a search in another order.
        """
        try:
            words, *numbers = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            place = tuple(int(number) for number in numbers)
            bounded = all(abs(number) < _LARGEST_INTEGER for number in place)
            if words == self.words and len(place) == self.length and bounded:
                return place
        except (binascii.Error, ValueError, TypeError, OverflowError, RecursionError):
            pass
        raise InvalidInputError(
            f"{token[:60]!r} is not a paging token of a search sorted by {self.words}.",
            remedy="Follow the 'next' link of the page before, unchanged.",
        )

    def _list_keys(self) -> list[tuple[ColumnElement[Any], bool]]:
        keys: list[tuple[Column[Any], bool]] = [
            (items.c[_COLUMNS[name]], down) for name, down in self.fields
        ]
        return [*keys, (items.c.key, self.fields[-1][1])]


NEWEST_FIRST = Order()
"""The order of searches that ask for none."""


def parse_order(sortby: Sequence[str | Mapping[str, str]] | None) -> Order:
    """Read the parameter ``sortby`` of STAC's sort extension.

    Parameters
    ----------
    sortby
        Fields with ``+``, ``-`` or nothing before them (a search by GET), or with ``field`` and
        ``direction`` (by POST). ``properties.`` may stand before a field.

    Raises
    ------
    InvalidInputError
        If a field cannot be sorted by, or is there twice.
    """
    fields: dict[str, bool] = {}
    for entry in sortby or ():
        name, down = _read_entry(entry)
        if name not in _COLUMNS:
            raise InvalidInputError(
                f"sortby names {name[:60]!r}.",
                remedy="Sort by datetime or created, such as -created for the newest first.",
            )
        if name in fields:
            raise InvalidInputError(
                f"sortby names {name!r} twice.", remedy="Name each field at most once."
            )
        fields[name] = down
    return Order(tuple(fields.items())) if fields else NEWEST_FIRST


def _read_entry(entry: str | Mapping[str, str]) -> tuple[str, bool]:
    if isinstance(entry, str):
        name, down = entry.strip(), entry.strip().startswith("-")  # a '+' arrives as a space
        name = name[1:] if name[:1] in ("+", "-") else name
    else:
        name, down = entry["field"], entry["direction"] == "desc"
    return name.removeprefix("properties."), down
