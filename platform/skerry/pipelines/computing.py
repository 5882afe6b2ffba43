"""Where a run's Dask graphs are computed."""

from collections.abc import Iterator
from contextlib import contextmanager

from skerry.pipelines.payloads import DaskSettings


@contextmanager
def compute_by(settings: DaskSettings) -> Iterator[None]:
    """Compute Dask graphs as `settings` say while the block runs."""
    import dask

    if settings.scheduler != "distributed":
        wanted: dict[str, object] = {"scheduler": settings.scheduler}
        if settings.workers is not None:
            wanted["num_workers"] = settings.workers
        with dask.config.set(wanted):
            yield
        return
    from distributed import Client, LocalCluster

    with (
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=settings.workers,
            threads_per_worker=settings.threads_per_worker or 1,
            memory_limit=settings.memory_limit or "auto",
            dashboard_address=None,
            scheduler_kwargs={"dashboard": False},
        ) as cluster,
        Client(cluster),  # type: ignore[no-untyped-call]
    ):
        yield
