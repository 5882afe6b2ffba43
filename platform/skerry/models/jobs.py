"""Jobs: what is ordered and what is recorded."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

from skerry.core.ownership import Relation
from skerry.core.worker_settings import LONGEST_KEPT_DAYS, MOST_KEPT_RUNS
from skerry.models.values import ANSWER, ORDER, Name, Values

LONGEST_S = 7 * 86_400
"""The longest timeout of an attempt: a week."""

MOST_RETRIES = 5


class ManualTrigger(BaseModel):
    """A job that only runs when somebody starts it."""

    model_config = ORDER

    kind: Literal["manual"] = "manual"


class ClockTrigger(BaseModel):
    """A job that runs at the ticks of a cron expression in a time zone."""

    model_config = ORDER

    kind: Literal["clock"]
    cron: Name
    timezone: Name = "UTC"


Trigger = Annotated[ManualTrigger | ClockTrigger, Field(discriminator="kind")]


class Review(StrEnum):
    """Whether products are published at once, or wait for a person."""

    NONE = "none"
    REQUIRED = "required"


class Keep(BaseModel):
    """How long the logs, notebooks and unpublished products of a job's runs are kept.

    Those of published products stay with them, and so do those of the job's newest ended run.

    Attributes
    ----------
    days
        Days after a run's end; None for the platform's own number.
    count
        Of how many ended runs at most; None for the platform's own number.
    """

    model_config = ORDER

    days: int | None = Field(default=None, ge=0, le=LONGEST_KEPT_DAYS)
    count: int | None = Field(default=None, ge=1, le=MOST_KEPT_RUNS)


class Policy(BaseModel):
    """How a job's runs are treated.

    Attributes
    ----------
    review
        ``none``: products are published at once; ``required``: they wait for a person.
    timeout_s
        Seconds after which an attempt is ended.
    retries
        How often Skerry starts a failed notebook again without being asked.
    keep
        How long the files of its runs are kept.
    """

    model_config = ORDER

    review: Review = Review.REQUIRED
    timeout_s: int = Field(default=3600, ge=1, le=LONGEST_S)
    retries: int = Field(default=0, ge=0, le=MOST_RETRIES)
    keep: Keep = Keep()


class JobOrder(BaseModel):
    """The request that creates a job.

    Attributes
    ----------
    release
        Id, or name of an approved release.
    parameters
        Values for all runs; each run fills their expressions, such as ``{{ day - 3d }}``.
    collection
        Where products go; the job's name if left out.
    owner
        To whom job and runs belong, ``person:<name>`` or ``project:<name>``; if left out, to whom
        the collection belongs, or else the release.
    """

    model_config = ORDER

    name: Name
    release: Name
    parameters: Values = Field(default_factory=dict)
    trigger: Trigger = ManualTrigger()
    collection: Name | None = None
    owner: Name | None = None
    policy: Policy = Policy()


class Job(BaseModel):
    """A standing order: a release, parameters, a trigger and a policy under one name.

    Attributes
    ----------
    release, release_name, self_approved
        Id and name of the release, and whether its proposer approved it.
    next_tick
        When its clock starts the next run; none for a job without clock, or while it is paused.
    collection
        Where its products go.
    owner
        To whom it belongs, ``person:<name>`` or ``project:<name>``.
    public
        Whether everybody sees it, and its runs that succeeded, without login.
    created_by
        The account; nobody for those who see it only because it is public.
    relation
        What it is to the asker, who may do with it what the rules say; not told in answers to
        orders.
    """

    model_config = ANSWER

    id: str
    name: str
    release: str
    release_name: str
    self_approved: bool
    parameters: Values
    trigger: Trigger
    paused: bool
    next_tick: AwareDatetime | None
    collection: str
    policy: Policy
    owner: str
    public: bool
    created_by: str | None
    created: AwareDatetime
    relation: Relation | None = None


class PlannedRun(BaseModel):
    """A run that a job will start, if nothing changes until then.

    Attributes
    ----------
    tick
        When its clock starts it; none for a job without clock, whose run would start by hand now.
    data_day
        The day of its data.
    parameters
        Its values, with the release's defaults.
    """

    model_config = ANSWER

    tick: AwareDatetime | None
    data_day: date
    parameters: Values


class JobPlan(BaseModel):
    """The next runs of a job, the earliest first."""

    model_config = ANSWER

    runs: list[PlannedRun]


class JobList(BaseModel):
    """Jobs by name."""

    model_config = ANSWER

    jobs: list[Job]
