"""What a person may choose for their server on Kubernetes, and what each choice gives: as data."""

import re
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

_UNITS = {"Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40}
_SYSTEM = (
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/opt",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
)


class ChartSettings(BaseModel):
    """Settings that stand in a chart's values: keys in camel case, none that is not known."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True
    )


def _check_mount(path: str) -> str:
    pure = PurePosixPath(path)
    if not pure.is_absolute() or pure == pure.parent or ".." in pure.parts or path != str(pure):
        raise ValueError("is no absolute path of a folder, such as /data/shared")
    if any(path == folder or path.startswith(f"{folder}/") for folder in _SYSTEM):
        raise ValueError("hides a folder that the image needs")
    return path


Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$")]
"""A name that Kubernetes takes everywhere: small letters, digits and hyphens."""
Memory = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,5}(Mi|Gi|Ti)$")]
PinnedImage = Annotated[str, StringConstraints(pattern=r"^[^\s@]+@sha256:[0-9a-f]{64}$")]
Mount = Annotated[str, AfterValidator(_check_mount)]
Cores = Annotated[float, Field(gt=0, le=1024)]


def count_bytes(memory: Memory) -> int:
    """Return the bytes of an amount such as ``8Gi``."""
    number, unit = memory[:-2], memory[-2:]
    return int(number) * _UNITS[unit]


class ServerImage(ChartSettings):
    """An environment that a server can start with: one for each release of an environment.

    Attributes
    ----------
    name, title
        The name in settings, and what people read.
    image
        The image with its digest: a tag may become another environment.
    environment
        Digest of the environment as releases name it; None where no release uses it.
    """

    name: Slug
    title: str = Field(min_length=1, max_length=80)
    image: PinnedImage
    environment: str | None = None


class Toleration(ChartSettings):
    """A taint of nodes that servers of a profile may stand, in Kubernetes' own words."""

    key: str = Field(min_length=1)
    operator: Literal["Exists", "Equal"] = "Exists"
    value: str | None = None
    effect: Literal["NoSchedule", "NoExecute", "PreferNoSchedule"] | None = None


class Profile(ChartSettings):
    """A size of a server.

    Attributes
    ----------
    name, title, description
        The name in settings, and what people read.
    cpu, memory
        Its limits.
    cpu_guarantee, memory_guarantee
        What is kept free for it. By default a quarter of the processors and all of the memory.
    gpus, gpu_resource
        How many GPUs it gets, and what Kubernetes calls them.
    groups
        Hub groups whose members may choose it; everybody if empty.
    images
        Names of the images that it offers; all if empty.
    node_selector, tolerations
        On which nodes it runs.
    """

    name: Slug
    title: str = Field(min_length=1, max_length=80)
    description: str = Field(default="", max_length=300)
    cpu: Cores
    memory: Memory
    cpu_guarantee: Cores | None = None
    memory_guarantee: Memory | None = None
    gpus: int = Field(default=0, ge=0, le=64)
    gpu_resource: str = "nvidia.com/gpu"
    groups: tuple[str, ...] = ()
    images: tuple[Slug, ...] = ()
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()


class HomeVolume(ChartSettings):
    """The home folder of a person: a volume claim of their own.

    Attributes
    ----------
    capacity, storage_class
        Of a new claim; the cluster's default class if None.
    access_mode
        ``ReadWriteOnce`` fits every storage.
    mount
        Where the server has it.
    """

    capacity: Memory = "10Gi"
    storage_class: str | None = None
    access_mode: Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"] = "ReadWriteOnce"
    mount: Mount = "/home/skerry"


class SharedVolume(ChartSettings):
    """Data that many read, in a claim that the operator has made.

    Attributes
    ----------
    name, claim, sub_path
        Its name here, the claim, and the folder in it; the whole claim if None.
    mount
        Where servers have it.
    groups
        Hub groups whose members have it; everybody if empty.
    writable_by
        Hub groups whose members may write there; nobody if empty.
    """

    name: Slug
    claim: Slug
    sub_path: str | None = Field(
        default=None,
        pattern=re.compile(r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$"),
    )
    mount: Mount
    groups: tuple[str, ...] = ()
    writable_by: tuple[str, ...] = ()


class ProjectVolumes(ChartSettings):
    """A folder for each project, which its members share: all in one claim.

    Attributes
    ----------
    claim
        The claim, which several nodes can write (``ReadWriteMany``).
    mount
        The folder in which servers have a folder for each project of their person.
    """

    claim: Slug
    mount: Mount = "/projects"
