"""Checks the types of item properties that pages, maps and notebooks read.

STAC leaves properties open, and no program checks its extensions: one item with
``eo:cloud_cover: "lots"`` would otherwise break every listing that shows it.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from skerry.core.errors import InvalidInputError

Percent = Annotated[FiniteFloat, Field(ge=0, le=100)]
StoredInteger = Annotated[int, Field(ge=-(2**63), lt=2**64)]
"""A number that an array of integers can hold."""
Words = str | list[str]


class _Known(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _Provider(_Known):
    name: str


class _Variable(_Known):
    """A variable that maps draw; see `skerry.products.pictures.drawable`."""

    asset: str | None = None
    path: str | None = None
    long_name: str | None = None
    units: str | None = None
    colormap: str | None = None
    display_min: FiniteFloat | None = None
    display_max: FiniteFloat | None = None
    flag_values: list[StoredInteger] | None = None
    flag_meanings: Words | None = None
    flag_colors: Words | None = None


class _Properties(_Known):
    title: str | None = None
    platform: str | None = None
    constellation: str | None = None
    instruments: list[str] | None = None
    providers: list[_Provider] | None = None
    cloud_cover: Percent | None = Field(None, alias="eo:cloud_cover")
    snow_cover: Percent | None = Field(None, alias="eo:snow_cover")
    code: str | None = Field(None, alias="proj:code")
    grid: str | None = Field(None, alias="grid:code")
    level: str | None = Field(None, alias="processing:level")
    lineage: str | None = Field(None, alias="processing:lineage")
    simulated: bool | None = Field(None, alias="skerry:simulated")
    derived_from: list[str] | None = Field(None, alias="skerry:derived_from")
    variables: dict[str, _Variable] | None = Field(None, alias="skerry:variables")


def check_properties(properties: Mapping[str, Any]) -> None:
    """Refuse properties of an item with types that would make their readers fail.

    Raises
    ------
    InvalidInputError
        Naming the first property that is wrong, and its value.
    """
    try:
        _Properties.model_validate(properties)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InvalidInputError(
            f"The item's property {'.'.join(str(step) for step in first['loc'])} is "
            f"{str(first['input'])[:140]!r}: {first['msg']}.",
            remedy="Mend it as STAC 1.1 and its extensions say, or leave it out.",
        ) from None
