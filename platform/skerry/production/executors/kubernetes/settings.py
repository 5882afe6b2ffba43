"""In which namespace, image and account attempts run on Kubernetes."""

import os
import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from skerry.core.errors import InvalidInputError
from skerry.core.run_size import read_cpu
from skerry.core.settings import read_variables
from skerry.production.images import IMAGE_VARIABLE, check_image, read_images

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LONG_NAME = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
)
_PULLS = ("Always", "IfNotPresent", "Never")


class JobSettings(BaseModel):
    """What all Jobs have alike.

    Attributes
    ----------
    namespace
        Where they are made: a namespace for attempts alone. `SKERRY_JOBS_NAMESPACE`.
    image
        The image that they run in, pinned by digest: it has the environment of this worker.
        `SKERRY_JOBS_IMAGE`.
    images
        Digest of another environment to the image that has it; see `skerry.production.images`.
        `SKERRY_JOBS_IMAGES`, a JSON object.
    account
        The service account of their pods, which may do nothing. `SKERRY_JOBS_ACCOUNT`,
        ``skerry-attempt`` by default.
    pull
        When a node gets the image: ``Always``, ``IfNotPresent`` or ``Never``. `SKERRY_JOBS_PULL`;
        Kubernetes' own default if None.
    cpu
        Processors that a pod asks for, in words of Kubernetes. `SKERRY_JOBS_CPU`, ``1`` by default.
    priority
        The priority class of their pods; the cluster's default if None. `SKERRY_JOBS_PRIORITY`.
    certificates
        The ConfigMap whose files stand in the folder of the worker's certificate authorities;
        none if None. `SKERRY_JOBS_CERTIFICATES`.
    room_s
        Seconds that a pod waits for room in a full cluster. `SKERRY_JOBS_ROOM_S`.
    start_s
        Seconds in which its node must have begun a pod; and in which a larger node must have come
        if a pod is larger than any. `SKERRY_JOBS_START_S`.
    pull_s
        Seconds in which its image must be had, once it was not had at first.
        `SKERRY_JOBS_PULL_S`.
    lost_s
        Seconds after which a node that does not answer loses its pods, and as long again until
        they count as lost. `SKERRY_JOBS_LOST_S`.
    patience_s
        Seconds that an attempt has for its last words when it is asked to end.
    kept_s
        Seconds after its end when Kubernetes removes a Job that no worker has removed.
    """

    model_config = ConfigDict(frozen=True)

    namespace: str
    image: str
    images: Mapping[str, str] = {}
    account: str = "skerry-attempt"
    pull: str | None = None
    cpu: str = "1"
    priority: str | None = None
    certificates: str | None = None
    room_s: float = 86_400.0
    start_s: float = 900.0
    pull_s: float = 120.0
    lost_s: float = 45.0
    patience_s: int = 30
    kept_s: int = 7 * 86_400

    @classmethod
    def from_environment(cls) -> "JobSettings":
        """Read the variables.

        Raises
        ------
        InvalidInputError
            If namespace or image is missing, or a value cannot be one; it names the value.
        """
        namespace, image = read_variables("SKERRY_JOBS_NAMESPACE", IMAGE_VARIABLE)
        label = "Write a name of Kubernetes: small letters, digits and '-'."
        given = {
            "namespace": _check("SKERRY_JOBS_NAMESPACE", namespace, _NAME, label),
            "image": check_image(IMAGE_VARIABLE, image),
            "images": read_images(),
            "account": _read("SKERRY_JOBS_ACCOUNT", _LONG_NAME, label),
            "pull": _read(
                "SKERRY_JOBS_PULL", re.compile("|".join(_PULLS)), f"Write {', '.join(_PULLS)}."
            ),
            "cpu": read_cpu(),
            "priority": _read("SKERRY_JOBS_PRIORITY", _LONG_NAME, label),
            "certificates": _read("SKERRY_JOBS_CERTIFICATES", _LONG_NAME, label),
            **{
                f"{name}_s": _read_seconds(f"SKERRY_JOBS_{name.upper()}_S")
                for name in ("room", "start", "pull", "lost")
            },
        }
        return cls(**{name: value for name, value in given.items() if value is not None})


def _read(variable: str, form: re.Pattern[str], remedy: str) -> str | None:
    text = os.environ.get(variable)
    return _check(variable, text, form, remedy) if text else None


def _check(variable: str, text: str, form: re.Pattern[str], remedy: str) -> str:
    if not form.fullmatch(text):
        raise InvalidInputError(f"{variable} is {text[:120]!r}.", remedy=remedy)
    return text


def _read_seconds(variable: str) -> float | None:
    text = os.environ.get(variable)
    if not text:
        return None
    if not re.fullmatch(r"\d{1,6}", text) or not int(text):
        raise InvalidInputError(
            f"{variable} is {text[:40]!r}.", remedy="Give whole seconds, from 1 to 999999."
        )
    return float(text)
