"""The inputs of a run: records every item that a run opens, for its manifest and products."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from skerry.client.references import ItemReference
from skerry.storage.writing import write_aside

FILE = "inputs.json"


@dataclass(frozen=True)
class Input:
    """One item that a run opened.

    Attributes
    ----------
    collection, item
        Its names.
    digest
        Its whole-product digest as the catalogue has it.
    """

    collection: str
    item: str
    digest: str

    @property
    def reference(self) -> ItemReference:
        """The item's name."""
        return ItemReference(self.collection, self.item)


def find_run_folder() -> Path | None:
    """Return the folder that this run may write into, or None outside of a run."""
    named = os.environ.get("SKERRY_RUN_FOLDER")
    return Path(named) if named else None


def record_input(item: Mapping[str, Any]) -> None:
    """Record an item in the run's ``inputs.json``; outside of a run do nothing.

    Parameters
    ----------
    item
        The STAC item as the api showed it.
    """
    folder = find_run_folder()
    if folder is None:
        return
    opened = Input(item["collection"], item["id"], item["properties"].get("skerry:digest", ""))
    inputs = list_inputs()
    if opened not in inputs:
        write_json(folder / FILE, [asdict(entry) for entry in (*inputs, opened)])


def list_inputs() -> list[Input]:
    """Return the items that this run has opened so far, in order; empty outside of a run."""
    folder = find_run_folder()
    if folder is None or not (folder / FILE).exists():
        return []
    return [Input(**item) for item in json.loads((folder / FILE).read_text())]


def write_json(path: Path, value: Mapping[str, object] | Sequence[object]) -> None:
    """Write a JSON file that is either absent, the old one, or complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_aside(path, json.dumps(value, indent=1))
