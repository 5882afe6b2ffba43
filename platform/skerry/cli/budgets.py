"""`skerry budget`: what people and projects may use in a month, and have used."""

import click

from skerry.cli.presenting import json_option, print_json, print_table, say
from skerry.client.budgets import fetch_budgets, remove_budget, set_budget
from skerry.client.session import connect
from skerry.models.budgets import MOST_HOURS, BudgetAccount, BudgetOfEach, BudgetOrder, BudgetPage

_HOLDER = "person:NAME|project:NAME|person:*|project:*"


@click.group("budget", invoke_without_command=True)
@json_option
@click.pass_context
def budget_group(ctx: click.Context, *, as_json: bool) -> None:
    """Show what a month has used, and set what it may use.

    \b
    Example:
      skerry budget list
      skerry budget set project:lakes --core-hours 5000 --memory-hours 20000
    """  # noqa: D301
    if ctx.invoked_subcommand is None:
        _show(None, as_json=as_json)


@budget_group.command("list")
@click.option("--month", metavar="YYYY-MM", help="Another month than this.")
@json_option
def list_budgets(*, month: str | None, as_json: bool) -> None:
    """List your budgets, those of your projects, and as an operator all.

    Example: skerry budget list --month 2026-11
    """
    _show(month, as_json=as_json)


@budget_group.command("set")
@click.argument("holder", metavar=_HOLDER)
@click.option("--core-hours", type=click.IntRange(0, MOST_HOURS), help="Processors times hours.")
@click.option("--memory-hours", type=click.IntRange(0, MOST_HOURS), help="GiB times hours.")
@click.option("--contact", help="Whom people ask for more.  [default: an operator]")
@json_option
def set_(
    *, holder: str, core_hours: int | None, memory_hours: int | None, contact: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Set the budget of every month of HOLDER; what is left out has no limit.

    ``person:*`` and ``project:*`` are for each that has none of its own. What runs is not ended.

    \b
    Examples:
      skerry budget set person:ann --core-hours 300
      skerry budget set 'person:*' --core-hours 100 --memory-hours 400 --contact help@lakes.example
    """  # noqa: D301
    order = BudgetOrder(core_hours=core_hours, memory_hours=memory_hours, contact=contact)
    page = set_budget(connect(), holder, order)
    _print(page, as_json=as_json)
    if page.remark:
        say(page.remark, err=True)


@budget_group.command("remove")
@click.argument("holder", metavar=_HOLDER)
def remove(holder: str) -> None:
    """Remove the budget of HOLDER. What was used stays counted.

    Example: skerry budget remove person:ann
    """
    remove_budget(connect(), holder)
    say(f"{holder} has no budget of its own any more.")


def _show(month: str | None, *, as_json: bool) -> None:
    _print(fetch_budgets(connect(), month), as_json=as_json)


def _print(page: BudgetPage, *, as_json: bool) -> None:
    if as_json:
        print_json(page)
        return
    head = ("HOLDER", "CORE HOURS", "OF", "GIB HOURS", "OF", "RESERVED")
    rows = [_describe(account) for account in page.accounts]
    print_table(head, rows + [_describe_each(each) for each in page.each])


def _describe(account: BudgetAccount) -> tuple[str, ...]:
    used, held = account.used, account.reserved
    return (
        account.holder, f"{used.core_hours:.1f}", _limit(account.core_hours),
        f"{used.memory_hours:.1f}", _limit(account.memory_hours),
        f"{held.core_hours:.1f} core hours, {held.memory_hours:.1f} GiB hours",
    )  # fmt: skip


def _describe_each(each: BudgetOfEach) -> tuple[str, ...]:
    return (each.holder, "-", _limit(each.core_hours), "-", _limit(each.memory_hours), "-")


def _limit(hours: int | None) -> str:
    return "no limit" if hours is None else str(hours)
