"""Papermill's engine with a report of cell progress. Imported only by the run process."""

from pathlib import Path
from typing import Any

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines
from papermill.exceptions import PapermillExecutionError
from papermill.execute import execute_notebook
from papermill.iorw import papermill_io  # noqa: F401 - loaded before the working folder changes

from skerry.core.errors import SkerryError
from skerry.production.heartbeat import Progress

_NAME = "skerry"
_FIRST_LINE = 80


class NotebookFailedError(SkerryError):
    """A cell of the notebook raised, or its kernel died."""

    status = 422
    title = "Notebook failed"


class ProgressEngine(NBClientEngine):  # type: ignore[misc]  # papermill has no types
    """Executes with nbclient and tells a `Progress` about each cell."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: NotebookExecutionManager, kernel_name: str, **kwargs: Any
    ) -> Any:
        """Wrap the two callbacks of each cell, then execute as papermill does."""
        progress: Progress = kwargs.pop("progress")
        progress.total = len(nb_man.nb.cells)
        started, completed = nb_man.cell_start, nb_man.cell_complete

        def start(cell: Any, cell_index: int | None = None, **extra: Any) -> None:
            progress.cell = _first_line(cell)
            started(cell, cell_index=cell_index, **extra)

        def complete(cell: Any, cell_index: int | None = None, **extra: Any) -> None:
            completed(cell, cell_index=cell_index, **extra)
            progress.done = (cell_index or 0) + 1

        nb_man.cell_start, nb_man.cell_complete = start, complete
        return super().execute_managed_notebook(nb_man, kernel_name, **kwargs)


def execute(notebook: dict[str, Any], target: Path, *, cwd: Path, progress: Progress) -> None:
    """Execute a notebook whose parameters are injected already, and save it at `target`.

    Raises
    ------
    NotebookFailedError
        If a cell raised or the kernel died. What was executed is saved.
    """
    papermill_engines.register(_NAME, ProgressEngine)
    try:
        execute_notebook(
            nbformat.from_dict(notebook),  # type: ignore[no-untyped-call]
            str(target),
            engine_name=_NAME,
            kernel_name="python3",
            progress_bar=False,
            log_output=True,
            autosave_cell_every=0,
            cwd=str(cwd),
            progress=progress,
        )
    except PapermillExecutionError as error:
        raise NotebookFailedError(
            f"Cell {error.cell_index + 1} raised {error.ename}: {error.evalue}",
            remedy="Look at the executed notebook and the log.",
        ) from None
    except (DeadKernelError, CellTimeoutError) as error:
        raise NotebookFailedError(
            f"The kernel died: {error}",
            remedy="It may have run out of memory; use a cluster or a smaller area.",
        ) from None


def _first_line(cell: Any) -> str:
    lines = [line.strip() for line in str(cell.get("source", "")).splitlines() if line.strip()]
    return lines[0][:_FIRST_LINE] if lines else ""
