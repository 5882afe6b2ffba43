"""The platform's own parts: whether they answer, their room, their logs."""

from pydantic import BaseModel

from skerry.models.values import ANSWER


class PartHealth(BaseModel):
    """The answer of a part that works."""

    model_config = ANSWER

    ready: bool


class Holder(BaseModel):
    """The holder of a token.

    Attributes
    ----------
    account
        The name in records: of a person, or ``service:<name>``.
    kind
        ``user`` or ``service``.
    projects
        The projects that it belongs to.
    roles
        The roles of which the token has every scope.
    scopes
        What the token may do: scopes of Skerry.
    """

    model_config = ANSWER

    account: str
    kind: str
    projects: list[str]
    roles: list[str]
    scopes: list[str]


class Readiness(BaseModel):
    """Whether a program can do its work.

    Attributes
    ----------
    ready
        Whether all it needs is there.
    missing
        What it needs and lacks: the thing's name, and the reason.
    limited
        What it lacks, and what a part of its work needs; the rest goes on. Without the hub nobody
        can log in, and everybody sees what is public.
    """

    model_config = ANSWER

    ready: bool
    missing: dict[str, str]
    limited: dict[str, str] = {}


class WorkerSign(BaseModel):
    """Whether a worker works.

    Attributes
    ----------
    name
        Its name.
    works
        Whether it has shown lately that it lives.
    silent_s
        Seconds since it last did; None if it has not yet.
    """

    model_config = ANSWER

    name: str
    works: bool
    silent_s: float | None


class PlatformHealth(BaseModel):
    """The platform's state, for the pages.

    Attributes
    ----------
    worker
        Whether a worker works.
    workers
        All workers that share the database, on whatever machine.
    disk_free, disk_total, disk_floor
        Bytes on the data folder's disk; below the floor runs and imports do not start.
    disk_low
        Whether less than the floor is free.
    """

    model_config = ANSWER

    worker: bool
    workers: list[WorkerSign]
    disk_free: int
    disk_total: int
    disk_floor: int
    disk_low: bool


class LogList(BaseModel):
    """The parts that have a log, by name."""

    model_config = ANSWER

    parts: list[str]


class OpenApiInfo(BaseModel):
    """Title and version of a program."""

    title: str
    version: str


class OpenApiDocument(BaseModel):
    """An OpenAPI 3.1 document; its specification describes the rest."""

    openapi: str
    info: OpenApiInfo
    paths: dict[str, object]
    components: dict[str, object]
