"""What people and projects may use, have used and hold, for the pages."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select

from skerry.budgets.amounts import Amount
from skerry.budgets.ledger import Reservation, list_open
from skerry.budgets.limits import EACH, Budget, list_budgets
from skerry.budgets.tables import KINDS, used
from skerry.models.budgets import BudgetAccount, KindUse, Use

_Uses = dict[str, dict[str, Amount]]


def list_accounts(
    connection: Connection, month: str, now: datetime, holders: Collection[str] | None = None
) -> list[BudgetAccount]:
    """Return the accounts of a month by holder.

    Parameters
    ----------
    holders
        Whose accounts; None for everybody who has a budget or has used something.
    """
    budgets = list_budgets(connection)
    ended = _sum_ended(connection, month, holders)
    held: defaultdict[str, Amount] = defaultdict(Amount)
    for reservation in _list_held(connection, holders):
        for holder in (reservation.person, reservation.project):
            held[holder] += reservation.hold(month, now)
    shown = set(holders) if holders is not None else {*budgets, *ended, *held} - {"", *EACH}
    return [
        _describe(holder, _find(budgets, holder), ended.get(holder, {}), held[holder])
        for holder in sorted(shown)
    ]


def _list_held(connection: Connection, holders: Collection[str] | None) -> list[Reservation]:
    """Return what is reserved at the cost of holders: nobody waits for what is everybody's."""
    if holders is None:
        return list_open(connection)
    found = (entry for holder in holders for entry in list_open(connection, holder=holder))
    return list({entry.id: entry for entry in found}.values())


def _sum_ended(connection: Connection, month: str, holders: Collection[str] | None) -> _Uses:
    sums: _Uses = {}
    for payer in (used.c.person, used.c.project):
        query: Select[Any] = (
            select(payer, used.c.kind, func.sum(used.c.core_s), func.sum(used.c.memory_s))
            .where(used.c.month == month, payer != "")
            .group_by(payer, used.c.kind)
        )
        if holders is not None:
            query = query.where(payer.in_(sorted(holders)))
        for holder, kind, core_s, memory_s in connection.execute(query):
            sums.setdefault(holder, {})[kind] = Amount(int(core_s), int(memory_s))
    return sums


def _find(budgets: dict[str, Budget], holder: str) -> Budget | None:
    return budgets.get(holder) or budgets.get(f"{holder.partition(':')[0]}:*")


def _describe(
    holder: str, budget: Budget | None, ended: dict[str, Amount], held: Amount
) -> BudgetAccount:
    return BudgetAccount(
        holder=holder,
        core_hours=budget and budget.core_hours,
        memory_hours=budget and budget.memory_hours,
        of_each=budget is not None and budget.holder in EACH,
        contact=budget and budget.contact,
        used=_present(sum(ended.values(), Amount())),
        reserved=_present(held),
        kinds=[KindUse(kind=kind, use=_present(ended[kind])) for kind in KINDS if kind in ended],
    )


def _present(amount: Amount) -> Use:
    return Use(core_hours=amount.core_hours, memory_hours=amount.memory_hours)
