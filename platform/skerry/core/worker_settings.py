"""The worker's settings from outside: how much it takes, how much it logs, and what it keeps."""

import os

from pydantic import BaseModel, ConfigDict

from skerry.core.errors import InvalidInputError
from skerry.core.run_size import read_memory
from skerry.core.settings import read_number, read_switch

LONGEST_KEPT_DAYS = 36_500
MOST_KEPT_RUNS = 1_000_000


class RunLimits(BaseModel):
    """Limits of a run's log and outputs, in bytes; the rest is left out with a notice.

    Attributes
    ----------
    log
        Limit of an attempt's log. `SKERRY_RUN_LOG_MB`, 10 MB by default.
    cell
        Limit of one cell's outputs. `SKERRY_RUN_CELL_MB`, 8 MB by default.
    notebook
        Limit of all outputs of a notebook. `SKERRY_RUN_NOTEBOOK_MB`, 50 MB by default.
    """

    model_config = ConfigDict(frozen=True)

    log: int = 10_000_000
    cell: int = 8_000_000
    notebook: int = 50_000_000

    @classmethod
    def list_variables(cls) -> list[str]:
        """Return the names of the three environment variables."""
        return [f"SKERRY_RUN_{name.upper()}_MB" for name in cls.model_fields]

    @classmethod
    def from_environment(cls) -> "RunLimits":
        """Read the three variables.

        Raises
        ------
        InvalidInputError
            If one is set to anything but a number of megabytes above zero.
        """
        values = {}
        for name, variable in zip(cls.model_fields, cls.list_variables(), strict=True):
            number = read_number(variable, 10_000, "whole megabytes")
            if number is not None:
                values[name] = number * 1_000_000
        return cls(**values)


EXECUTORS = ("local", "kubernetes")


class WorkerSettings(BaseModel):
    """How much work a worker takes.

    Attributes
    ----------
    runs
        How many runs it carries out at once. `SKERRY_WORKER_RUNS`, 2 by default.
    all_runs
        How many runs all workers together carry out at once; None for no limit.
        `SKERRY_ALL_RUNS`.
    memory
        How many bytes of memory all processes of a run may take together; None for no limit.
        Dask clusters have limits of their own. `SKERRY_RUN_MEMORY_MB`.
    prepared
        Whether a process that has imported its program waits for the next run.
        `SKERRY_PREPARED_RUN`, ``on`` by default or ``off``.
    executor
        Where runs are carried out: as processes of this machine, or as Jobs of Kubernetes.
        `SKERRY_EXECUTOR`, ``local`` by default or ``kubernetes``.
    """

    model_config = ConfigDict(frozen=True)

    runs: int = 2
    all_runs: int | None = None
    memory: int | None = None
    prepared: bool = True
    executor: str = EXECUTORS[0]

    @classmethod
    def from_environment(cls) -> "WorkerSettings":
        """Read the five variables.

        Raises
        ------
        InvalidInputError
            If one cannot be read.
        """
        runs = read_number("SKERRY_WORKER_RUNS", 1000, "a whole number of runs")
        all_runs = read_number("SKERRY_ALL_RUNS", 100_000, "a whole number of runs")
        one = runs or cls().runs
        return cls(
            runs=min(one, all_runs) if all_runs else one,
            all_runs=all_runs,
            memory=read_memory(),
            prepared=read_switch("SKERRY_PREPARED_RUN"),
            executor=_read_executor(),
        )


class UpkeepSettings(BaseModel):
    """What the platform keeps, and for how long; a job may say otherwise for its runs.

    Attributes
    ----------
    daily
        Whether the worker prunes once a day. `SKERRY_DAILY_PRUNE`, ``on`` by default or ``off``.
    run_days
        Days after a run's end that its log, notebook and unpublished products are kept.
        `SKERRY_KEEP_RUN_DAYS`, 90 by default.
    runs
        Of how many ended runs of a job they are kept at most; None for no limit.
        `SKERRY_KEEP_RUNS`.
    history_days
        Days that the workflow engine's records of finished work are kept.
        `SKERRY_KEEP_HISTORY_DAYS`, 30 by default.
    """

    model_config = ConfigDict(frozen=True)

    daily: bool = True
    run_days: int = 90
    runs: int | None = None
    history_days: int = 30

    @classmethod
    def from_environment(cls) -> "UpkeepSettings":
        """Read the four variables.

        Raises
        ------
        InvalidInputError
            If one cannot be read.
        """
        days = "a whole number of days"
        return cls(
            daily=read_switch("SKERRY_DAILY_PRUNE"),
            run_days=read_number("SKERRY_KEEP_RUN_DAYS", LONGEST_KEPT_DAYS, days) or cls().run_days,
            runs=read_number("SKERRY_KEEP_RUNS", MOST_KEPT_RUNS, "a whole number of runs"),
            history_days=read_number("SKERRY_KEEP_HISTORY_DAYS", LONGEST_KEPT_DAYS, days)
            or cls().history_days,
        )


def _read_executor() -> str:
    text = os.environ.get("SKERRY_EXECUTOR") or EXECUTORS[0]
    if text not in EXECUTORS:
        raise InvalidInputError(
            f"SKERRY_EXECUTOR is {text[:60]!r}.",
            remedy="Write 'local' for processes of the worker's machine, or 'kubernetes'.",
        )
    return text
