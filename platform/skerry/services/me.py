"""Who a request speaks for: the answer to ``skerry whoami``."""

from typing import Annotated

from fastapi import APIRouter, Depends

from skerry.core.scopes import PEOPLE_ROLES, ROLES, Scope, list_projects
from skerry.models.platform import Holder
from skerry.services.guarded_route import create_router
from skerry.services.identity import Identity, require

Anybody = Annotated[Identity, Depends(require())]


def create_me_router() -> APIRouter:
    """Return the route ``/me``."""
    router = create_router(tags=["platform"])

    @router.get("/me")
    async def get_me(who: Anybody) -> Holder:
        """Return the account of the token that is sent, and what the token may do."""
        return Holder(
            account=who.account,
            kind=who.kind,
            projects=sorted(list_projects(who.groups)),
            roles=[name for name in PEOPLE_ROLES if ROLES[name] <= who.scopes],
            scopes=sorted(who.scopes & set(map(str, Scope))),
        )

    return router
