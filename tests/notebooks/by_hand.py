"""Executes notebooks on a real platform as a person would."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    client = _open_client(folder, name)
    _give(client.nb, parameters)
    client.execute(env=platform.env | {"HOME": str(folder)})
    return client.nb


@contextmanager
def repeat_notebook(
    platform: RunningPlatform, folder: Path, name: str
) -> Iterator[Callable[[str], None]]:
    """Give what runs a notebook's cells with other parameters, each time in the same kernel."""
    client = _open_client(folder, name)
    written = copy.deepcopy(client.nb)  # the client keeps the cells that it has executed

    def execute(parameters: str) -> None:
        notebook = copy.deepcopy(written)
        _give(notebook, parameters)
        for number, cell in enumerate(notebook.cells):
            client.execute_cell(cell, number)

    with client.setup_kernel(env=platform.env | {"HOME": str(folder)}):
        yield execute


def _open_client(folder: Path, name: str) -> NotebookClient:
    notebook = nbformat.read(ROOT / name, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    return NotebookClient(notebook, timeout=TIMEOUT_S, resources=resources)


def _give(notebook: Any, parameters: str) -> None:
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source += f"\n{parameters}"
