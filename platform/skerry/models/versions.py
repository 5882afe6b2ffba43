"""Versions of the catalogue's items."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, StringConstraints

from skerry.models.values import ANSWER, ORDER

_LONGEST_REASON = 1000


def _check_reason(text: str) -> str:
    if not text.isprintable():
        raise ValueError("a reason is a line of text without control characters")
    return text


Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=_LONGEST_REASON),
    AfterValidator(_check_reason),
]
"""Why somebody decides something, in a line."""


class VersionStatus(StrEnum):
    """The status of one version of an item."""

    PRELIMINARY = "preliminary"
    PUBLISHED = "published"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"


class ItemVersion(BaseModel):
    """One version of an item.

    Attributes
    ----------
    digest
        Digest of its bytes.
    source_digest
        Digest of what it was imported from; null if it was not imported.
    run
        The run that made it, if a run did.
    owner
        The account that registered it.
    updated
        When its status changed last.
    reason
        Why it was withdrawn.
    bytes_deleted
        Since when its bytes are not kept; null if they are.
    """

    model_config = ANSWER

    version: int
    status: VersionStatus
    digest: str
    source_digest: str | None = None
    run: str | None
    owner: str
    created: AwareDatetime
    updated: AwareDatetime
    reason: str | None = None
    bytes_deleted: AwareDatetime | None = None


class Withdrawal(BaseModel):
    """The decision to withdraw a version.

    Attributes
    ----------
    reason
        Why, for all who could see the version.
    delete_bytes
        Whether its bytes go, too.
    """

    model_config = ORDER

    reason: Reason
    delete_bytes: bool = False


class VersionList(BaseModel):
    """The versions of an item, newest first."""

    model_config = ANSWER

    versions: list[ItemVersion]
