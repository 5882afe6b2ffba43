"""What an executor asks Kubernetes, in one namespace."""

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import cast

import httpx2
from lightkube import ApiError, Client, KubeConfig
from lightkube.config import client_adapter
from lightkube.core.decoders import decode_list, decode_object, decode_status
from lightkube.core.exceptions import ConfigError
from lightkube.models.authorization_v1 import ResourceAttributes, SelfSubjectAccessReviewSpec
from lightkube.resources.authorization_v1 import SelfSubjectAccessReview
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Pod, Secret
from lightkube.types import CascadeType, PatchType

from skerry.core.errors import InvalidInputError, SkerryError, UnavailableError
from skerry.production.executors.kubernetes.manifest import JOB_LABEL, LABELS

_LATE_S = 10.0
"""How much later than it should a watch may end before its connection counts as dead."""
_PAGE = 500
_SELECTED = ",".join(f"{name}={value}" for name, value in LABELS.items())

RIGHTS = (
    ("batch", "jobs", ("create", "get", "list", "watch", "patch", "delete")),
    ("", "pods", ("list", "watch", "patch")),
    ("", "pods/log", ("get",)),
    ("", "secrets", ("create", "delete")),
)
"""What a worker needs in the namespace, as ``role.yaml`` gives it."""

_LASTING = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
"""Answers to what will never be accepted."""


# What lightkube decodes with (msgspec 0.22.0) crashes the whole process when two threads are the
# first to decode a type. So each is decoded once here, while this module is imported.
for _kind in (Job, Pod, Secret):
    decode_object(b"{}", _kind)
decode_object(b'{"spec": {}}', SelfSubjectAccessReview)
for _kind in (Job, Pod):
    decode_list(b'{"items": [{}], "metadata": {}}', _kind)
decode_status(b"{}")


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
        self._paths = {
            Job: f"/apis/batch/v1/namespaces/{namespace}/jobs",
            Pod: f"/api/v1/namespaces/{namespace}/pods",
        }
        self._watches: dict[type[Job | Pod], httpx2.Response] = {}
        self._turn = threading.Lock()
        parameters = client_adapter.ConnectionParams(trust_env=False)
        self._client = Client(chosen, namespace=namespace, trust_env=False)
        self._http = client_adapter.Client(chosen, parameters)
        # connections of their own: however many attempts are asked about, the watches go on
        self._lists = Client(chosen, namespace=namespace, trust_env=False)
        self._streams = client_adapter.Client(chosen, parameters)

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

    def list_pods(self, job: str) -> list[Pod]:
        """Return the pods of a Job that are still there."""
        with _asking():
            return list(self._client.list(Pod, labels={JOB_LABEL: job}))

    def list_all[Kind: (Job, Pod)](self, kind: type[Kind]) -> tuple[list[Kind], str]:
        """Return all Jobs, or all pods, of attempts, and from where on a watch goes on."""
        with _asking():
            found = self._lists.list(kind, labels={**LABELS}, chunk_size=_PAGE)
            return list(found), found.resourceVersion

    def check(self) -> None:
        """Ask for one Job, to see whether Kubernetes answers."""
        with _asking():
            next(iter(self._client.list(Job, labels={**LABELS}, chunk_size=1)), None)

    def watch[Kind: (Job, Pod)](
        self, kind: type[Kind], version: str, time_s: int
    ) -> Iterator[tuple[str, Kind]]:
        """Tell what happens to Jobs, or to pods, of attempts, for some time.

        It ends earlier when `version` is too old, or by `end_watch`.

        Yields
        ------
        tuple[str, Kind]
            ``ADDED``, ``MODIFIED`` or ``DELETED``, and the object.
        """
        asked = {
            "watch": "true", "labelSelector": _SELECTED, "resourceVersion": version,
            "timeoutSeconds": str(time_s),
        }  # fmt: skip
        timeout = httpx2.Timeout(_LATE_S, read=time_s + _LATE_S)
        with (
            _translated(),
            self._streams.stream("GET", self._paths[kind], params=asked, timeout=timeout) as answer,
            self._kept(kind, answer),
        ):
            if not answer.is_success:
                raise _translate_answer(answer)
            for line in answer.iter_lines():
                event = json.loads(line)
                if event["type"] == "ERROR":  # what went before is no longer known there
                    return
                yield event["type"], cast("Kind", kind.from_dict(event["object"]))

    @contextmanager
    def _kept(self, kind: type[Job] | type[Pod], answer: httpx2.Response) -> Iterator[None]:
        with self._turn:
            self._watches[kind] = answer
        try:
            yield
        finally:
            with self._turn:
                del self._watches[kind]

    def end_watch(self, kind: type[Job] | type[Pod]) -> None:
        """End a watch from another thread, which else waits for the next event."""
        with self._turn, suppress(OSError):
            if (answer := self._watches.get(kind)) is not None:
                stream = answer.extensions["network_stream"]
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    def list_missing_rights(self) -> list[str]:
        """Return what this account may not do in the namespace, such as ``create jobs``."""
        missing = []
        for group, resource, verbs in RIGHTS:
            name, _, below = resource.partition("/")
            for verb in verbs:
                asked = ResourceAttributes(
                    namespace=self._namespace, group=group, resource=name, subresource=below,
                    verb=verb,
                )  # fmt: skip
                review = SelfSubjectAccessReviewSpec(resourceAttributes=asked)
                with _asking():
                    answer = self._client.create(SelfSubjectAccessReview(spec=review))
                if answer.status is None or not answer.status.allowed:
                    missing.append(f"{verb} {resource}")
        return missing

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
        for connections in (self._client, self._http, self._lists, self._streams):
            connections.close()


@contextmanager
def _translated() -> Iterator[None]:
    """Say that Kubernetes does not answer; its own answers are raised as they are."""
    try:
        yield
    except ApiError:
        raise
    except httpx2.HTTPStatusError as error:  # too busy (429), or a proxy's answer: plain text
        raise UnavailableError(
            f"Kubernetes answers {error.response.status_code}.", remedy="It is asked again."
        ) from None
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


def _translate_answer(answer: httpx2.Response) -> SkerryError:
    answer.read()
    try:
        told = str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        told = f"{answer.status_code} {answer.reason_phrase}"
    return _describe(answer.status_code, told)


def _translate(error: ApiError) -> SkerryError:
    return _describe(error.status.code, error.status.message)


def _describe(code: int | None, message: str | None) -> SkerryError:
    told = f"Kubernetes refuses: {message}"
    if code in _LASTING:
        return RefusedError(told, remedy="Check the settings of Jobs (SKERRY_JOBS_...).")
    if code == HTTPStatus.FORBIDDEN:
        return UnavailableError(
            told,
            remedy="Give the worker's account its role (role.yaml), or raise the quota.",
        )
    return UnavailableError(told, remedy="It is asked again.")
