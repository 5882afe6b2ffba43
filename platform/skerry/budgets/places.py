"""Whether a start leaves the seats of courses free, or takes a seat of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from skerry.budgets.amounts import Size
from skerry.budgets.courses import Course
from skerry.core.errors import ConflictError


class KeptForCourseError(ConflictError):
    """The capacity that a start needs is kept for a course."""

    title = "Kept for a course"


@dataclass(frozen=True)
class Taken:
    """What a living server or Dask cluster takes.

    Attributes
    ----------
    until
        Up to when it is thought to live.
    course
        Whose seat it takes; None for no seat.
    """

    size: Size
    until: datetime
    course: str | None


@dataclass(frozen=True)
class Wish:
    """What is to start.

    Attributes
    ----------
    profile
        The profile of a server; empty for a Dask cluster.
    projects
        ``project:<name>`` of its person.
    """

    size: Size
    profile: str
    projects: Collection[str]
    begins: datetime
    until: datetime


def find_place(
    wish: Wish, courses: Sequence[Course], taken: Sequence[Taken], whole: Size
) -> str | None:
    """Return the course whose seat a start takes, None if it takes none and leaves all free.

    Parameters
    ----------
    courses
        Those that lie in the time of the start.
    taken
        What lives.
    whole
        What all may take together.

    Raises
    ------
    KeptForCourseError
        If it would take what is kept for others.
    """
    free = {
        course.name: max(0, course.seats - sum(each.course == course.name for each in taken))
        for course in courses
    }
    for course in courses:
        is_member = course.project in wish.projects
        if is_member and course.profile == wish.profile and free[course.name]:
            return course.name
    for moment in [wish.begins, *(course.begins for course in courses)]:
        if not wish.begins <= moment < wish.until:
            continue
        at_once = [course for course in courses if course.begins <= moment < course.ends]
        kept = sum((each.size * free[each.name] for each in at_once), Size())
        living = sum((each.size for each in taken if each.until > moment), Size())
        if at_once and not whole.holds(kept + living + wish.size):
            raise _refuse(wish, at_once, kept + living, whole)
    return None


def _refuse(wish: Wish, at_once: Sequence[Course], gone: Size, whole: Size) -> KeptForCourseError:
    """Return the refusal; it does not tell whose course it is."""
    what = "server" if wish.profile else "Dask cluster"
    course = max(at_once, key=lambda each: each.ends)
    return KeptForCourseError(
        f"Places are kept for a course {course.describe_time()}: {whole.subtract(gone).describe()} "
        f"are free beside it, and this {what} takes {wish.size.describe()}.",
        remedy="Take less, end what you do not need, or wait until the course is over.",
    )
