"""Versions of the catalogue's items."""

from enum import StrEnum

from pydantic import AwareDatetime, BaseModel

from skerry.models.values import ANSWER


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
    run
        The run that made it, if a run did.
    owner
        The account that registered it.
    updated
        When its status changed last.
    """

    model_config = ANSWER

    version: int
    status: VersionStatus
    digest: str
    run: str | None
    owner: str
    created: AwareDatetime
    updated: AwareDatetime


class VersionList(BaseModel):
    """The versions of an item, newest first."""

    model_config = ANSWER

    versions: list[ItemVersion]
