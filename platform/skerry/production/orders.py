"""What the worker gives to a run process, and what it gets back: two small JSON files.

They never contain secrets; the run token is in the process's environment.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from skerry.core.settings import RunLimits
from skerry.storage.objects import ObjectFolder
from skerry.storage.run_folder import RunFolder


class AttemptOrder(BaseModel):
    """Everything that a run process needs to know.

    Attributes
    ----------
    run, epoch
        Which attempt this is.
    notebook
        The release's notebook file.
    objects
        The root of the object store.
    scratch
        Working folder, removed afterwards.
    run_state
        The data folder's ``run``: pid files, pause points.
    api
        Address of the production API, no trailing slash.
    schema_, parameters
        The release's parameter schema and the checked values.
    manifest
        Facts for the manifest: digests of notebook and environment, approval, isolation.
    limits
        Limits of the notebook's outputs and log.
    """

    model_config = ConfigDict(extra="ignore")

    run: str
    epoch: int
    notebook: Path
    objects: Path
    scratch: Path
    run_state: Path
    api: str
    schema_: dict[str, Any]
    parameters: dict[str, Any]
    manifest: dict[str, Any]
    limits: RunLimits = RunLimits()

    @property
    def folder(self) -> RunFolder:
        """The attempt's own folder in the object store."""
        return RunFolder(ObjectFolder(self.objects), self.run, self.epoch)

    @property
    def result_file(self) -> Path:
        """The file for an `AttemptResult`, the last thing that the run process writes."""
        return self.scratch / "result.json"

    @property
    def reason_file(self) -> Path:
        """The file for the worker's reason to end the attempt, written before it sends SIGTERM."""
        return self.scratch / "reason.txt"


class AttemptResult(BaseModel):
    """How a run process ended, as it reports itself."""

    model_config = ConfigDict(extra="ignore")

    status: Literal["published", "failed", "superseded"]
    detail: str | None = None
