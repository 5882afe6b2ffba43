"""Runs, their attempts and their products: what is ordered, reported and recorded."""

from datetime import date
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field

from skerry.core.ownership import Relation
from skerry.models.files import Notebook, RunFacts
from skerry.models.releases import ParameterSchema
from skerry.models.values import ANSWER, ORDER, Count, Name, Values


class RunStatus(StrEnum):
    """How far a run is; ``passed`` is a clock's tick that was passed over."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PASSED = "passed"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens unless somebody tries the run again."""
        return self not in (RunStatus.QUEUED, RunStatus.RUNNING)

    @property
    def can_be_retried(self) -> bool:
        """Whether the run may be queued again."""
        return self.has_ended and self is not RunStatus.SUCCEEDED


class AttemptStatus(StrEnum):
    """How far an attempt is, or how it ended.

    ``crashed``: its process vanished. ``superseded``: a newer attempt took over. ``adopted``: it
    found that an earlier attempt had done the work.
    """

    CLAIMED = "claimed"
    EXECUTING = "executing"
    PUBLISHED = "published"
    FAILED = "failed"
    CRASHED = "crashed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    ADOPTED = "adopted"


class Progress(BaseModel):
    """Cells that are done, cells in all (0 before the first report), and the present cell."""

    model_config = ANSWER

    done: int
    total: int
    cell: str | None


class Attempt(BaseModel):
    """One execution of a run.

    Attributes
    ----------
    epoch
        Its number, from 1.
    adopted_epoch
        The earlier attempt whose work this attempt took over.
    files
        Addresses of the files that it has written.
    """

    model_config = ANSWER

    epoch: int
    status: AttemptStatus
    adopted_epoch: int | None
    detail: str | None
    started: AwareDatetime
    ended: AwareDatetime | None
    files: list[str] = []


class Output(BaseModel):
    """A product of a run, as an item of the catalogue.

    Attributes
    ----------
    output
        Its name in the notebook.
    digest
        Digest of all its bytes.
    epoch
        The attempt that published it.
    """

    model_config = ANSWER

    output: str
    collection: str
    item: str
    digest: str
    epoch: int
    published: AwareDatetime


class Run(BaseModel):
    """The work for one job, occurrence and partition.

    Attributes
    ----------
    job
        The job's name.
    release, release_name, self_approved
        Id and name of the release, and whether its proposer approved it.
    occurrence
        What started it, such as ``clock/2026-05-01T05:30:00Z``.
    data_day
        The day of the data.
    partition
        The part of the work; empty for the whole.
    epoch
        The number of its newest attempt; 0 before the first.
    detail
        How it ended, for people; before its end what it waits for, if it does.
    owner
        To whom it belongs, ``person:<name>`` or ``project:<name>``.
    created_by
        The account that started it, or ``clock``. It, `detail` and the attempts are not shown to
        those who see the run only because its job is public.
    relation
        What it is to the asker, who may do with it what the rules say; not told in answers to
        orders.
    """

    model_config = ANSWER

    id: str
    job: str
    release: str
    release_name: str
    self_approved: bool
    occurrence: str
    data_day: date
    partition: str
    parameters: Values
    collection: str
    status: RunStatus
    cancel_requested: bool
    epoch: int
    progress: Progress
    detail: str | None
    owner: str
    created_by: str | None
    created: AwareDatetime
    started: AwareDatetime | None
    ended: AwareDatetime | None
    outputs: list[Output]
    relation: Relation | None = None


class RunDetails(Run):
    """A run with its attempts, oldest first."""

    attempts: list[Attempt]


class RunList(BaseModel):
    """A page of runs, newest first."""

    model_config = ANSWER

    runs: list[Run]


class RunCounts(BaseModel):
    """How many runs have each status."""

    model_config = ANSWER

    counts: dict[RunStatus, int]


class RunOrder(BaseModel):
    """The request that starts a run by hand.

    Attributes
    ----------
    parameters
        Values that replace the job's own.
    idempotency_key
        The same key starts no second run.
    partition
        The part of the work; empty for the whole.
    data_day
        The day of the data; today in UTC if left out.
    """

    model_config = ORDER

    parameters: Values = Field(default_factory=dict)
    idempotency_key: Name | None = None
    partition: Name = ""
    data_day: date | None = None


class AttemptOrder(BaseModel):
    """What an attempt has to do: everything that its process needs to know, but no token.

    Attributes
    ----------
    notebook
        The release's notebook, nbformat JSON.
    parameter_schema, parameters
        The release's parameter schema and the checked values.
    facts
        What the manifest says of the attempt.
    """

    model_config = ANSWER

    run: str
    epoch: int
    notebook: Notebook
    parameter_schema: ParameterSchema
    parameters: Values
    facts: RunFacts


class ProgressReport(BaseModel):
    """An attempt's progress: cells done, cells in all, the present cell."""

    model_config = ORDER

    done: Count
    total: Count
    cell: str | None = Field(default=None, max_length=500)


class ReportAnswer(BaseModel):
    """The answer to the report of an attempt that may go on; others are refused with 409."""

    model_config = ANSWER

    go_on: Literal[True] = True
