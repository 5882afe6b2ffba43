"""The parameters of searches: the catalogue reads them, and its errors name the value."""

from typing import Annotated, Any

import attr
from fastapi import Query
from pydantic import model_validator
from stac_fastapi.api.models import ItemCollectionUri
from stac_fastapi.types.search import BaseSearchGetRequest, BaseSearchPostRequest

from skerry.core.errors import InvalidInputError
from skerry.services.guarded_route import refuse_unknown


def _split_numbers(text: str | None) -> list[float] | None:
    try:
        return [float(number) for number in text.split(",")] if text else None
    except ValueError:
        raise InvalidInputError(
            f"The bbox {str(text)[:140]!r} is not a list of numbers.",
            remedy="Write west,south,east,north in degrees, such as 13.0,54.0,15.0,55.0.",
        ) from None


@attr.s
class SearchRequest(BaseSearchGetRequest):
    """A search by GET; the catalogue reads time and place, and its errors name the value."""

    bbox: Annotated[Any, Query(description="west,south,east,north in degrees")] = attr.ib(
        default=None, converter=_split_numbers
    )
    datetime: Annotated[str | None, Query()] = attr.ib(default=None)


class SearchBody(BaseSearchPostRequest):
    """A search by POST; see `SearchRequest`."""

    # plain types: the catalogue reads large values later, in a thread
    bbox: list[float] | None = None  # type: ignore[assignment]
    datetime: str | None = None
    intersects: dict[str, Any] | None = None  # type: ignore[assignment]

    @model_validator(mode="before")
    @classmethod
    def validate_spatial(cls, values: Any) -> Any:
        """Refuse unknown names; the catalogue checks everything else."""
        if isinstance(values, dict):
            refuse_unknown(values, sorted(cls.model_fields))
        return values


@attr.s
class ItemsRequest(ItemCollectionUri):
    """A page of a collection's items; see `SearchRequest`.

    pystac-client names the collection again, and asks for single items by their `ids`.
    """

    collections: Annotated[str | None, Query()] = attr.ib(default=None)
    ids: Annotated[str | None, Query()] = attr.ib(default=None)
    bbox: Annotated[Any, Query(description="west,south,east,north in degrees")] = attr.ib(
        default=None, converter=_split_numbers
    )
    datetime: Annotated[str | None, Query()] = attr.ib(default=None)
