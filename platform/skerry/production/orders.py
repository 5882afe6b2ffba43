"""What a run process asks the api for when it begins, and what it says when it ends."""

import json
from typing import Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import RowMapping

from skerry.models.files import Notebook, RunFacts
from skerry.models.releases import Release
from skerry.models.runs import AttemptOrder
from skerry.production.occurrences import find_tick

_MOST = 4000
"""Bytes: Kubernetes keeps 4,096 of what a container says at its end."""


class AttemptResult(BaseModel):
    """How a run process ended, as it says itself: its last words."""

    model_config = ConfigDict(extra="ignore")

    status: Literal["published", "failed", "superseded"]
    detail: str | None = None

    def write(self) -> str:
        """Return it as last words; a detail that would be too long for them is cut."""
        text, kept = self.model_dump_json(), self.detail or ""
        while len(json.dumps(text, ensure_ascii=False).encode()) > _MOST:
            kept = kept[: len(kept) // 2]
            text = self.model_copy(update={"detail": f"{kept} ..."}).model_dump_json()
        return text


def write_order(run: RowMapping, epoch: int, release: Release, notebook: bytes) -> AttemptOrder:
    """Return the order of an attempt.

    Parameters
    ----------
    run, epoch
        The run's row, and the attempt.
    release, notebook
        Its release, and the notebook that the release pins.
    """
    return AttemptOrder(
        run=run["id"],
        epoch=epoch,
        notebook=Notebook.model_validate_json(notebook),
        parameter_schema=release.schema_,
        parameters=run["parameters"],
        facts=RunFacts(
            job=run["job_name"],
            occurrence=run["occurrence"],
            tick=find_tick(run["occurrence"]) or run["created_at"],
            data_day=run["data_day"],
            partition=run["partition"],
            release=release.id,
            release_name=release.name,
            notebook_digest=release.notebook_digest,
            environment_digest=release.environment_digest,
            approved_by=release.decided_by,
            self_approved=release.self_approved,
        ),
    )
