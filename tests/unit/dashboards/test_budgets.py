"""The page of budgets: bars that add up, words for those who do not see them."""

import pytest

from skerry.dashboards.budgets import describe_account, draw_budgets, draw_courses
from skerry.models.budgets import BudgetAccount, BudgetOfEach, BudgetPage, KindUse, Use
from skerry.models.courses import CourseList

EVIL = '"><script>alert(1)</script>'


def make_account(
    used: float = 30, held: float = 20, limit: int | None = 100, **changes: object
) -> BudgetAccount:
    facts = {
        "holder": "person:ann", "core_hours": limit, "memory_hours": None, "of_each": False,
        "contact": None, "used": Use(core_hours=used, memory_hours=5), "kinds": [],
        "reserved": Use(core_hours=held, memory_hours=0), **changes,
    }  # fmt: skip
    return BudgetAccount.model_validate(facts)


@pytest.mark.parametrize(
    ("used", "held", "limit", "parts", "left"),
    [
        (30, 20, 100, (30, 20), "50"), (0, 0, 100, (0, 0), "100"), (90, 20, 100, (90, 10), "0"),
        (130, 20, 100, (100, 0), "0"), (0, 0, 0, (100, 0), "0"), (1, 1, 3, (33.3, 33.3), "1"),
    ],
)  # fmt: skip
def test_bars_show_what_is_used_and_reserved_and_never_pass_their_end(
    used: float, held: float, limit: int, parts: tuple[float, float], left: str
) -> None:
    bar = describe_account(make_account(used, held, limit)).bars[0]
    assert (bar.used_percent, bar.reserved_percent) == parts
    assert (bar.left, bar.is_spent) == (left, left == "0")


def test_the_page_says_in_words_what_its_bars_show() -> None:
    html = draw_budgets(BudgetPage(month="2026-12", accounts=[make_account()], each=[]))
    assert 'aria-label="30 core hours used and 20 reserved of 100"' in html
    assert "50 of 100 core hours left" in html
    assert "GiB hours, no limit" in html
    assert "month=2026-11" in html
    assert "month=2027-01" in html


def test_nothing_to_show_names_the_command() -> None:
    html = draw_budgets(BudgetPage(month="2026-01", accounts=[], each=[]))
    assert "skerry budget set" in html
    assert "month=2025-12" in html


def test_names_and_contacts_are_escaped() -> None:
    account = make_account(holder=f"project:{EVIL}", contact=EVIL)
    html = draw_budgets(BudgetPage(month="2026-01", accounts=[account], each=[]))
    assert "<script>" not in html


def test_courses_show_their_seats_and_names_are_escaped() -> None:
    assert draw_courses(CourseList(courses=[])) == ""
    course = {
        "name": EVIL, "project": EVIL, "profile": "small", "seats": 5, "cores": 2,
        "memory_gib": 4, "begins": "2026-12-01T08:00:00Z", "ends": "2026-12-01T17:00:00Z",
        "taken": 3,
    }  # fmt: skip
    found = {"courses": [course], "capacity": {"cores": 20.5, "memory_gib": 40}}
    html = draw_courses(CourseList.model_validate(found))
    assert "<script>" not in html
    assert "3 of 5 taken" in html
    assert "20.5 processors and 40 GiB together" in html


def test_large_hours_are_written_out() -> None:
    account = make_account(1_234_567.5, 0, 10**9)
    html = draw_budgets(BudgetPage(month="2026-12", accounts=[account], each=[]))
    assert "998765432.5 of 1000000000 core hours left" in html
    assert "e+0" not in html


def test_budgets_of_each_are_shown_also_where_nobody_has_used_any() -> None:
    each = [
        BudgetOfEach(holder="person:*", core_hours=100, memory_hours=400, contact=None),
        BudgetOfEach(holder="project:*", core_hours=None, memory_hours=5, contact=EVIL),
    ]
    html = draw_budgets(BudgetPage(month="2026-12", accounts=[], each=each))
    assert "Each person: 100 core hours and 400 GiB hours a month" in html
    assert "Each project: 5 GiB hours a month; ask" in html
    assert "No budget to show" not in html
    assert "<script>" not in html


def test_kinds_are_lines_of_their_own_on_every_screen() -> None:
    kinds = [
        KindUse(kind=kind, use=Use(core_hours=1, memory_hours=2)) for kind in ("server", "run")
    ]
    html = draw_budgets(BudgetPage(month="2026-12", accounts=[make_account(kinds=kinds)], each=[]))
    assert html.count("<li>") == len(kinds)
