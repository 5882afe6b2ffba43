"""In which namespace, image and account attempts run on Kubernetes."""

import os
import re

from pydantic import BaseModel, ConfigDict

from skerry.core.errors import InvalidInputError
from skerry.core.settings import read_variables

_PINNED = re.compile(r"\S+@sha256:[0-9a-f]{64}")


class JobSettings(BaseModel):
    """What all Jobs have alike.

    Attributes
    ----------
    namespace
        Where they are made: a namespace for attempts alone. `SKERRY_JOBS_NAMESPACE`.
    image
        The image that they run in, pinned by digest: it has the environment of this worker.
        `SKERRY_JOBS_IMAGE`.
    account
        The service account of their pods, which may do nothing. `SKERRY_JOBS_ACCOUNT`,
        ``skerry-attempt`` by default.
    cpu
        Processors that a pod asks for, in words of Kubernetes. `SKERRY_JOBS_CPU`, ``1`` by default.
    priority
        The priority class of their pods; the cluster's default if None. `SKERRY_JOBS_PRIORITY`.
    start_s
        Seconds in which a pod must have found a node and its image.
    pull_s
        Seconds in which its image must be had, once it was not had at first.
    lost_s
        Seconds after which a node that has not ended a pod, as it should, counts as lost.
    patience_s
        Seconds that an attempt has for its last words when it is asked to end.
    kept_s
        Seconds after its end when Kubernetes removes a Job that no worker has removed.
    """

    model_config = ConfigDict(frozen=True)

    namespace: str
    image: str
    account: str = "skerry-attempt"
    cpu: str = "1"
    priority: str | None = None
    start_s: float = 900.0
    pull_s: float = 120.0
    lost_s: float = 30.0
    patience_s: int = 30
    kept_s: int = 7 * 86_400

    @classmethod
    def from_environment(cls) -> "JobSettings":
        """Read the variables.

        Raises
        ------
        InvalidInputError
            If namespace or image is missing, or the image is not pinned.
        """
        namespace, image = read_variables("SKERRY_JOBS_NAMESPACE", "SKERRY_JOBS_IMAGE")
        if not _PINNED.fullmatch(image):
            raise InvalidInputError(
                f"SKERRY_JOBS_IMAGE is {image[:120]!r}, which is not pinned.",
                remedy="Name the image with its digest: registry/name@sha256:<64 digits>.",
            )
        named = {
            "account": os.environ.get("SKERRY_JOBS_ACCOUNT"),
            "cpu": os.environ.get("SKERRY_JOBS_CPU"),
            "priority": os.environ.get("SKERRY_JOBS_PRIORITY"),
        }
        given = {name: value for name, value in named.items() if value}
        return cls(namespace=namespace, image=image, **given)
