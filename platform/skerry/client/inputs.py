"""The inputs of a run: records every item that a run opens, for its manifest and products."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from skerry.client.grants import grant_run_folder
from skerry.client.references import ItemReference
from skerry.client.session import Session
from skerry.storage.run_folder import RunFile, RunFolder


@dataclass(frozen=True)
class Input:
    """One item that a run opened.

    Attributes
    ----------
    collection, item
        Its names.
    digest
        The digest of its whole product in the catalogue.
    """

    collection: str
    item: str
    digest: str

    @property
    def reference(self) -> ItemReference:
        """The item's name."""
        return ItemReference(self.collection, self.item)


def find_run_folder(session: Session) -> RunFolder | None:
    """Return the folder that this run may write into, or None outside of a run."""
    run = os.environ.get("SKERRY_RUN")
    return grant_run_folder(session, run, int(os.environ["SKERRY_EPOCH"])) if run else None


def record_input(session: Session, item: Mapping[str, Any]) -> None:
    """Record an item in the run's ``inputs.json``; outside of a run do nothing.

    Parameters
    ----------
    session
        The session of the process that opens it.
    item
        The STAC item from the api.
    """
    folder = find_run_folder(session)
    if folder is None:
        return
    opened = Input(item["collection"], item["id"], item["properties"].get("skerry:digest", ""))
    inputs = list_inputs(session)
    if opened not in inputs:
        recorded = [asdict(entry) for entry in (*inputs, opened)]
        folder.write_json(RunFile.INPUTS, recorded)


def list_inputs(session: Session) -> list[Input]:
    """Return the items that this run has opened so far, in order; empty outside of a run."""
    folder = find_run_folder(session)
    if folder is None:
        return []
    return [Input(**item) for item in folder.read_json(RunFile.INPUTS) or []]
