"""What an executor asks Kubernetes, in one namespace."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

import httpx2
from lightkube import ApiError, Client, KubeConfig
from lightkube.config import client_adapter
from lightkube.core.exceptions import ConfigError
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Pod, Secret
from lightkube.types import CascadeType, PatchType

from skerry.core.errors import InvalidInputError, SkerryError, UnavailableError
from skerry.production.executors.kubernetes.manifest import LABELS

_LASTING = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
"""Answers to what will never be accepted."""


class RefusedError(SkerryError):
    """Kubernetes will never accept what it was asked for."""

    title = "Kubernetes"


class ChangedError(Exception):
    """An object is no longer what a change of it needs it to be."""


def find_config() -> KubeConfig:
    """Return how the cluster is reached: from inside of it, else by the file `KUBECONFIG`.

    Raises
    ------
    InvalidInputError
        If this process is not inside a cluster and there is no such file.
    """
    try:
        return KubeConfig.from_env()
    except ConfigError as error:
        raise InvalidInputError(
            f"No Kubernetes is known: {error}.",
            remedy="Run the worker in a cluster with a service account, or set KUBECONFIG.",
        ) from None


class Cluster:
    """One namespace of a cluster.

    All methods raise `UnavailableError` when Kubernetes does not answer or refuses.

    Parameters
    ----------
    config
        How the cluster is reached.
    namespace
        The namespace.
    """

    def __init__(self, config: KubeConfig, namespace: str) -> None:
        chosen = config.get()
        assert chosen is not None  # noqa: S101  (without a default it raises)
        self._namespace = namespace
        self._client = Client(chosen, namespace=namespace, trust_env=False)
        self._http = client_adapter.Client(chosen, client_adapter.ConnectionParams(trust_env=False))

    def create_job(self, job: Job) -> Job | None:
        """Create a Job; None if there is one of its name."""
        return self._create(job)

    def create_secret(self, secret: Secret) -> bool:
        """Create a Secret; return whether there was none of its name."""
        return self._create(secret) is not None

    def _create[Kind: (Job, Secret)](self, thing: Kind) -> Kind | None:
        try:
            with _translated():
                return self._client.create(thing)
        except ApiError as error:
            if error.status.reason == "AlreadyExists":
                return None
            raise _translate(error) from None

    def find_job(self, name: str) -> Job | None:
        """Return a Job, None if there is none of that name."""
        try:
            with _translated():
                return self._client.get(Job, name)
        except ApiError as error:
            if error.status.code == HTTPStatus.NOT_FOUND:
                return None
            raise _translate(error) from None

    def list_jobs(self) -> list[Job]:
        """Return the Jobs of attempts."""
        with _asking():
            return list(self._client.list(Job, labels={**LABELS}))

    def list_pods(self, job: str) -> list[Pod]:
        """Return the pods of a Job that are still there."""
        with _asking():
            return list(self._client.list(Pod, labels={"batch.kubernetes.io/job-name": job}))

    def change_job(self, name: str, changes: list[Mapping[str, object]]) -> None:
        """Change a Job by a JSON patch.

        Raises
        ------
        ChangedError
            If it is gone, or a test in the patch does not hold.
        """
        try:
            with _translated():
                self._client.patch(Job, name, changes, patch_type=PatchType.JSON)
        except ApiError as error:
            if error.status.code in (HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY):
                raise ChangedError(error.status.message) from None
            raise _translate(error) from None

    def change_pod(self, name: str, change: dict[str, object]) -> None:
        """Change a pod by a merge patch, if it is still there."""
        with _asking(absent_is_fine=True):
            self._client.patch(Pod, name, change, patch_type=PatchType.MERGE)

    def remove_job(self, name: str) -> None:
        """Remove a Job with all that belongs to it, if it is there."""
        with _asking(absent_is_fine=True):
            self._client.delete(Job, name, cascade=CascadeType.BACKGROUND)

    def remove_secret(self, name: str) -> None:
        """Remove a Secret, if it is there."""
        with _asking(absent_is_fine=True):
            self._client.delete(Secret, name)

    def read_log(self, pod: str, most: int) -> bytes | None:
        """Return the first `most` bytes of what a pod has printed; None if nobody can tell."""
        path = f"/api/v1/namespaces/{self._namespace}/pods/{pod}/log"
        try:
            answer = self._http.get(path, params={"limitBytes": most})
        except httpx2.TransportError:
            return None
        return answer.content if answer.is_success else None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._http.close()


@contextmanager
def _translated() -> Iterator[None]:
    """Say that Kubernetes does not answer; its own answers are raised as they are."""
    try:
        yield
    except httpx2.TransportError as error:
        raise UnavailableError(
            f"Kubernetes does not answer: {error or type(error).__name__}.",
            remedy="It is asked again.",
        ) from None


@contextmanager
def _asking(*, absent_is_fine: bool = False) -> Iterator[None]:
    try:
        with _translated():
            yield
    except ApiError as error:
        if not (absent_is_fine and error.status.code == HTTPStatus.NOT_FOUND):
            raise _translate(error) from None


def _translate(error: ApiError) -> SkerryError:
    told = f"Kubernetes refuses: {error.status.message}"
    if error.status.code in _LASTING:
        return RefusedError(told, remedy="Check the settings of Jobs (SKERRY_JOBS_...).")
    if error.status.code == HTTPStatus.FORBIDDEN:
        return UnavailableError(
            told,
            remedy="Give the worker's account its role (role.yaml), or raise the quota.",
        )
    return UnavailableError(told, remedy="It is asked again.")
