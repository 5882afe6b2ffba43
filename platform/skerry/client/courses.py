"""Courses over HTTP."""

from skerry.client.session import Session, join_address
from skerry.models.courses import CapacityOrder, CourseList, CourseOrder


def fetch_courses(session: Session) -> CourseList:
    """Return the courses that the account sees and that are not over."""
    return session.fetch(CourseList, "GET", join_address("courses"))


def keep_seats(session: Session, order: CourseOrder) -> CourseList:
    """Keep seats for a project."""
    return session.fetch(CourseList, "POST", join_address("courses"), json=order)


def release_seats(session: Session, course: str) -> None:
    """Keep the seats of a course no more."""
    session.request("DELETE", join_address("courses", course))


def set_capacity(session: Session, order: CapacityOrder) -> CourseList:
    """Say what all user servers and Dask clusters may take together."""
    return session.fetch(CourseList, "PUT", join_address("capacity"), json=order)
