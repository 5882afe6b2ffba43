"""Kinds of values that several models share, and how models read and write themselves."""

from typing import Annotated

from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from skerry.models.descriptions import describe_fields

ANSWER = ConfigDict(frozen=True, serialize_by_alias=True, json_schema_extra=describe_fields)
"""Of what the platform tells: a field that a newer platform adds does not trouble a reader."""

ORDER = ConfigDict(
    extra="forbid", frozen=True, serialize_by_alias=True, json_schema_extra=describe_fields
)
"""Of what somebody asks for: a field that does not exist is refused, as it may be a typo."""

MOST = 2**31 - 1
"""The largest count that every database and file can hold."""

Name = Annotated[str, StringConstraints(max_length=1000)]
"""A name or an id from outside. The rooms that use it check its form and say what is wrong."""

Count = Annotated[int, Field(ge=0, le=MOST)]
Epoch = Annotated[int, Field(ge=1, le=MOST)]

Values = dict[str, JsonValue]
"""Values of a notebook's parameters by name."""
