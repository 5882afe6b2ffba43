"""Computes a run's Dask graphs with the payload's settings."""

import logging
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from skerry.core.errors import InvalidInputError
from skerry.pipelines.payloads import DaskSettings

FAILURES = 1
"""Worker deaths tolerated per task before Dask aborts it: it may be what kills the workers."""


@contextmanager
def compute_by(settings: DaskSettings) -> Iterator[None]:
    """Compute Dask graphs as `settings` say while the block runs."""
    import dask

    if settings.scheduler != "distributed":
        options: dict[str, Any] = {"scheduler": settings.scheduler}
        if settings.workers is not None:
            options["num_workers"] = settings.workers
        with dask.config.set(options):
            yield
        return
    options = {
        "distributed.scheduler.allowed-failures": FAILURES,
        # A paused worker that cannot spill waits for ever; one that goes on is ended and named.
        "distributed.worker.memory.pause": False,
    }
    with dask.config.set(options):
        from distributed import Client, LocalCluster

        with (
            LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=settings.workers,
                threads_per_worker=settings.threads_per_worker or 1,
                memory_limit=settings.memory_limit or "auto",
                dashboard_address=None,
                scheduler_kwargs={"dashboard": False},
                silence_logs=logging.CRITICAL,
            ) as cluster,
            Client(cluster),  # type: ignore[no-untyped-call]
        ):
            yield


@contextmanager
def explain_lost_workers(settings: DaskSettings) -> Iterator[None]:
    """Turn the loss of workers in the block into an error about memory.

    Raises
    ------
    InvalidInputError
        If workers ran out of memory; it replaces the scheduler's own error.
    """
    errors: tuple[type[BaseException], ...] = (BrokenProcessPool,)
    if settings.scheduler == "distributed":
        from distributed import KilledWorker

        errors = (KilledWorker,)
    try:
        yield
    except errors as error:
        if settings.scheduler == "distributed":
            limit = settings.memory_limit or "an equal share of the memory"
            remedy = "Raise dask.memory_limit or use fewer workers."
        else:
            limit, remedy = "this machine", "Use fewer workers."
        raise InvalidInputError(f"Workers of {limit} ran out of memory.", remedy=remedy) from error
