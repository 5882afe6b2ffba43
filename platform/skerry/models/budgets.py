"""Budgets: what a person or a group may use in a month, and what they have used."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

from skerry.models.values import ANSWER, ORDER, Name

MOST_HOURS = 10**9
"""The largest limit of a month: more than a million processors."""

LONGEST_HOURS = 8_760.0

Hours = Annotated[int, Field(ge=0, le=MOST_HOURS)]
Month = Annotated[str, Field(max_length=40)]


class Use(BaseModel):
    """What was used, or is reserved.

    Attributes
    ----------
    core_hours
        Processors times hours.
    memory_hours
        GiB of memory times hours.
    """

    model_config = ANSWER

    core_hours: float
    memory_hours: float


class KindUse(BaseModel):
    """What servers, Dask clusters or runs have used.

    Attributes
    ----------
    kind
        ``server``, ``cluster`` or ``run``.
    """

    model_config = ANSWER

    kind: Literal["server", "cluster", "run"]
    use: Use


class BudgetAccount(BaseModel):
    """What a person or project may use in a month, and has used.

    Attributes
    ----------
    holder
        ``person:<name>`` or ``project:<name>``.
    core_hours, memory_hours
        The limits: processor hours, and GiB hours of memory; None for no limit.
    of_each
        Whether the budget is that of each person, or of each project, without a budget of its own.
    contact
        Whom to ask for more.
    used
        What has ended.
    reserved
        What lives now: what it has used, and may still use.
    kinds
        What has ended, by kind.
    """

    model_config = ANSWER

    holder: str
    core_hours: int | None
    memory_hours: int | None
    of_each: bool
    contact: str | None
    used: Use
    reserved: Use
    kinds: list[KindUse]


class BudgetPage(BaseModel):
    """Accounts of a month.

    Attributes
    ----------
    month
        The month in UTC, as ``2026-11``.
    accounts
        The accounts that the asker sees, by holder.
    each
        Budgets of each person and each project without a budget of its own.
    remark
        What to know of a budget that was set: that nobody of this name is there yet.
    """

    model_config = ANSWER

    month: str
    accounts: list[BudgetAccount]
    each: list["BudgetOfEach"]
    remark: str = ""


class BudgetOfEach(BaseModel):
    """A budget that everybody of a kind has who has none of their own.

    Attributes
    ----------
    holder
        ``person:*`` or ``project:*``.
    """

    model_config = ANSWER

    holder: str
    core_hours: int | None
    memory_hours: int | None
    contact: str | None


class BudgetOrder(BaseModel):
    """The request that sets a budget.

    Attributes
    ----------
    core_hours, memory_hours
        Processor hours, and GiB hours of memory, in a month; None for no limit.
    contact
        Whom to ask for more, in words for people.
    """

    model_config = ORDER

    core_hours: Hours | None = None
    memory_hours: Hours | None = None
    contact: Annotated[str, Field(max_length=200)] | None = None


class StartOrder(BaseModel):
    """The request of the hub, or of the gateway of Dask clusters, to reserve before a start.

    Attributes
    ----------
    id
        Of this start: the same start may ask again.
    kind, name
        ``server`` and ``<account>/<server>``, or ``cluster`` and the cluster's name.
    account
        Who starts it: a person, or an attempt of a run as the gateway names it.
    groups
        The hub groups of that person.
    profile
        The profile of a server.
    cores, memory
        Processors, and bytes of memory, that it may take.
    hours
        For how long to reserve.
    """

    model_config = ORDER

    id: Name
    kind: Literal["server", "cluster"]
    name: Name
    account: Name
    groups: Annotated[list[Name], Field(max_length=10_000)] = []
    profile: Name = ""
    cores: Annotated[float, Field(ge=0, le=1e6)]
    memory: Annotated[int, Field(ge=0, lt=2**53)]
    hours: Annotated[float, Field(gt=0, le=LONGEST_HOURS)]


class StartAnswer(BaseModel):
    """What a start has reserved.

    Attributes
    ----------
    counted
        Whether anything is counted: not while nobody has a budget.
    person, project
        At whose cost; empty if at nobody's.
    until
        For how long it is reserved.
    """

    model_config = ANSWER

    counted: bool
    person: str = ""
    project: str = ""
    until: AwareDatetime | None = None
