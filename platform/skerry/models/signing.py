"""Signed addresses: permission to get or put one file of a bucket, for some minutes."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from skerry.models.grants import ReadRequest
from skerry.models.values import ANSWER, ORDER, Name

MOST_NAMES = 256
"""How many names a request may have, and how many further ones its answer."""


class HeldGrant(BaseModel):
    """A write grant, by its id."""

    model_config = ORDER

    mode: Literal["write"] = "write"
    grant: Name


Held = Annotated[HeldGrant | ReadRequest, Field(discriminator="mode")]
"""What allows it: a write grant, or an item that the asker may read."""

FileName = Annotated[str, StringConstraints(max_length=1024)]
"""A file's name relative to the granted prefix."""


class Method(StrEnum):
    """The requests that can be signed."""

    GET = "GET"
    HEAD = "HEAD"
    PUT = "PUT"


class SigningRequest(BaseModel):
    """A request for signed addresses.

    Attributes
    ----------
    under
        The grant.
    method
        The request that the addresses are for.
    names
        The files.
    further
        How many files that stand behind the first name, in the order of a listing, get an address
        too: whoever reads a product soon needs them.
    """

    model_config = ORDER

    under: Held
    method: Method
    names: Annotated[list[FileName], Field(min_length=1, max_length=MOST_NAMES)]
    further: Annotated[int, Field(ge=0, le=MOST_NAMES)] = 0


class SignedAddresses(BaseModel):
    """Signed addresses. No text made of it shows them.

    Attributes
    ----------
    addresses
        File name to the address that opens it.
    life_s
        Seconds for which the store takes them.
    """

    model_config = ANSWER

    addresses: dict[str, str] = Field(repr=False)
    life_s: float


class ListingRequest(BaseModel):
    """A request for the names of files.

    Attributes
    ----------
    under
        The grant.
    folder
        A folder's name with a ``/`` at its end; empty for all below the prefix.
    deep
        Whether to list what is in folders below it, too.
    after
        The name behind which the page begins; empty for the first.
    """

    model_config = ORDER

    under: Held
    folder: FileName = ""
    deep: bool = True
    after: FileName = ""


class ListedFile(BaseModel):
    """A file below a granted prefix; its `tag` changes with its bytes."""

    model_config = ANSWER

    name: str
    size: int
    modified: AwareDatetime
    tag: str | None


class Listing(BaseModel):
    """A page of files.

    Attributes
    ----------
    folders
        Names of the folders right below, where the listing is not deep.
    files
        The files.
    after
        What to name for the next page; none for the last.
    """

    model_config = ANSWER

    folders: list[str] = []
    files: list[ListedFile]
    after: str | None = None
