"""Kinds of values that several models share, and how models read and write themselves."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
)

from skerry.models.descriptions import describe_fields

ANSWER = ConfigDict(frozen=True, serialize_by_alias=True, json_schema_extra=describe_fields)
"""Of what the platform tells: a field that a newer platform adds does not trouble a reader."""

ORDER = ConfigDict(
    extra="forbid", frozen=True, serialize_by_alias=True, json_schema_extra=describe_fields
)
"""Of what somebody asks for: a field that does not exist is refused, as it may be a typo."""

_FIRST_YEAR, _LAST_YEAR = 2, 9998


def _check_calendar(moment: datetime) -> datetime:
    """Refuse an instant that some time zone cannot show: no page and no command could either."""
    try:
        year = moment.astimezone(UTC).year
    except OverflowError:
        year = 0
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise ValueError(f"a time must be in the years {_FIRST_YEAR} to {_LAST_YEAR}")
    return moment


Instant = Annotated[AwareDatetime, AfterValidator(_check_calendar)]
"""An instant from outside, which every time zone can show."""

MOST = 2**31 - 1
"""The largest count that every database and file can hold."""

Name = Annotated[str, StringConstraints(max_length=1000)]
"""A name or an id from outside. The rooms that use it check its form and say what is wrong."""

Count = Annotated[int, Field(ge=0, le=MOST)]
Epoch = Annotated[int, Field(ge=1, le=MOST)]

Values = dict[str, JsonValue]
"""Values of a notebook's parameters by name."""
