"""HTTP routes of courses: seats that are kept for a project in a time, and the capacity."""

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from sqlalchemy import Connection

from skerry.budgets.amounts import Size
from skerry.budgets.courses import (
    Course,
    find_capacity,
    list_courses,
    make_course,
    remove_course,
    set_capacity,
)
from skerry.budgets.ledger import list_open
from skerry.core.errors import InvalidInputError
from skerry.core.ownership import check_owner
from skerry.core.profile_sizes import read_profile_sizes
from skerry.core.scopes import Scope
from skerry.core.time import utc_now
from skerry.models import courses as models
from skerry.services.access import speak_for
from skerry.services.guarded_route import create_router
from skerry.services.identity import Identity, require
from skerry.services.stores import Stores

Anybody = Annotated[Identity, Depends(require())]
Keeper = Annotated[Identity, Depends(require(Scope.BUDGETS_MANAGE))]

_GIB = 1 << 30


def create_courses_router(stores: Stores) -> APIRouter:
    """Return the routes under ``/courses``, and ``/capacity``."""
    router = create_router(tags=["budgets"])
    sizes = {name: Size.of(*size) for name, size in read_profile_sizes().items()}

    @router.get("/courses")
    def list_seats(who: Anybody) -> models.CourseList:
        """List the courses of the asker's projects that are not over; for operators all."""
        with stores.reader.connect() as connection:
            return _show(connection, who)

    @router.post("/courses", status_code=201)
    def keep_seats(order: models.CourseOrder, who: Keeper) -> models.CourseList:
        """Keep seats for a project; 409 says what they contradict."""
        with stores.change(who) as connection:
            make_course(connection, _read_order(order, sizes), utc_now())
            return _show(connection, who)

    @router.delete("/courses/{course}", status_code=204)
    def release_seats(course: str, who: Keeper) -> Response:
        """Keep the seats of a course no more; servers that have taken seats go on."""
        with stores.change(who) as connection:
            remove_course(connection, course)
        return Response(status_code=204)

    @router.put("/capacity")
    def change_capacity(order: models.CapacityOrder, who: Keeper) -> models.CourseList:
        """Say what all user servers and Dask clusters may take together."""
        size = Size.of(order.cores, round(order.memory_gib * _GIB))
        with stores.change(who) as connection:
            set_capacity(connection, size, utc_now())
            return _show(connection, who)

    return router


def _show(connection: Connection, who: Identity) -> models.CourseList:
    sees_all = who.may(Scope.BUDGETS_READ, Scope.BUDGETS_MANAGE)
    owners = speak_for(who).owners
    taken = Counter(server.course for server in list_open(connection, kind="server"))
    shown = [
        _describe(course, taken[course.name])
        for course in list_courses(connection, ends_after=utc_now())
        if sees_all or course.project in owners
    ]
    whole = find_capacity(connection) if sees_all else None
    return models.CourseList(
        courses=shown,
        capacity=whole and models.Capacity(cores=whole.cores, memory_gib=whole.memory_gib),
    )


def _describe(course: Course, taken: int) -> models.Course:
    return models.Course(
        name=course.name, project=course.project, profile=course.profile, seats=course.seats,
        cores=course.size.cores, memory_gib=course.size.memory_gib, begins=course.begins,
        ends=course.ends, taken=taken,
    )  # fmt: skip


def _read_order(order: models.CourseOrder, sizes: dict[str, Size]) -> Course:
    project = check_owner(order.project)
    if not project.startswith("project:"):
        raise InvalidInputError(
            f"{project} is no project.", remedy="Write project:<name>, the hub group of the course."
        )
    if order.profile not in sizes:
        raise InvalidInputError(
            f"The hub has no profile {order.profile[:140]!r}.",
            remedy=f"Choose one of {', '.join(sizes)}."
            if sizes
            else "Courses need a hub with profiles: servers.profiles in the chart's values.",
        )
    return Course(
        order.name, project, order.profile, order.seats, sizes[order.profile],
        order.begins.replace(microsecond=0), order.ends.replace(microsecond=0),
    )  # fmt: skip
