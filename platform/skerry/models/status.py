"""What the status page tells strangers of the platform: words, times, and no addresses."""

from enum import StrEnum

from pydantic import AwareDatetime, BaseModel

from skerry.models.notices import Notices
from skerry.models.values import ANSWER


class PartState(StrEnum):
    """How a part does."""

    WORKS = "works"
    SLOW = "slow"
    IN_PART = "works in part"
    AWAY = "away"


class PartStatus(BaseModel):
    """One part of the platform, as people use it.

    Attributes
    ----------
    name
        The part: ``api``, ``maps``, ...
    title
        What people use it for.
    state
        How it does.
    since
        Since when it does so, as far as this program has seen.
    detail
        Why, in words; empty when it works.
    """

    model_config = ANSWER

    name: str
    title: str
    state: PartState
    since: AwareDatetime
    detail: str = ""


class StatusReport(BaseModel):
    """The state of the platform.

    Attributes
    ----------
    summary
        The whole in a sentence.
    parts
        Its parts.
    seen
        When they were last looked at.
    notices
        Planned maintenance and the last end-to-end run; what was last known while the api is away.
    """

    model_config = ANSWER

    summary: str
    parts: list[PartStatus]
    seen: AwareDatetime
    notices: Notices
