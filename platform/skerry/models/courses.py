"""Courses: seats, which are capacity that is kept for a project in a time."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field

from skerry.models.values import ANSWER, ORDER, Instant, Name

MOST_SEATS = 100_000


class Course(BaseModel):
    """Seats of a course.

    Attributes
    ----------
    project
        ``project:<name>``, whose members find the seats.
    profile, seats
        How many servers of which profile.
    cores, memory_gib
        What one seat takes.
    begins, ends
        When they are kept.
    taken
        How many have been taken now.
    """

    model_config = ANSWER

    name: str
    project: str
    profile: str
    seats: int
    cores: float
    memory_gib: float
    begins: AwareDatetime
    ends: AwareDatetime
    taken: int


class Capacity(BaseModel):
    """What all user servers and Dask clusters may take together."""

    model_config = ANSWER

    cores: float
    memory_gib: float


class CourseList(BaseModel):
    """The courses that are not over, by their beginning.

    Attributes
    ----------
    courses
        Those of the asker's projects; for operators all.
    capacity
        For operators: what all may take together; None if nobody has said it.
    """

    model_config = ANSWER

    courses: list[Course]
    capacity: Capacity | None = None


class CourseOrder(BaseModel):
    """The request that keeps seats.

    Attributes
    ----------
    project
        Whose members may take them: ``project:<name>``.
    profile, seats
        How many servers of which profile.
    begins, ends
        When they are kept; counted in whole seconds.
    """

    model_config = ORDER

    name: Name
    project: Name
    profile: Name
    seats: Annotated[int, Field(ge=1, le=MOST_SEATS)]
    begins: Instant
    ends: Instant


class CapacityOrder(BaseModel):
    """The request that says what all user servers and Dask clusters may take together."""

    model_config = ORDER

    cores: Annotated[float, Field(ge=0, le=1e7)]
    memory_gib: Annotated[float, Field(ge=0, le=1e8)]
