"""Which projects a person belongs to today, and what of it ends soon."""

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import ColumnElement, Connection, or_, select

from skerry.models.projects import Role
from skerry.projects.tables import members, projects

NOTICE_DAYS = 14
"""How many days before an end it is told."""


@dataclass(frozen=True)
class Belonging:
    """What a person is in a project, and up to which day."""

    project: str
    role: Role
    last_day: date | None

    def word_notice(self, today: date) -> str:
        """Return a notice that it ends soon; an empty text if it does not."""
        if self.last_day is None or self.last_day - today > timedelta(days=NOTICE_DAYS):
            return ""
        left = (self.last_day - today).days
        when = {0: "today", 1: "tomorrow"}.get(left, f"in {left} days")
        return (
            f"Your access to the project {self.project} ends after {self.last_day} ({when}). Ask "
            "an owner of the project, or an operator, if you need it longer."
        )


def list_belonging(connection: Connection, person: str, today: date) -> dict[str, Belonging]:
    """Return the projects that a person belongs to today, by name."""
    query = (
        select(members, projects.c.last_day.label("end"))
        .join(projects, projects.c.name == members.c.project)
        .where(members.c.person == person, holds(members.c.last_day, today))
        .where(holds(projects.c.last_day, today))
        .order_by(members.c.project)
    )
    return {
        row.project: Belonging(row.project, Role(row.role), find_first(row.last_day, row.end))
        for row in connection.execute(query)
    }


def holds(last_day: ColumnElement[str], today: date) -> ColumnElement[bool]:
    """Return the condition that something has not ended before today."""
    return or_(last_day.is_(None), last_day >= today.isoformat())


def find_first(*days: str | None) -> date | None:
    """Return the first of some days; None if there is none."""
    known = [date.fromisoformat(day) for day in days if day]
    return min(known, default=None)
