"""A way to execute notebooks on the real platform as a person would."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from tests.platform_process import RunningPlatform

ROOT = Path(__file__).parents[2] / "notebooks"
TIMEOUT_S = 240

Execute = Callable[..., Any]


@pytest.fixture
def execute(running_platform: RunningPlatform, tmp_path: Path) -> Execute:
    """Return a function that runs a notebook in a kernel of its own, by hand as it were."""
    from nbclient import NotebookClient

    def run(name: str, parameters: str = "") -> Any:
        notebook = nbformat.read(ROOT / name, as_version=4)
        for cell in notebook.cells:
            if "parameters" in cell.metadata.get("tags", []):
                cell.source += f"\n{parameters}"
        resources = {"metadata": {"path": str(tmp_path)}}
        client = NotebookClient(notebook, timeout=TIMEOUT_S, resources=resources)
        client.execute(env=running_platform.env | {"HOME": str(tmp_path)})
        return notebook

    return run
