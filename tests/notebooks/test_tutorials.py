"""The tutorials of the library, executed as they are; they need no platform."""

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2] / "notebooks" / "tutorials"
TIMEOUT_S = 240


def execute(name: str, folder: Path) -> list[dict[str, Any]]:
    """Run a notebook in a kernel of its own; return what its cells show."""
    notebook = nbformat.read(ROOT / name, as_version=4)
    client = NotebookClient(
        notebook, timeout=TIMEOUT_S, resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env=os.environ | {"HOME": str(folder), "TMPDIR": str(folder)})
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def pictures(outputs: list[dict[str, Any]]) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs)


def text(outputs: list[dict[str, Any]]) -> str:
    return "\n".join(
        output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in outputs
    )


@pytest.mark.parametrize(
    ("name", "shown", "count"),
    [
        ("sensors.ipynb", ("cloud_high_probability", "2026-05-01"), 4),
        ("filtering_and_writing.ipynb", ("cog: left out", "stored as uint16", "checks ran"), 1),
        ("own_processor.ipynb", ("at least 0 and at most 1", "greenness"), 1),
    ],
)
def test_it_runs_and_shows_what_it_says(
    name: str, shown: tuple[str, ...], count: int, tmp_path: Path
) -> None:
    outputs = execute(name, tmp_path)
    assert pictures(outputs) == count
    message = text(outputs)
    assert all(item in message for item in shown)
    assert "Error" not in message
    assert not [output for output in outputs if output.get("name") == "stderr"], "no warnings"
