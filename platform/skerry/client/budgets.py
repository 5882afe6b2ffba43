"""Budgets over HTTP."""

from skerry.client.session import Session, join_address
from skerry.models.budgets import BudgetOrder, BudgetPage


def fetch_budgets(session: Session, month: str | None = None) -> BudgetPage:
    """Return the accounts of a month that the account sees; of this month if None."""
    return session.fetch(BudgetPage, "GET", join_address("budgets"), params={"month": month})


def set_budget(session: Session, holder: str, order: BudgetOrder) -> BudgetPage:
    """Set the monthly budget of a person, a project, or each of them."""
    return session.fetch(BudgetPage, "PUT", join_address("budgets", holder), json=order)


def remove_budget(session: Session, holder: str) -> None:
    """Remove a budget."""
    session.request("DELETE", join_address("budgets", holder))
