"""Whatever the order of starts, ends, kills and looks: sums are what an oracle in memory says."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from skerry.budgets.amounts import Size
from skerry.budgets.ledger import Start, count_spent, end_now, reserve
from skerry.budgets.limits import Budget, set_budget
from skerry.budgets.refusals import BudgetSpentError
from skerry.budgets.upkeep import note_living

BEGIN = datetime(2026, 11, 29, 20, tzinfo=UTC)
BOUNDS = [datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC),
          datetime(2027, 1, 1, tzinfo=UTC)]  # fmt: skip
MONTHS = ("2026-11", "2026-12")
LIMITS = {"person:ann": 90, "person:bob": 40, "project:lakes": 100}
PEOPLE = ("person:ann", "person:bob", "person:eve")
THINGS = ("server/a", "server/b", "cluster/c", "cluster/d")


@dataclass
class Kept:
    """What the oracle knows of a reservation."""

    thing: str
    payers: tuple[str, ...]
    cores: int
    begun: datetime
    until: datetime
    seen: datetime | None = None
    alive: bool = True


@dataclass
class Oracle:
    """Adds up in hours and seconds, without tables: each second belongs to the month it lies in."""

    now: datetime = BEGIN
    kept: dict[str, Kept] = field(default_factory=dict)
    ended: list[tuple[Kept, datetime]] = field(default_factory=list)

    def spent(self, holder: str, number: int) -> int:
        """Return core seconds of a month."""
        spans = [(kept, max(kept.until, self.now)) for kept in self.kept.values()]
        return sum(
            kept.cores * lie_within(kept.begun, end, number)
            for kept, end in [*spans, *self.ended]
            if holder in kept.payers
        )

    def fits(self, holder: str, cores: int, seconds: int) -> bool:
        """Return whether a month's limit allows so many seconds from now."""
        end = self.now + timedelta(seconds=seconds)
        limit = LIMITS.get(holder)
        return limit is None or all(
            self.spent(holder, number) + cores * wanted <= limit * 3600
            for number in range(len(MONTHS))
            if (wanted := lie_within(self.now, end, number))
        )

    def last(self, payers: tuple[str, ...], cores: int, most: int) -> int:
        """Return the longest time that all payers can pay, by halving."""
        low, high = 0, most
        while low < high:
            middle = (low + high + 1) // 2
            good = all(self.fits(payer, cores, middle) for payer in payers)
            low, high = (middle, high) if good else (low, middle - 1)
        return low

    def end(self, name: str, moment: datetime) -> None:
        """Count a reservation up to a moment."""
        if name in self.kept:
            self.ended.append((self.kept.pop(name), moment))

    def look(self, kind: str) -> None:
        """Let the upkeep look at a kind."""
        for name, kept in list(self.kept.items()):
            if not kept.thing.startswith(kind):
                continue
            if kept.alive:
                kept.seen = self.now
            elif self.now - (kept.seen or kept.begun) > timedelta(seconds=120):
                self.end(name, kept.seen or kept.begun)


def lie_within(begun: datetime, end: datetime, number: int) -> int:
    """Return how many seconds of a time lie in a month."""
    inside = min(end, BOUNDS[number + 1]) - max(begun, BOUNDS[number])
    return max(0, int(inside.total_seconds()))


starts = st.tuples(
    st.just("start"), st.sampled_from(THINGS), st.sampled_from(PEOPLE), st.booleans(),
    st.integers(1, 5), st.integers(1, 30),
)  # fmt: skip
others = st.tuples(
    st.sampled_from(["end", "kill", "look", "wait", "again"]), st.sampled_from(THINGS),
    st.sampled_from([1, 59, 121, 3600, 7 * 3600, 30 * 3600]),
)  # fmt: skip


@given(steps=st.lists(st.one_of(starts, others), max_size=30))
@settings(
    max_examples=60, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
def test_sums_are_those_of_the_oracle(engine: Engine, steps: list[tuple[object, ...]]) -> None:
    oracle = Oracle()
    with engine.connect() as connection, connection.begin() as transaction:
        for holder, hours in LIMITS.items():
            set_budget(connection, Budget(holder, core_hours=hours))
        for number, step in enumerate(steps):
            carry_out(connection, oracle, step, str(number))
            for holder in (*PEOPLE, "project:lakes"):
                for index, month in enumerate(MONTHS):
                    told = count_spent(connection, holder, month, oracle.now)
                    assert told.core_s == 1000 * oracle.spent(holder, index), (holder, month)
        transaction.rollback()


def carry_out(connection: Connection, oracle: Oracle, step: tuple, name: str) -> None:
    if step[0] == "start":
        begin(connection, oracle, step, name)
        return
    what, thing, seconds = step
    names = [name for name, kept in oracle.kept.items() if kept.thing == thing]
    if what == "wait":
        oracle.now = min(oracle.now + timedelta(seconds=seconds), BOUNDS[-1] - timedelta(days=3))
    elif what == "kill":
        for each in names:
            oracle.kept[each].alive = False
    elif what == "end":
        for each in names:
            assert end_now(connection, each, oracle.now)
            assert not end_now(connection, each, oracle.now)
            oracle.end(each, oracle.now)
    elif what == "again" and names:
        kept = oracle.kept[names[0]]
        start = Start(names[0], thing, thing.partition("/")[0], Size(9, 9), 9, 9, kept.payers[0])
        assert reserve(connection, start, oracle.now) is not None
    elif what == "look":
        kind = thing.partition("/")[0]
        living = {kept.thing for kept in oracle.kept.values() if kept.alive}
        note_living(connection, kind, living, oracle.now)
        oracle.look(kind)


def begin(connection: Connection, oracle: Oracle, step: tuple, name: str) -> None:
    _, thing, person, in_lakes, cores, hours = step
    payers = (person, "project:lakes") if in_lakes else (person,)
    start = Start(
        name, thing, thing.partition("/")[0], Size(1000 * cores, 0), hours * 3600, 3600, person,
        ("project:lakes",) if in_lakes else (),
    )  # fmt: skip
    for old in [old for old, kept in oracle.kept.items() if kept.thing == thing]:
        oracle.end(old, oracle.kept[old].seen or oracle.kept[old].begun)
    seconds = oracle.last(payers, cores, hours * 3600)
    if seconds < 3600:
        with pytest.raises(BudgetSpentError):
            reserve(connection, start, oracle.now)
        return
    made = reserve(connection, start, oracle.now)
    assert made is not None
    until = oracle.now + timedelta(seconds=seconds)
    assert made.until == until
    oracle.kept[name] = Kept(thing, payers, cores, oracle.now, until)
