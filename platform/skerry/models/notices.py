"""What everybody may know of the platform's state: planned maintenance, the last end-to-end run."""

from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints, model_validator

from skerry.models.values import ANSWER, ORDER, Instant

Notice = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class Maintenance(BaseModel):
    """Work on the platform that is planned or under way.

    Attributes
    ----------
    begins, ends
        From when to when.
    text
        What people are to know of it; everybody can read it.
    """

    model_config = ORDER

    begins: Instant
    ends: Instant
    text: Notice

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.ends <= self.begins:
            raise ValueError("maintenance must end after it begins")
        return self


class EndToEndResult(BaseModel):
    """How an end-to-end run ended, as its reader saw it.

    Attributes
    ----------
    succeeded
        Whether every step succeeded: run, product, search, tile, Dask cluster.
    seconds
        How long all of them took.
    """

    model_config = ORDER

    succeeded: bool
    seconds: float = Field(ge=0, le=86_400)


class LastEndToEnd(BaseModel):
    """The last end-to-end run that succeeded.

    Attributes
    ----------
    ended
        When it ended.
    seconds
        How long it took.
    """

    model_config = ANSWER

    ended: AwareDatetime
    seconds: float


class Notices(BaseModel):
    """What the status page tells everybody.

    Attributes
    ----------
    maintenance
        Planned maintenance that is not over; None if there is none.
    end_to_end
        The last end-to-end run that succeeded; None if there was none.
    """

    model_config = ANSWER

    maintenance: Maintenance | None = None
    end_to_end: LastEndToEnd | None = None


class EndToEndStart(BaseModel):
    """An end-to-end run that was started.

    Attributes
    ----------
    name
        The name of its job and of its collection.
    run
        Its run.
    has_gateway
        Whether this platform has a Dask gateway.
    """

    model_config = ANSWER

    name: str
    run: str
    has_gateway: bool
