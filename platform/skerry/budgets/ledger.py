"""The one place that decides whether something may start, and counts it when it has ended.

A start reserves what it may use, at the cost of a person and of at most one project. Its end takes
the reservation away and adds what was used to the sums of its months, in one transaction: whatever
asks again finds no reservation any more, and so nothing is counted twice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from skerry.budgets.amounts import Amount, Size, describe_seconds, split_months
from skerry.budgets.courses import find_capacity, list_courses
from skerry.budgets.limits import Budget, are_kept, find_budget
from skerry.budgets.places import Taken, Wish, find_place
from skerry.budgets.refusals import Shortage, refuse_start
from skerry.budgets.tables import reservations, used

Span = tuple[datetime, datetime]

_WORDS = {"server": "server", "cluster": "Dask cluster", "run": "run"}


@dataclass(frozen=True)
class Start:
    """What somebody wants to start.

    Attributes
    ----------
    id
        Of this start. The same start may ask again.
    thing
        What is to live, such as ``server/ann/``: it lives at most once.
    kind
        ``server``, ``cluster`` or ``run``.
    size
        What it takes.
    wanted_s, least_s
        Seconds that are reserved: all that is wanted, or as much as is left, but not less than the
        least.
    person
        ``person:<name>``, at whose cost; empty for work of a project alone.
    projects
        ``project:<name>`` of all that may bear the cost.
    profile
        The profile of a server.
    """

    id: str
    thing: str
    kind: str
    size: Size
    wanted_s: int
    least_s: int
    person: str = ""
    projects: Sequence[str] = ()
    profile: str = ""

    def describe(self) -> str:
        """Return it in words, with the least time that it needs."""
        time = describe_seconds(self.least_s)
        return f"{_WORDS[self.kind]} ({self.size.describe()} for {time})"


@dataclass(frozen=True)
class Reservation:
    """What a start has reserved.

    Attributes
    ----------
    person, project
        At whose cost; empty if nobody's.
    until
        Up to when it counts even if it ends earlier without notice.
    course
        The course whose seat it takes.
    """

    id: str
    thing: str
    kind: str
    person: str
    project: str
    size: Size
    begun: datetime
    until: datetime
    seen: datetime | None
    course: str | None = None

    def hold(self, month: str, now: datetime) -> Amount:
        """Return how much of a month it holds: what was reserved, or longer if it lives longer."""
        # a run ends by its own limit; while it waits for its turn it uses nothing
        end = self.until if self.kind == "run" else max(self.until, now)
        parts = dict(split_months(self.begun, end))
        return self.size.last(parts.get(month, 0))


def reserve(connection: Connection, start: Start, now: datetime) -> Reservation | None:
    """Reserve what a start needs.

    Returns
    -------
    Reservation or None
        None if nobody has a budget, and no capacity is set: then nothing is counted.

    Raises
    ------
    BudgetSpentError
        If a budget has not enough left; the words name it.
    KeptForCourseError
        If it would take the seats of a course.
    """
    now = now.replace(microsecond=0)
    if not are_kept(connection):
        return None
    known = _find(connection, reservations.c.thing == start.thing)
    if known is not None and known.id == start.id:
        return known
    if known is not None:  # its end was not told
        settle(connection, known.id, [(known.begun, known.seen or known.begun)])
    project, seconds = _choose_project(connection, start, now)
    if start.person:
        seconds = min(seconds, _last(connection, start.person, start, now))
    until = now + timedelta(seconds=seconds)
    course = _find_place(connection, start, now, until)
    made = Reservation(
        start.id, start.thing, start.kind, start.person, project, start.size, now, until, None,
        course,
    )  # fmt: skip
    _insert(connection, made)
    return made


def settle(connection: Connection, reservation: str, spans: Iterable[Span]) -> bool:
    """Take a reservation away, and count what was used.

    Parameters
    ----------
    spans
        When it was used, from and to.

    Returns
    -------
    bool
        False if there is none: it was settled before.
    """
    known = _find(connection, reservations.c.id == reservation)
    if known is None:
        return False
    connection.execute(delete(reservations).where(reservations.c.id == known.id))
    for begun, ended in spans:
        whole = (begun.replace(microsecond=0), ended.replace(microsecond=0))
        for month, seconds in split_months(*whole):
            _add(connection, known, month, known.size.last(seconds))
    return True


def end_now(connection: Connection, reservation: str, now: datetime) -> bool:
    """Settle what ends now; return False if it was settled before."""
    known = _find(connection, reservations.c.id == reservation)
    return known is not None and settle(connection, known.id, [(known.begun, now)])


def list_open(
    connection: Connection, *, kind: str | None = None, holder: str | None = None
) -> list[Reservation]:
    """Return what is reserved now: all, or of a kind, or at the cost of a holder."""
    query = select(reservations).order_by(reservations.c.begun_at, reservations.c.id)
    if kind is not None:
        query = query.where(reservations.c.kind == kind)
    if holder is not None:
        query = query.where(or_(reservations.c.person == holder, reservations.c.project == holder))
    return [_read(row) for row in connection.execute(query)]


def count_used(connection: Connection, holder: str, month: str) -> Amount:
    """Return what was used in a month at the cost of a holder, and has ended."""
    query = select(func.sum(used.c.core_s), func.sum(used.c.memory_s)).where(
        used.c.month == month, or_(used.c.person == holder, used.c.project == holder)
    )
    core_s, memory_s = connection.execute(query).one()
    return Amount(int(core_s or 0), int(memory_s or 0))


def count_spent(connection: Connection, holder: str, month: str, now: datetime) -> Amount:
    """Return what was used in a month, and what is reserved of it."""
    held = (reservation.hold(month, now) for reservation in list_open(connection, holder=holder))
    return sum(held, count_used(connection, holder, month))


def _find_place(connection: Connection, start: Start, now: datetime, until: datetime) -> str | None:
    """Return the course whose seat a server takes; refuse what would take others' seats."""
    whole = find_capacity(connection) if start.kind != "run" else None
    if whole is None:
        return None
    coming = list_courses(connection, ends_after=now)
    near = [course for course in coming if course.overlaps(now, until)]
    taken = [
        # what lives longer than it has reserved may live on
        Taken(
            reservation.size,
            reservation.until if reservation.until > now else until,
            reservation.course,
        )
        for reservation in list_open(connection)
        if reservation.kind != "run"
    ]
    wish = Wish(start.size, start.profile, start.projects, now, until)
    return find_place(wish, near, taken, whole)


def _choose_project(connection: Connection, start: Start, now: datetime) -> tuple[str, int]:
    """Return the project that bears the cost, and for how many seconds its budget lasts.

    Only projects with a budget bear costs: the first by name whose budget lasts for all that is
    wanted, or else the one whose budget lasts longest.
    """
    lasting: dict[str, int] = {}
    short: list[tuple[str, Budget]] = []
    for project in sorted(start.projects):
        budget = find_budget(connection, project)
        if budget is None:
            continue
        lasting[project] = _find_longest(connection, project, budget, start, now)
        if lasting[project] >= start.wanted_s:
            return project, start.wanted_s
        short.append((project, budget))
    if not lasting:
        # what belongs to a project alone is counted there, with or without a budget
        return ("" if start.person else next(iter(start.projects), "")), start.wanted_s
    best = max(lasting, key=lambda name: lasting[name])
    if lasting[best] < start.least_s:
        _refuse(connection, best, dict(short)[best], start, now)
    return best, lasting[best]


def _last(connection: Connection, holder: str, start: Start, now: datetime) -> int:
    """Return for how many seconds a person's budget lasts, or refuse."""
    budget = find_budget(connection, holder)
    if budget is None:
        return start.wanted_s
    longest = _find_longest(connection, holder, budget, start, now)
    if longest < start.least_s:
        _refuse(connection, holder, budget, start, now)
    return longest


def _find_longest(
    connection: Connection, holder: str, budget: Budget, start: Start, now: datetime
) -> int:
    """Return how many of the wanted seconds fit into a budget, month by month."""
    fitting = 0
    for month, seconds in split_months(now, now + timedelta(seconds=start.wanted_s)):
        left = budget.count_left(count_spent(connection, holder, month, now))
        sizes = (start.size.cores_milli, start.size.memory_mib)
        lasting = [
            part // size
            for part, size in zip(left, sizes, strict=True)
            if part is not None and size
        ]
        fitting += min([seconds, *lasting])
        if lasting and min(lasting) < seconds:
            break
    return fitting


def _refuse(
    connection: Connection, holder: str, budget: Budget, start: Start, now: datetime
) -> None:
    """Raise the refusal that names the first limit which the least of a start passes."""
    for month, seconds in split_months(now, now + timedelta(seconds=start.least_s)):
        spent, needed = count_spent(connection, holder, month, now), start.size.last(seconds)
        cores, memory = budget.count_left(spent)
        purpose = start.describe()
        if cores is not None and needed.core_s > cores:
            facts = (budget.core_hours or 0, spent.core_hours, needed.core_hours)
            raise refuse_start(Shortage(holder, month, "core hours", *facts, purpose), budget)
        if memory is not None and needed.memory_s > memory:
            facts = (budget.memory_hours or 0, spent.memory_hours, needed.memory_hours)
            raise refuse_start(Shortage(holder, month, "GiB hours", *facts, purpose), budget)


def _add(connection: Connection, known: Reservation, month: str, amount: Amount) -> None:
    key = {
        "month": month, "person": known.person, "project": known.project, "kind": known.kind,
    }  # fmt: skip
    changed = connection.execute(
        update(used)
        .where(*(used.c[name] == value for name, value in key.items()))
        .values(core_s=used.c.core_s + amount.core_s, memory_s=used.c.memory_s + amount.memory_s)
    )
    if not changed.rowcount:
        connection.execute(
            insert(used).values(**key, core_s=amount.core_s, memory_s=amount.memory_s)
        )


def _insert(connection: Connection, made: Reservation) -> None:
    connection.execute(
        insert(reservations).values(
            id=made.id, thing=made.thing, kind=made.kind, person=made.person,
            project=made.project, cores_milli=made.size.cores_milli,
            memory_mib=made.size.memory_mib, begun_at=made.begun, until_at=made.until,
            course=made.course,
        )
    )  # fmt: skip


def _find(connection: Connection, condition: object) -> Reservation | None:
    row = connection.execute(select(reservations).where(condition)).first()  # type: ignore[arg-type]
    return None if row is None else _read(row)


def _read(row: Row[tuple[object, ...]]) -> Reservation:
    return Reservation(
        row.id, row.thing, row.kind, row.person, row.project,
        Size(row.cores_milli, row.memory_mib), row.begun_at, row.until_at, row.seen_at,
        row.course,
    )  # fmt: skip
