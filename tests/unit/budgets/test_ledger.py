"""What a start reserves, when it is refused, and what is counted when it has ended."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Connection, Engine, select
from tests.unit.budgets.conftest import HOUR, NOON, SMALL, make_start

from skerry.budgets.accounts import list_accounts
from skerry.budgets.amounts import Amount, Size, describe_seconds, split_months
from skerry.budgets.ledger import count_spent, count_used, end_now, list_open, reserve, settle
from skerry.budgets.limits import Budget, are_kept, remove_budget, set_budget
from skerry.budgets.refusals import BudgetSpentError
from skerry.budgets.tables import reservations
from skerry.budgets.upkeep import LOST_AFTER, note_living

ANN, LAKES = "person:ann", "project:lakes"
MONTH = "2026-11"


def test_without_budgets_nothing_is_counted(connection: Connection) -> None:
    assert not are_kept(connection)
    assert reserve(connection, make_start(), NOON) is None
    assert list_open(connection) == []


def test_a_start_holds_hours_and_its_end_counts_what_it_used(connection: Connection) -> None:
    set_budget(connection, Budget(ANN, core_hours=100))
    made = reserve(connection, make_start(), NOON)
    assert made is not None
    assert made.until == NOON + 4 * HOUR
    assert count_spent(connection, ANN, MONTH, NOON).core_hours == 8
    assert count_used(connection, ANN, MONTH) == Amount()
    assert end_now(connection, made.id, NOON + HOUR / 2)
    assert not end_now(connection, made.id, NOON + 3 * HOUR)
    spent = count_spent(connection, ANN, MONTH, NOON + 9 * HOUR)
    assert (spent.core_hours, spent.memory_hours) == (1, 2)


def test_what_lives_longer_than_it_has_reserved_counts_on(connection: Connection) -> None:
    set_budget(connection, Budget(ANN, core_hours=100))
    reserve(connection, make_start(), NOON)
    assert count_spent(connection, ANN, MONTH, NOON + 10 * HOUR).core_hours == 20


def test_a_start_takes_what_is_left_but_not_less_than_an_hour(connection: Connection) -> None:
    set_budget(connection, Budget(ANN, core_hours=5))
    made = reserve(connection, make_start(), NOON)
    assert made is not None
    assert made.until == NOON + 2.5 * HOUR
    end_now(connection, made.id, NOON + 2 * HOUR)
    with pytest.raises(BudgetSpentError) as refused:
        reserve(connection, make_start(id="2"), NOON + 2 * HOUR)
    assert str(refused.value) == (
        "The budget of person:ann for November 2026 has 1 of 5 core hours left, and 2 are needed "
        "for this server (2 processors and 4 GiB for an hour). Take less, end what you do not "
        "need, wait for December 2026, or ask an operator of the platform for more."
    )
    assert (refused.value.status, refused.value.exit_code) == (409, 2)
    assert list_open(connection) == []


def test_memory_is_a_limit_of_its_own_and_the_contact_is_named(connection: Connection) -> None:
    set_budget(connection, Budget(ANN, memory_hours=3, contact="help@lakes.example"))
    with pytest.raises(BudgetSpentError, match=r"3 of 3 GiB hours.*ask help@lakes.example"):
        reserve(connection, make_start(), NOON)


def test_a_start_that_ends_at_the_month_s_end_is_paid_by_both_months(
    connection: Connection,
) -> None:
    set_budget(connection, Budget(ANN, core_hours=10))
    late = datetime(2026, 11, 30, 23, tzinfo=UTC)
    made = reserve(connection, make_start(), late)
    assert made is not None
    assert count_spent(connection, ANN, "2026-11", late).core_hours == 2
    assert count_spent(connection, ANN, "2026-12", late).core_hours == 6
    end_now(connection, made.id, late + 2 * HOUR)
    assert count_used(connection, ANN, "2026-11").core_hours == 2
    assert count_used(connection, ANN, "2026-12").core_hours == 2
    assert count_used(connection, ANN, "2027-01") == Amount()


def test_one_project_bears_the_cost_the_first_that_lasts(connection: Connection) -> None:
    set_budget(connection, Budget("project:lakes", core_hours=1))
    set_budget(connection, Budget("project:rivers", core_hours=100))
    projects = (LAKES, "project:rivers", "project:without")
    made = reserve(connection, make_start(projects=projects), NOON)
    assert made is not None
    assert (made.person, made.project) == (ANN, "project:rivers")
    assert count_spent(connection, LAKES, MONTH, NOON) == Amount()
    assert count_spent(connection, "project:rivers", MONTH, NOON).core_hours == 8
    with pytest.raises(BudgetSpentError, match="project:lakes"):
        reserve(connection, make_start("server/bob/", projects=(LAKES,)), NOON)


def test_the_person_s_budget_holds_beside_the_project_s(connection: Connection) -> None:
    set_budget(connection, Budget(LAKES, core_hours=1000))
    set_budget(connection, Budget(ANN, core_hours=1))
    with pytest.raises(BudgetSpentError, match=r"person:ann .* 1 of 1"):
        reserve(connection, make_start(projects=(LAKES,)), NOON)


def test_a_budget_of_each_is_for_those_without_one_of_their_own(connection: Connection) -> None:
    set_budget(connection, Budget("person:*", core_hours=2))
    set_budget(connection, Budget(ANN, core_hours=50))
    reserve(connection, make_start(), NOON)
    bob = make_start("server/bob/", person="person:bob")
    made = reserve(connection, bob, NOON)
    assert made is not None
    assert made.until == NOON + HOUR
    cluster = make_start("cluster/x", kind="cluster", person="person:bob")
    with pytest.raises(BudgetSpentError, match="person:bob"):
        reserve(connection, cluster, NOON)


def test_the_same_start_asks_twice_and_reserves_once(connection: Connection) -> None:
    set_budget(connection, Budget(ANN, core_hours=100))
    first = reserve(connection, make_start(), NOON)
    assert reserve(connection, make_start(), NOON + HOUR) == first
    assert len(list_open(connection)) == 1


def test_a_new_start_of_a_thing_whose_end_was_not_told_settles_the_old_one(
    connection: Connection,
) -> None:
    set_budget(connection, Budget(ANN, core_hours=100))
    reserve(connection, make_start(), NOON)
    note_living(connection, "server", {"server/ann/"}, NOON + HOUR)
    reserve(connection, make_start(id="2"), NOON + 2 * HOUR)
    assert [one.id for one in list_open(connection)] == ["2"]
    assert count_used(connection, ANN, MONTH).core_hours == 2


def test_what_was_killed_is_released_after_a_while_and_counted_as_far_as_it_was_seen(
    connection: Connection,
) -> None:
    set_budget(connection, Budget(ANN, core_hours=100))
    reserve(connection, make_start(), NOON)
    reserve(connection, make_start("server/ann/never"), NOON)
    seen = NOON + HOUR
    assert note_living(connection, "server", {"server/ann/"}, NOON + LOST_AFTER) == []
    lost = note_living(connection, "server", {"server/ann/"}, seen)
    assert [one.thing for one in lost] == ["server/ann/never"]
    assert note_living(connection, "server", set(), seen + LOST_AFTER) == []
    later = seen + LOST_AFTER + timedelta(seconds=1)
    assert [one.thing for one in note_living(connection, "server", set(), later)] == ["server/ann/"]
    assert note_living(connection, "server", set(), later + HOUR) == []
    assert count_spent(connection, ANN, MONTH, later + 9 * HOUR).core_hours == 2


def test_other_kinds_are_left_alone_by_a_look(connection: Connection) -> None:
    set_budget(connection, Budget(ANN, core_hours=100))
    reserve(connection, make_start("cluster/x", kind="cluster"), NOON)
    assert note_living(connection, "server", set(), NOON + 9 * HOUR) == []


def test_budgets_that_are_removed_end_no_counting_of_what_has_begun(
    connection: Connection,
) -> None:
    set_budget(connection, Budget(ANN, core_hours=100))
    made = reserve(connection, make_start(), NOON)
    remove_budget(connection, ANN)
    assert made is not None
    settle(connection, made.id, [(NOON, NOON + HOUR)])
    assert count_used(connection, ANN, MONTH).core_hours == 2


def test_accounts_show_limits_uses_and_reservations_of_whom_is_asked_for(
    connection: Connection,
) -> None:
    set_budget(connection, Budget("person:*", core_hours=100, contact="ada"))
    made = reserve(connection, make_start(projects=(LAKES,)), NOON)
    assert made is not None
    end_now(connection, made.id, NOON + HOUR)
    reserve(connection, make_start("cluster/x", kind="cluster", size=SMALL), NOON)
    [ann] = list_accounts(connection, MONTH, NOON, [ANN])
    assert (ann.core_hours, ann.memory_hours, ann.of_each, ann.contact) == (100, None, True, "ada")
    assert (ann.used.core_hours, ann.reserved.core_hours) == (2, 8)
    assert [(one.kind, one.use.memory_hours) for one in ann.kinds] == [("server", 4)]
    assert [one.holder for one in list_accounts(connection, MONTH, NOON)] == [ANN]
    [bob] = list_accounts(connection, MONTH, NOON, ["person:bob"])
    assert (bob.used.core_hours, bob.reserved.core_hours) == (0, 0)


def test_reservations_are_checked_in_turns(engine: Engine) -> None:
    """Two transactions that ask at once do not both get the last hours."""
    with engine.begin() as connection:
        set_budget(connection, Budget(ANN, core_hours=2))
    with engine.begin() as connection:
        reserve(connection, make_start(), NOON)
    with engine.begin() as connection, pytest.raises(BudgetSpentError):
        reserve(connection, make_start("server/ann/b"), NOON)
    with engine.connect() as connection:
        assert len(connection.execute(select(reservations)).all()) == 1


def test_sizes_are_whole_thousandths_and_mebibytes() -> None:
    assert Size.of(0.1, 1) == Size(100, 1)
    assert Size.of(2.3, 1 << 30) == Size(2300, 1024)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"), (30, "30 seconds"), (60, "1 minute"), (1200, "20 minutes"),
        (3600, "an hour"), (9000, "2.5 hours"), (3_628_800, "1008 hours"),
    ],
)  # fmt: skip
def test_times_are_told_in_words_and_never_as_powers_of_ten(seconds: int, words: str) -> None:
    assert describe_seconds(seconds) == words


def test_months_begin_in_utc_wherever_a_time_was_written() -> None:
    east = timezone(timedelta(hours=2))
    begun = datetime(2026, 12, 1, 0, 30, tzinfo=east)  # still November in UTC
    assert list(split_months(begun, begun + 3 * HOUR)) == [("2026-11", 5400), ("2026-12", 5400)]
