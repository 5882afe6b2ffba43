"""Which executor a worker has: `SKERRY_EXECUTOR` says it."""

from skerry.core.errors import InvalidInputError
from skerry.core.settings import read_objects_place
from skerry.core.worker_settings import WorkerSettings
from skerry.production.executors.local import LocalExecutor
from skerry.production.executors.protocol import Executor
from skerry.storage.layout import DataFolder
from skerry.storage.object_places import open_objects


def open_executor(data: DataFolder, settings: WorkerSettings, *, program: str) -> Executor:
    """Return the executor of a worker.

    Parameters
    ----------
    data
        The worker's data folder.
    settings
        Which executor it is.
    program
        The module that carries out attempts.

    Raises
    ------
    InvalidInputError
        If a setting of it is missing or wrong.
    """
    if settings.executor == "kubernetes":
        return _open_kubernetes(data)
    return LocalExecutor(data, prepare=program if settings.prepared else None)


def check_executor(settings: WorkerSettings) -> None:
    """Refuse settings with which no executor can be opened.

    Raises
    ------
    InvalidInputError
        It names the setting, its value and what to write.
    """
    if settings.executor != "kubernetes":
        return
    from skerry.production.executors.kubernetes.settings import JobSettings

    JobSettings.from_environment()
    place = read_objects_place()
    if not (place or "").startswith("s3://"):
        raise InvalidInputError(
            f"SKERRY_EXECUTOR is 'kubernetes', but the objects are in {place or 'a folder'}, which "
            "pods do not share.",
            remedy="Name a bucket in SKERRY_OBJECTS (s3://BUCKET/PREFIX).",
        )


def _open_kubernetes(data: DataFolder) -> Executor:
    # most workers need none of its libraries
    from skerry.production.executors.kubernetes.cluster import Cluster, find_config
    from skerry.production.executors.kubernetes.executor import KubernetesExecutor
    from skerry.production.executors.kubernetes.settings import JobSettings

    settings = JobSettings.from_environment()
    cluster = Cluster(find_config(), settings.namespace)
    return KubernetesExecutor(open_objects(data), cluster, settings)
