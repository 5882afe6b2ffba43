"""The audit over HTTP."""

from collections.abc import Sequence

from skerry.client.session import Session, join_address
from skerry.models.audit import AuditEntry, AuditPage


def list_audit(
    session: Session,
    *,
    who: str | None = None,
    what: str | None = None,
    since: str | None = None,
    before: int | None = None,
    limit: int | None = None,
) -> Sequence[AuditEntry]:
    """Return entries of the audit, newest first.

    Parameters
    ----------
    who, what, since
        Only entries of an actor, of a kind or a thing, and from a time on.
    before
        Only entries older than the entry with this number, the last of the page before.
    """
    wanted = {"who": who, "what": what, "since": since, "before": before, "limit": limit}
    params = {name: value for name, value in wanted.items() if value is not None}
    return session.fetch(AuditPage, "GET", join_address("audit"), params=params).entries
