"""Seats of courses: what contradicts is refused, others leave them free, members find them."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine
from tests.unit.budgets.conftest import HOUR, NOON, SMALL, make_start

from skerry.budgets.amounts import Size
from skerry.budgets.courses import (
    Course,
    find_capacity,
    list_courses,
    make_course,
    remove_course,
    set_capacity,
)
from skerry.budgets.ledger import end_now, list_open, reserve
from skerry.budgets.limits import Budget, set_budget
from skerry.budgets.places import KeptForCourseError
from skerry.core.errors import ConflictError, InvalidInputError, NotFoundError

SAR = "project:sar"
TEN_SERVERS = SMALL * 10


def make(name: str = "sar", **changes: Any) -> Course:
    facts = {
        "name": name, "project": SAR, "profile": "small", "seats": 6, "size": SMALL,
        "begins": NOON + HOUR, "ends": NOON + 5 * HOUR,
    }  # fmt: skip
    return Course(**(facts | changes))


def begin(connection: Connection, thing: str, hours: float = 0, **changes: Any) -> str | None:
    """Start something of nobody's project some hours after noon; return whose seat it takes."""
    facts = {"profile": "small", "person": "person:eve", **changes}
    made = reserve(connection, make_start(thing, **facts), NOON + hours * HOUR)
    assert made is not None
    return made.course


@pytest.fixture
def platform(connection: Connection) -> Connection:
    """Return a transaction in a platform that has room for ten small servers."""
    set_capacity(connection, TEN_SERVERS, NOON)
    return connection


def test_a_course_is_kept_listed_and_removed(platform: Connection) -> None:
    assert find_capacity(platform) == TEN_SERVERS
    make_course(platform, make(), NOON)
    assert list_courses(platform) == [make()]
    assert list_courses(platform, ends_after=NOON + 5 * HOUR) == []
    with pytest.raises(ConflictError, match="There is a course 'sar' already"):
        make_course(platform, make(seats=1), NOON)
    remove_course(platform, "sar")
    with pytest.raises(NotFoundError):
        remove_course(platform, "sar")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"begins": NOON + 5 * HOUR}, "Let it end after it begins"),
        ({"begins": NOON - 2 * HOUR, "ends": NOON}, "after now"),
        ({"name": "a/b"}, "not a valid course name"),
    ],
)
def test_times_and_names_that_cannot_be_are_refused(
    platform: Connection, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidInputError, match=words):
        make_course(platform, make(**changes), NOON)


def test_a_course_that_contradicts_another_is_refused_with_its_name_and_time(
    platform: Connection,
) -> None:
    make_course(platform, make(), NOON)
    with pytest.raises(ConflictError) as refused:
        make_course(platform, make("lidar", begins=NOON + 4 * HOUR, ends=NOON + 9 * HOUR), NOON)
    assert str(refused.value).startswith(
        "Together with 'sar' (from 2026-11-10T13:00:00Z to 2026-11-10T17:00:00Z) the course "
        "'lidar' needs 24 processors and 48 GiB, and 20 processors and 40 GiB is all"
    )
    make_course(platform, make("lidar", begins=NOON + 5 * HOUR, ends=NOON + 9 * HOUR), NOON)
    make_course(platform, make("small", seats=4), NOON)
    with pytest.raises(ConflictError, match="The course 'large' needs"):
        make_course(platform, make("large", seats=11, begins=NOON + 90 * HOUR,
                                   ends=NOON + 91 * HOUR), NOON)  # fmt: skip


def test_courses_need_a_capacity_and_it_does_not_shrink_below_them(
    connection: Connection,
) -> None:
    with pytest.raises(ConflictError, match="skerry course capacity"):
        make_course(connection, make(), NOON)
    set_capacity(connection, TEN_SERVERS, NOON)
    make_course(connection, make(), NOON)
    with pytest.raises(ConflictError, match="'sar' needs"):
        set_capacity(connection, SMALL * 5, NOON)
    set_capacity(connection, SMALL * 6, NOON)
    set_capacity(connection, SMALL, NOON + 9 * HOUR)  # it is over then


def test_others_leave_the_seats_free_and_members_find_all(platform: Connection) -> None:
    make_course(platform, make(), NOON)
    for number in range(4):
        assert begin(platform, f"server/eve/{number}", 2) is None
    with pytest.raises(KeptForCourseError) as refused:
        begin(platform, "server/eve/4", 2)
    assert str(refused.value) == (
        "Places are kept for a course from 2026-11-10T13:00:00Z to 2026-11-10T17:00:00Z: "
        "0 processors and 0 GiB are free beside it, and this server takes 2 processors and 4 GiB. "
        "Take less, end what you do not need, or wait until the course is over."
    )
    assert refused.value.exit_code == 2
    for number in range(6):
        assert begin(platform, f"server/s{number}/", 2, projects=(SAR,)) == "sar"
    with pytest.raises(KeptForCourseError):
        begin(platform, "server/s6/", 2, projects=(SAR,))
    assert end_now(platform, "server/s0/1", NOON + 3 * HOUR)
    assert begin(platform, "server/s6/", 3, projects=(SAR,)) == "sar"


def test_seats_are_for_the_profile_alone(platform: Connection) -> None:
    make_course(platform, make(seats=10), NOON)
    with pytest.raises(KeptForCourseError):
        begin(platform, "server/s0/", 2, projects=(SAR,), profile="large")
    with pytest.raises(KeptForCourseError, match="this Dask cluster takes"):
        begin(platform, "cluster/c", 2, kind="cluster", projects=(SAR,), profile="")


def test_what_would_still_live_when_a_course_begins_is_refused_before_it(
    platform: Connection,
) -> None:
    make_course(platform, make(seats=10), NOON)
    with pytest.raises(KeptForCourseError):
        begin(platform, "server/eve/long")
    assert begin(platform, "server/eve/short", wanted_s=3600) is None
    assert begin(platform, "server/s0/", projects=(SAR,)) == "sar"
    assert begin(platform, "server/eve/after", 5) is None


def test_runs_and_times_without_a_course_are_not_limited(platform: Connection) -> None:
    make_course(platform, make(seats=10, begins=NOON + 50 * HOUR, ends=NOON + 60 * HOUR), NOON)
    for number in range(12):
        begin(platform, f"server/eve/{number}")
    begin(platform, "run/r", 51, kind="run")
    with pytest.raises(KeptForCourseError):  # the servers of noon still live
        begin(platform, "server/eve/late", 51)


def test_a_seat_costs_its_budget_too(platform: Connection) -> None:
    make_course(platform, make(), NOON)
    set_budget(platform, Budget(SAR, core_hours=8))
    assert begin(platform, "server/s0/", 2, projects=(SAR,)) == "sar"
    with pytest.raises(ConflictError, match="budget of project:sar"):
        begin(platform, "server/s1/", 2, projects=(SAR,))
    assert [one.project for one in list_open(platform)] == [SAR]


orders = st.lists(
    st.tuples(st.integers(0, 12), st.integers(1, 6), st.integers(1, 8)), min_size=1, max_size=8
)


@given(orders=orders)
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_courses_are_kept_if_and_only_if_they_fit_at_every_hour(
    engine: Engine, orders: list[tuple[int, int, int]]
) -> None:
    kept: list[tuple[int, int, int]] = []
    with engine.connect() as connection, connection.begin() as transaction:
        set_capacity(connection, Size(10_000, 0), NOON)
        for number, (begins, hours, seats) in enumerate(orders):
            course = make(
                f"c{number}", seats=seats, size=Size(1000, 0),
                begins=NOON + timedelta(hours=begins), ends=NOON + timedelta(hours=begins + hours),
            )  # fmt: skip
            asked = [*kept, (begins, hours, seats)]
            most = max(
                sum(places for start, length, places in asked if start <= hour < start + length)
                for hour in range(begins, begins + hours)
            )
            if most <= 10:
                make_course(connection, course, NOON)
                kept = asked
            else:
                with pytest.raises(ConflictError, match="Take fewer seats"):
                    make_course(connection, course, NOON)
        transaction.rollback()


@given(
    steps=st.lists(
        st.tuples(st.integers(1, 5), st.integers(1, 4), st.booleans(), st.booleans()), max_size=20
    )
)
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_others_start_members_find_their_seats(
    engine: Engine, steps: list[tuple[int, int, bool, bool]]
) -> None:
    """The course is kept before anything starts: then no order of starts leaves it short."""
    with engine.connect() as connection, connection.begin() as transaction:
        set_capacity(connection, Size(20_000, 0), NOON)
        make_course(connection, make(size=Size(2000, 0), seats=5), NOON)
        in_seats = 0
        for number, (cores, hours, is_member, ends_at_once) in enumerate(steps):
            size = Size(2000 if is_member else 1000 * cores, 0)
            try:
                seat = begin(
                    connection, f"server/x/{number}", 1, size=size, wanted_s=hours * 3600,
                    projects=(SAR,) if is_member else (),
                )  # fmt: skip
            except KeptForCourseError:
                assert not is_member or in_seats == 5
                continue
            if ends_at_once:
                end_now(connection, f"server/x/{number}1", NOON + HOUR)
            else:
                in_seats += seat is not None
        living = sum((one.size.cores_milli for one in list_open(connection)), 0)
        assert living + 2000 * (5 - in_seats) <= 20_000
        for number in range(5 - in_seats):
            assert begin(
                connection, f"server/m/{number}", 1, size=Size(2000, 0), projects=(SAR,)
            ) == "sar"  # fmt: skip
        transaction.rollback()
