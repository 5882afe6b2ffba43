"""The audit over HTTP, for those who operate the platform."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from skerry.core.scopes import Scope
from skerry.models.audit import AuditPage
from skerry.models.values import Instant
from skerry.services.guarded_route import create_router
from skerry.services.identity import Identity, require
from skerry.services.stores import Stores
from skerry.storage.audit import list_entries

Auditor = Annotated[Identity, Depends(require(Scope.PLATFORM_AUDIT))]


def create_audit_router(stores: Stores) -> APIRouter:
    """Return the route ``/audit``."""
    router = create_router(tags=["platform"])

    @router.get("/audit")
    def list_audit(
        _who: Auditor,
        who: str | None = None,
        what: str | None = None,
        since: Instant | None = None,
        before: Annotated[int | None, Query(ge=1, lt=2**62)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> AuditPage:
        """List who changed what, newest first; `before` with a page's last number turns the page.

        `what` is a kind (`run`), kind and name (`job/water`), or the beginning of a name that ends
        before a `/` (`item/sentinel-2-l2a`).
        """
        with stores.reader.connect() as connection:
            entries = list_entries(
                connection, who=who, what=what, since=since, before=before, limit=limit
            )
        return AuditPage(entries=entries)

    return router
