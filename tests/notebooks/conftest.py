"""One real platform for the notebooks, and a way to execute them as a person would."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from tests.platform_process import RunningPlatform, start_platform

ROOT = Path(__file__).parents[2] / "notebooks"
TIMEOUT_S = 240

Execute = Callable[..., Any]


@pytest.fixture(scope="session")
def running_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """Return a whole platform on a free port and an empty data folder."""
    platform = start_platform(tmp_path_factory.mktemp("platform") / "data")
    yield platform
    platform.stop()


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
