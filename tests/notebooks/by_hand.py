"""Executes notebooks on a real platform as a person would."""

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from tests.platform_process import RunningPlatform

ROOT = Path(__file__).parents[2] / "notebooks"
TIMEOUT_S = 240


def execute_notebook(
    platform: RunningPlatform, folder: Path, name: str, parameters: str = ""
) -> Any:
    """Run a notebook in a kernel of its own, in a folder; return it with its outputs."""
    notebook = nbformat.read(ROOT / name, as_version=4)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source += f"\n{parameters}"
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=TIMEOUT_S, resources=resources)
    client.execute(env=platform.env | {"HOME": str(folder)})
    return notebook
