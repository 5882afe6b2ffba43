"""The budgets themselves: who may use how much in a month. Operators set them."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, exists, insert, select

from skerry.budgets.amounts import Amount, count_core_seconds, count_memory_seconds
from skerry.budgets.tables import budgets, capacity
from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.core.ownership import check_owner

EACH = ("person:*", "project:*")
"""Budgets of every person, and of every project, that has none of its own."""

ASK = "an operator of the platform"


@dataclass(frozen=True)
class Budget:
    """A limit of a month.

    Attributes
    ----------
    holder
        ``person:<name>``, ``project:<name>`` or one of `EACH`.
    core_hours, memory_hours
        Processor hours, and GiB hours of memory; None for no limit.
    contact
        Whom to ask for more.
    """

    holder: str
    core_hours: int | None = None
    memory_hours: int | None = None
    contact: str | None = None

    def count_left(self, spent: Amount) -> tuple[int | None, int | None]:
        """Return what is left of both limits, in the units of `Amount`; None for no limit."""
        cores = self.core_hours
        memory = self.memory_hours
        return (
            None if cores is None else max(0, count_core_seconds(cores) - spent.core_s),
            None if memory is None else max(0, count_memory_seconds(memory) - spent.memory_s),
        )


def check_budget_holder(text: str) -> str:
    """Return the holder of a budget as it is kept.

    Raises
    ------
    InvalidInputError
        If it is not a person or project, or each of them.
    """
    if text in EACH:
        return text
    holder = check_owner(text)
    if holder.startswith("service:"):
        raise InvalidInputError(
            f"{holder} has no budget.", remedy="Budgets belong to person:<name> or project:<name>."
        )
    return holder


def set_budget(connection: Connection, budget: Budget) -> None:
    """Set a budget, in place of the one that its holder has had.

    Raises
    ------
    InvalidInputError
        If it limits nothing.
    """
    if budget.core_hours is None and budget.memory_hours is None:
        raise InvalidInputError(
            f"The budget of {budget.holder} limits nothing.",
            remedy="Give core hours, GiB hours of memory, or both; or remove the budget.",
        )
    values = {
        "core_hours": budget.core_hours,
        "memory_hours": budget.memory_hours,
        "contact": budget.contact,
    }
    changed = connection.execute(
        budgets.update().where(budgets.c.holder == budget.holder).values(values)
    )
    if not changed.rowcount:
        connection.execute(insert(budgets).values(holder=budget.holder, **values))


def remove_budget(connection: Connection, holder: str) -> None:
    """Remove a budget; what was used stays counted.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    if not connection.execute(delete(budgets).where(budgets.c.holder == holder)).rowcount:
        raise NotFoundError(
            f"{holder} has no budget of its own.", remedy="'skerry budget list' shows all."
        )


def list_budgets(connection: Connection) -> dict[str, Budget]:
    """Return all budgets by holder."""
    rows = connection.execute(select(budgets).order_by(budgets.c.holder)).mappings()
    return {row["holder"]: Budget(**row) for row in rows}


def find_budget(connection: Connection, holder: str) -> Budget | None:
    """Return the budget that a person or project has: its own, or that of each."""
    wanted = (holder, f"{holder.partition(':')[0]}:*")
    rows = connection.execute(select(budgets).where(budgets.c.holder.in_(wanted))).mappings()
    found = {row["holder"]: Budget(**row) for row in rows}
    return found.get(wanted[0]) or found.get(wanted[1])


def are_kept(connection: Connection) -> bool:
    """Return whether anybody has a budget, or a capacity is set: else nothing is counted at all."""
    any_budget, any_capacity = exists(select(budgets.c.holder)), exists(select(capacity.c.name))
    return bool(connection.execute(select(any_budget | any_capacity)).scalar())
