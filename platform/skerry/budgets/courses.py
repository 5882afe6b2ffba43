"""Seats of courses: capacity that is kept for a project in a time; and how much there is."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from skerry.budgets.amounts import Size
from skerry.budgets.tables import capacity, courses
from skerry.core.errors import ConflictError, InvalidInputError, NotFoundError
from skerry.core.ids import check_name
from skerry.core.time import format_time

_PLATFORM = "platform"
_LIST = "'skerry course list' shows all."


@dataclass(frozen=True)
class Course:
    """Seats that are kept.

    Attributes
    ----------
    name
        Its name.
    project
        ``project:<name>``, whose members may take the seats.
    profile, seats, size
        How many servers of which profile, and what each of them takes.
    begins, ends
        When they are kept: whole seconds in UTC.
    """

    name: str
    project: str
    profile: str
    seats: int
    size: Size
    begins: datetime
    ends: datetime

    def overlaps(self, begins: datetime, ends: datetime) -> bool:
        """Return whether it lies in a time."""
        return self.begins < ends and begins < self.ends

    def describe_time(self) -> str:
        """Return when it is."""
        return f"from {format_time(self.begins)} to {format_time(self.ends)}"


def find_capacity(connection: Connection) -> Size | None:
    """Return what all servers and Dask clusters may take together; None if nobody has said it."""
    row = connection.execute(select(capacity).where(capacity.c.name == _PLATFORM)).first()
    return None if row is None else Size(row.cores_milli, row.memory_mib)


def set_capacity(connection: Connection, size: Size, now: datetime) -> None:
    """Say what all servers and Dask clusters may take together.

    Raises
    ------
    ConflictError
        If it is less than courses have been promised.
    """
    for course in list_courses(connection, ends_after=now):
        _check_room(connection, course, size)
    values = {"cores_milli": size.cores_milli, "memory_mib": size.memory_mib}
    changed = connection.execute(
        update(capacity).where(capacity.c.name == _PLATFORM).values(values)
    )
    if not changed.rowcount:
        connection.execute(insert(capacity).values(name=_PLATFORM, **values))


def list_courses(connection: Connection, *, ends_after: datetime | None = None) -> list[Course]:
    """Return the courses by their beginning."""
    query = select(courses).order_by(courses.c.begins_at, courses.c.name)
    if ends_after is not None:
        query = query.where(courses.c.ends_at > ends_after)
    return [_read(row) for row in connection.execute(query)]


def make_course(connection: Connection, course: Course, now: datetime) -> None:
    """Keep the seats of a course.

    Raises
    ------
    InvalidInputError
        If its name cannot be a name, or its time is over or has no length.
    ConflictError
        If there is a course of this name, nobody has said what the capacity is, or it does not
        suffice for this course and those at the same time.
    """
    check_name(course.name, what="course name")
    if not now < course.ends or not course.begins < course.ends:
        raise InvalidInputError(
            f"The course {course.name!r} is {course.describe_time()}.",
            remedy="Let it end after it begins, and after now.",
        )
    whole = find_capacity(connection)
    if whole is None:
        raise ConflictError(
            "Nobody has said what all servers and Dask clusters may take together.",
            remedy="Say it with 'skerry course capacity --cores N --memory-gib N'.",
        )
    _check_room(connection, course, whole)
    values = {
        "name": course.name, "project": course.project, "profile": course.profile,
        "seats": course.seats, "cores_milli": course.size.cores_milli,
        "memory_mib": course.size.memory_mib, "begins_at": course.begins,
        "ends_at": course.ends, "time": course.describe_time(),
    }  # fmt: skip
    try:
        with connection.begin_nested():
            connection.execute(insert(courses).values(values))
    except IntegrityError:
        raise ConflictError(
            f"There is a course {course.name!r} already.",
            remedy="Choose another name, or delete that course first.",
        ) from None


def remove_course(connection: Connection, name: str) -> None:
    """Keep the seats of a course no more. Servers that have taken seats go on.

    Raises
    ------
    NotFoundError
        If there is none of this name.
    """
    if not connection.execute(delete(courses).where(courses.c.name == name)).rowcount:
        raise NotFoundError(f"There is no course {name[:140]!r}.", remedy=_LIST)


def _check_room(connection: Connection, course: Course, whole: Size) -> None:
    """Refuse what does not fit beside the other courses, at any moment of its time."""
    others = [
        other
        for other in list_courses(connection)
        if other.name != course.name and other.overlaps(course.begins, course.ends)
    ]
    # the sum is largest where a course begins
    for moment in [course.begins, *(other.begins for other in others)]:
        beside = [each for each in others if each.begins <= moment < each.ends]
        if not course.begins <= moment < course.ends:
            continue
        needed = sum((each.size * each.seats for each in beside), course.size * course.seats)
        if not whole.holds(needed):
            raise _refuse_course(course, beside, needed, whole)


def _refuse_course(
    course: Course, beside: list[Course], needed: Size, whole: Size
) -> ConflictError:
    names = ", ".join(f"{each.name!r} ({each.describe_time()})" for each in beside)
    together = f"Together with {names} the course" if beside else "The course"
    return ConflictError(
        f"{together} {course.name!r} needs {needed.describe()}, and {whole.describe()} is all "
        "that servers and Dask clusters may take.",
        remedy="Take fewer seats, a smaller profile or another time, or delete a course.",
    )


def _read(row: Row[tuple[object, ...]]) -> Course:
    return Course(
        row.name, row.project, row.profile, row.seats, Size(row.cores_milli, row.memory_mib),
        row.begins_at, row.ends_at,
    )  # fmt: skip
