"""What people read when a budget has not enough left."""

from dataclasses import dataclass

from skerry.budgets.amounts import end_month, read_month
from skerry.budgets.limits import ASK, Budget
from skerry.core.errors import ConflictError
from skerry.core.wording import write_number


class BudgetSpentError(ConflictError):
    """A budget has not enough left for a start."""

    title = "Budget spent"


@dataclass(frozen=True)
class Shortage:
    """Why a budget does not suffice.

    Attributes
    ----------
    holder
        Whose budget it is.
    month
        In which it does not suffice.
    unit
        The limit that is passed: ``core hours`` or ``GiB hours``.
    limit, spent, needed
        Hours: of the month, used or reserved, and for the start.
    purpose
        What is to start, in words: ``server (2 processors and 4 GiB for an hour)``.
    """

    holder: str
    month: str
    unit: str
    limit: int
    spent: float
    needed: float
    purpose: str


def refuse_start(short: Shortage, budget: Budget) -> BudgetSpentError:
    """Return the refusal of a start: the budget, what is left, what is needed, whom to ask."""
    first = read_month(short.month)
    left = max(0.0, round(short.limit - short.spent, 3))
    return BudgetSpentError(
        f"The budget of {short.holder} for {first:%B %Y} has {write_number(left)} of {short.limit} "
        f"{short.unit} left, and {write_number(short.needed)} are needed for this {short.purpose}.",
        remedy=f"Take less, end what you do not need, wait for {end_month(first):%B %Y}, or ask "
        f"{budget.contact or ASK} for more.",
    )
