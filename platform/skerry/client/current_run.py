"""`skerry.run`: the facts of the run that executes a notebook."""

import os
from dataclasses import dataclass
from datetime import date, datetime

from skerry.core.time import parse_day, parse_time


@dataclass(frozen=True)
class CurrentRun:
    """The run that executes this notebook.

    Attributes
    ----------
    job, id
        Names of the job and of the run.
    attempt
        The number of the attempt, from 1.
    occurrence
        What started the run, such as ``clock/2026-05-01T05:30:00Z``.
    tick
        The instant of the occurrence: the clock's tick, however late the run is, or the start by
        hand.
    data_day
        The day of the data: the tick's day in the clock's time zone.
    partition
        The part of the work; empty for the whole.
    """

    job: str
    id: str
    attempt: int
    occurrence: str
    tick: datetime
    data_day: date
    partition: str


def find_current_run() -> CurrentRun | None:
    """Return the run of this process, or None outside of runs."""
    if "SKERRY_OCCURRENCE" not in os.environ:
        return None
    return CurrentRun(
        job=os.environ["SKERRY_JOB"],
        id=os.environ["SKERRY_RUN"],
        attempt=int(os.environ["SKERRY_EPOCH"]),
        occurrence=os.environ["SKERRY_OCCURRENCE"],
        tick=parse_time(os.environ["SKERRY_TICK"]),
        data_day=parse_day(os.environ["SKERRY_DATA_DAY"]),
        partition=os.environ["SKERRY_PARTITION"],
    )
