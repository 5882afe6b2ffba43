"""The audit's entries: who changed what, and when."""

from pydantic import AwareDatetime, BaseModel

from skerry.models.values import ANSWER, Values


class AuditEntry(BaseModel):
    """One change of state.

    Attributes
    ----------
    number
        Grows with each entry, in the order of the changes.
    who
        A person, a project on whose behalf a run acts, a worker, or ``skerry`` itself.
    token
        The beginning of the hash of the token that was shown.
    request
        The request's identifier, which the logs have too.
    what
        Kind and name of what changed, such as ``job/water``.
    action
        The new status, or what was done.
    before, after
        The values that changed; all recorded values of what is new, or deleted.
    """

    model_config = ANSWER

    number: int
    at: AwareDatetime
    who: str
    token: str | None
    request: str | None
    what: str
    action: str
    before: Values | None
    after: Values | None


class AuditPage(BaseModel):
    """Entries of the audit, newest first."""

    model_config = ANSWER

    entries: list[AuditEntry]
