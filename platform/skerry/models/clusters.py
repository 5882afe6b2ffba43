"""Dask clusters that are alive."""

from pydantic import AwareDatetime, BaseModel

from skerry.models.values import ANSWER


class Cluster(BaseModel):
    """A Dask cluster.

    Attributes
    ----------
    owner
        The account that started it; for a run the project's account.
    job, run, attempt
        The attempt that started it, if a run did.
    status
        ``pending``, ``running`` or ``stopping``; the gateway may have others.
    memory
        How many bytes scheduler and workers may use together.
    """

    model_config = ANSWER

    name: str
    owner: str
    job: str | None
    run: str | None
    attempt: int | None
    status: str
    since: AwareDatetime
    workers: int
    memory: int


class ClusterList(BaseModel):
    """The clusters that are alive, oldest first."""

    model_config = ANSWER

    clusters: list[Cluster]
