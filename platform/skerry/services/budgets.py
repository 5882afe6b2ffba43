"""HTTP routes of budgets: who may use how much in a month, and what starts reserve of it."""

from collections.abc import Collection
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from sqlalchemy import Connection

from skerry.budgets.accounts import list_accounts
from skerry.budgets.amounts import Size, name_month, read_month
from skerry.budgets.ledger import Start, end_now, reserve
from skerry.budgets.limits import (
    EACH,
    Budget,
    check_budget_holder,
    list_budgets,
    remove_budget,
    set_budget,
)
from skerry.core.errors import InvalidInputError
from skerry.core.gateway import split_owner
from skerry.core.ownership import PLATFORM_OWNER, check_owner
from skerry.core.scopes import Scope, list_projects
from skerry.core.time import utc_now
from skerry.models.budgets import (
    BudgetOfEach,
    BudgetOrder,
    BudgetPage,
    Month,
    StartAnswer,
    StartOrder,
)
from skerry.models.projects import Role
from skerry.production.spending import find_cluster_owner
from skerry.projects.membership import list_belonging
from skerry.projects.store import is_project
from skerry.services.access import speak_for
from skerry.services.guarded_route import create_router
from skerry.services.hub_access import HubAccess
from skerry.services.hub_names import check_holder
from skerry.services.identity import Identity, require
from skerry.services.stores import Stores

Anybody = Annotated[Identity, Depends(require())]
Keeper = Annotated[Identity, Depends(require(Scope.BUDGETS_MANAGE))]
Starter = Annotated[Identity, Depends(require(Scope.BUDGETS_RESERVE))]

_HOUR_S = 3600


def create_budgets_router(stores: Stores, hub: HubAccess) -> APIRouter:
    """Return the routes under ``/budgets``."""
    router = create_router(prefix="/budgets", tags=["budgets"])
    _add_budgets(router, stores, hub)
    _add_reservations(router, stores)
    return router


def _add_budgets(router: APIRouter, stores: Stores, hub: HubAccess) -> None:
    @router.get("")
    def list_month(who: Anybody, month: Month | None = None) -> BudgetPage:
        """Show what a month has used: of oneself and one's projects; to operators of everybody."""
        with stores.reader.connect() as connection:
            return _show(connection, _choose_holders(who), month)

    @router.put("/{holder}")
    def change_budget(holder: str, order: BudgetOrder, who: Keeper) -> BudgetPage:
        """Set the monthly budget of a person, a project, or each of them (``person:*``)."""
        budget = Budget(check_budget_holder(holder), **order.model_dump())
        with stores.change(who) as connection:
            set_budget(connection, budget)
            is_ours = is_project(connection, budget.holder)
            page = _show(connection, [] if budget.holder in EACH else [budget.holder])
        known = is_ours or budget.holder in EACH
        return page.model_copy(update={"remark": "" if known else _remark(hub, budget.holder)})

    @router.delete("/{holder}", status_code=204)
    def delete_budget(holder: str, who: Keeper) -> Response:
        """Remove a budget: no limit is left but that of each. What was used stays counted."""
        with stores.change(who) as connection:
            remove_budget(connection, check_budget_holder(holder))
        return Response(status_code=204)


def _add_reservations(router: APIRouter, stores: Stores) -> None:
    @router.post("/reservations", status_code=201)
    def reserve_start(order: StartOrder, who: Starter) -> StartAnswer:
        """Reserve what a server or a Dask cluster may use, before it starts; 409 says why not."""
        with stores.change(who) as connection:
            made = reserve(connection, _read_start(connection, order), utc_now())
        if made is None:
            return StartAnswer(counted=False)
        return StartAnswer(counted=True, person=made.person, project=made.project, until=made.until)

    @router.delete("/reservations/{reservation}", status_code=204)
    def end_start(reservation: str, who: Starter) -> Response:
        """Count what has ended now; it is no error if it was counted before."""
        with stores.change(who) as connection:
            end_now(connection, reservation, utc_now())
        return Response(status_code=204)


def _choose_holders(who: Identity) -> list[str] | None:
    """Return whose accounts somebody sees; None for all."""
    if who.may(Scope.BUDGETS_READ, Scope.BUDGETS_MANAGE):
        return None
    owners = speak_for(who).owners - {PLATFORM_OWNER}
    return sorted(owner for owner in owners if not owner.startswith("service:"))


def _find_projects(connection: Connection, person: str) -> set[str]:
    """Return the platform's projects in which a person works: the gateway knows hub groups only."""
    belonging = list_belonging(connection, person, utc_now().date())
    return {name for name, found in belonging.items() if found.role is not Role.READER}


def _show(
    connection: Connection, holders: Collection[str] | None, month: str | None = None
) -> BudgetPage:
    now = utc_now()
    shown = month or name_month(now)
    read_month(shown)
    accounts = list_accounts(connection, shown, now, holders)
    return BudgetPage(month=shown, accounts=accounts, each=_list_each(connection))


def _remark(hub: HubAccess, holder: str) -> str:
    """Say that nobody of a name is there: people may come later, or it is a slip of the pen."""
    try:
        return check_holder(hub, holder) or ""
    except InvalidInputError as unknown:
        return f"{unknown.what} The budget counts as soon as it does."


def _list_each(connection: Connection) -> list[BudgetOfEach]:
    budgets = list_budgets(connection)
    return [
        BudgetOfEach(
            holder=name, core_hours=budgets[name].core_hours,
            memory_hours=budgets[name].memory_hours, contact=budgets[name].contact,
        )
        for name in EACH
        if name in budgets
    ]  # fmt: skip


def _read_start(connection: Connection, order: StartOrder) -> Start:
    account, token_hash = split_owner(order.account)
    if account.startswith("service:"):  # another program, such as the doctor
        person, payers = "", []
    elif token_hash is None:
        person = check_owner(f"person:{account}")
        groups = {*order.groups, *_find_projects(connection, person)}
        payers = [f"project:{name}" for name in sorted(list_projects(frozenset(groups)))]
    else:
        owner = find_cluster_owner(connection, token_hash)
        if owner is None:
            raise InvalidInputError(
                f"No run has the attempt that asks as {account!r}.",
                remedy="Start clusters of runs in their attempts alone.",
            )
        is_person = owner.startswith("person:")
        person, payers = (owner, []) if is_person else ("", [owner])
    seconds = max(1, round(order.hours * _HOUR_S))
    return Start(
        id=order.id, thing=f"{order.kind}/{order.name}", kind=order.kind,
        size=Size.of(order.cores, order.memory), wanted_s=seconds,
        least_s=min(seconds, _HOUR_S), person=person, projects=payers, profile=order.profile,
    )  # fmt: skip
