"""The budgets page: what people and groups have used this month, as a table with bars."""

import asyncio
from dataclasses import dataclass

import panel as pn

from skerry.client.budgets import fetch_budgets
from skerry.client.courses import fetch_courses
from skerry.core.errors import SkerryError
from skerry.core.settings import DASHBOARDS_PREFIX
from skerry.core.wording import describe_size, write_number
from skerry.dashboards.board import show_time
from skerry.dashboards.shell import lay_page, show_error, show_html
from skerry.dashboards.templating import render
from skerry.dashboards.visit import Visit
from skerry.models.budgets import BudgetAccount, BudgetOfEach, BudgetPage
from skerry.models.courses import CourseList

_REFRESH_MS = 15_000
_FULL = 100


@dataclass(frozen=True)
class Bar:
    """One limit of an account, to be drawn.

    Attributes
    ----------
    name, unit
        Of what it is: ``Processors`` in ``core hours``.
    used, reserved, limit, left
        Hours in words; `limit` and `left` are empty without a limit.
    used_percent, reserved_percent
        Parts of the bar; together at most 100. None without a limit.
    is_spent
        Whether nothing is left.
    """

    name: str
    unit: str
    used: str
    reserved: str
    limit: str
    left: str
    used_percent: float | None
    reserved_percent: float | None
    is_spent: bool


@dataclass(frozen=True)
class AccountRow:
    """An account as a line of the table: its bars, and what kinds have used in words."""

    name: str
    kind: str
    of_each: bool
    contact: str
    bars: tuple[Bar, Bar]
    kinds: tuple[str, ...]


class BudgetsPage:
    """The page of budgets for one viewer: their own and their projects', or as operator all.

    Parameters
    ----------
    visit
        The viewer, and their session with the platform.
    month
        The month to show, from the page's address; this month where empty.
    """

    def __init__(self, visit: Visit, month: str = "") -> None:
        self._visit = visit
        self._month = month
        self._pane = show_html(render("loading.html"))

    def show(self) -> pn.Template:
        """Build the page and renew it while it is open."""
        pn.state.onload(self._renew)
        pn.state.add_periodic_callback(self._renew, period=_REFRESH_MS)
        return lay_page(
            page="budgets", title="Budgets", viewer=self._visit.viewer, parts={"main": self._pane}
        )

    async def _renew(self) -> None:
        try:
            page, courses = await asyncio.to_thread(self._read)
        except SkerryError as error:
            self._pane.object = show_error(error) + render(
                "budgets_now.html", prefix=DASHBOARDS_PREFIX, month=self._month
            )
            return
        self._pane.object = draw_budgets(page) + draw_courses(courses)

    def _read(self) -> tuple[BudgetPage, CourseList]:
        session = self._visit.session
        return fetch_budgets(session, self._month or None), fetch_courses(session)


def draw_budgets(page: BudgetPage) -> str:
    """Return the table of a month as HTML."""
    year, month = (int(part) for part in page.month.split("-"))
    rows = [describe_account(account) for account in page.accounts]
    months = [f"{year + step // 12:04}-{step % 12 + 1:02}" for step in (month - 2, month)]
    return render(
        "budgets.html", rows=rows, month=page.month, earlier=months[0], later=months[1],
        each=[describe_each(each) for each in page.each], prefix=DASHBOARDS_PREFIX,
    )  # fmt: skip


def describe_each(budget: BudgetOfEach) -> str:
    """Return in words what each person or project without a budget of its own may use."""
    limits = [
        f"{hours} {unit}"
        for hours, unit in ((budget.core_hours, "core hours"), (budget.memory_hours, "GiB hours"))
        if hours is not None
    ]
    kind = budget.holder.partition(":")[0]
    ask = f"; ask {budget.contact} for more" if budget.contact else ""
    return f"Each {kind}: {' and '.join(limits)} a month{ask}"


def draw_courses(found: CourseList) -> str:
    """Return the table of courses as HTML; nothing if there is none to show."""
    if not found.courses and found.capacity is None:
        return ""
    courses = [
        (
            each, (show_time(each.begins), show_time(each.ends)),
            describe_size(each.cores, each.memory_gib),
        )
        for each in found.courses
    ]  # fmt: skip
    whole = found.capacity
    return render(
        "courses.html", courses=courses,
        capacity=whole and describe_size(whole.cores, whole.memory_gib),
    )  # fmt: skip


def describe_account(account: BudgetAccount) -> AccountRow:
    """Return the line of an account."""
    kind, _, name = account.holder.partition(":")
    used, held = account.used, account.reserved
    return AccountRow(
        name=name,
        kind=kind,
        of_each=account.of_each,
        contact=account.contact or "",
        bars=(
            _make_bar("Processors", "core hours", account.core_hours, used.core_hours,
                      held.core_hours),
            _make_bar("Memory", "GiB hours", account.memory_hours, used.memory_hours,
                      held.memory_hours),
        ),
        kinds=tuple(
            f"{each.kind}s: {write_number(each.use.core_hours)} core hours, "
            f"{write_number(each.use.memory_hours)} GiB hours"
            for each in account.kinds
        ),
    )  # fmt: skip


def _make_bar(name: str, unit: str, limit: int | None, used: float, held: float) -> Bar:
    words = (write_number(used), write_number(held))
    if limit is None:
        return Bar(name, unit, *words, "", "", None, None, is_spent=False)
    left = max(0.0, round(limit - used - held, 3))
    part = min(_FULL, _FULL * used / limit) if limit else _FULL
    more = min(_FULL - part, _FULL * held / limit) if limit else 0
    return Bar(
        name, unit, *words, str(limit), write_number(left), round(part, 1), round(more, 1),
        is_spent=left == 0,
    )  # fmt: skip
