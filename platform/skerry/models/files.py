"""JSON files that routes serve as they are: notebooks and manifests of runs."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue

from skerry.models.descriptions import describe_fields
from skerry.models.values import ANSWER, Values


class NotebookCell(BaseModel):
    """One cell; `source` may be a list of lines."""

    model_config = ConfigDict(extra="allow", json_schema_extra=describe_fields)

    cell_type: Literal["code", "markdown", "raw"]
    metadata: dict[str, JsonValue]
    source: str | list[str]


class Notebook(BaseModel):
    """A notebook in the form nbformat 4."""

    nbformat: Literal[4]
    nbformat_minor: int
    metadata: dict[str, JsonValue]
    cells: list[NotebookCell]


class ManifestInput(BaseModel):
    """An item that the notebook has read, with the digest of all its bytes."""

    collection: str
    item: str
    digest: str


class ManifestOutput(BaseModel):
    """A product's name in the notebook, and the digest of all its bytes."""

    output: str
    digest: str


class RunFacts(BaseModel):
    """What is known about an attempt before it begins.

    Attributes
    ----------
    job, occurrence, tick, data_day, partition
        Which work it does.
    release, release_name, notebook_digest, environment_digest
        What it executes.
    approved_by, self_approved
        Who approved that.
    """

    model_config = ANSWER

    job: str
    occurrence: str
    tick: AwareDatetime
    data_day: str
    partition: str
    release: str
    release_name: str
    notebook_digest: str
    environment_digest: str
    approved_by: str | None
    self_approved: bool


class Manifest(RunFacts):
    """Digests of everything that went into an attempt and came out.

    Attributes
    ----------
    inputs
        Items that the notebook has read.
    isolation
        The sandbox around the notebook, or ``none``.
    remark
        How the notebook ended, if there is something to say.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra=describe_fields)

    run: str
    epoch: int
    isolation: str
    parameters: Values
    inputs: list[ManifestInput]
    outputs: list[ManifestOutput]
    executed_notebook_digest: str
    remark: str | None
    written: AwareDatetime
