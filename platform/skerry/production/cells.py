"""A notebook's cells, executed one after the other. Imported only by the run process."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from skerry.core.errors import SkerryError
from skerry.production.capped_outputs import CellOutputs, merge_streams
from skerry.production.heartbeat import Progress
from skerry.production.kernel import Kernel

_FIRST_LINE = 80
_DRAIN_S = 60
"""How long outputs may take to arrive after their cell is done."""

_HARMLESS_EXIT = frozenset({"", "0", "None"})


class NotebookFailedError(SkerryError):
    """A cell of the notebook raised, its kernel died, or the notebook was stopped."""

    status = 422
    title = "Notebook failed"


@dataclass
class Cells:
    """A notebook that is being executed.

    Attributes
    ----------
    notebook
        nbformat JSON; outputs are added to it.
    injected
        Position of the cell that sets the parameters, which the author does not know.
    progress
        What the heartbeat reports.
    outputs
        Where outputs go, up to which limits.
    find_reason
        Says why the notebook has to stop, None while it may go on.
    """

    notebook: dict[str, Any]
    injected: int
    progress: Progress
    outputs: CellOutputs
    find_reason: Callable[[], str | None]

    def execute(self, kernel: Kernel) -> str | None:
        """Execute all cells; return a remark when the notebook ended itself early.

        The kernel is asked to end; see `Kernel.wait_for_end`.

        Raises
        ------
        NotebookFailedError
            If a cell raised, the kernel died, or a reason to stop came up.
        """
        node = nbformat.from_dict(self.notebook)  # type: ignore[no-untyped-call]
        self.notebook = node
        client = _Client(node, kernel, outputs=self.outputs)
        position = 0
        try:
            kernel.begin(os.environ, Path.cwd())
            try:
                for position, cell in enumerate(node.cells):
                    self._begin(cell)
                    try:
                        client.execute_cell(cell, position, execution_count=position + 1)
                    finally:
                        merge_streams(cell)
                    self.progress.done = position + 1
                    if client.asked_to_exit:
                        return self._say_early(position)
            except CellExecutionError as error:
                if error.ename == "SystemExit" and error.evalue in _HARMLESS_EXIT:
                    self.progress.done = position + 1
                    return self._say_early(position)
                raise self._refuse_error(position, error) from None
            except DeadKernelError:
                raise self._refuse_death(position, kernel.find_exit_code()) from None
            finally:
                client.set_widgets_metadata()
                kernel.ask_to_end()
        except RuntimeError as error:  # the kernel died before the first cell
            raise self._refuse_death(position, None, str(error)) from None
        return None

    def name(self, position: int) -> str:
        """Return a cell's name as the author counts: from 1, without the injected cell."""
        if position == self.injected:
            return "The cell that sets the parameters"
        return f"Cell {position + 1 - (position > self.injected)}"

    def _begin(self, cell: Any) -> None:
        reason = self.find_reason()
        if reason is not None:
            raise NotebookFailedError(reason, remedy="Start the run again.")
        self.progress.total = len(self.notebook["cells"])
        self.progress.cell = _first_line(cell)
        self.outputs.begin_cell()

    def _say_early(self, position: int) -> str | None:
        author = len(self.notebook["cells"]) - 1
        number = position + 1 - (position > self.injected)
        return f"Stopped early: cell {number} of {author} ended the notebook (sys.exit)."

    def _refuse_error(self, position: int, error: CellExecutionError) -> NotebookFailedError:
        return NotebookFailedError(
            f"{self.name(position)} raised {error.ename}: {error.evalue[: _FIRST_LINE * 5]}",
            remedy="The traceback stands in the log ('skerry logs RUN') and in the page.",
        )

    def _refuse_death(
        self, position: int, exit_code: int | None, detail: str = ""
    ) -> NotebookFailedError:
        reason = self.find_reason()
        if reason is not None:
            return NotebookFailedError(reason, remedy="Start the run again.")
        cell = self.name(position)
        if exit_code is not None and exit_code >= 0:
            what = f"{cell} ended its Python process with exit code {exit_code}."
            remedy = "Look for os._exit or a library that ends the process."
        else:
            how = f" (signal {-exit_code})" if exit_code else ""
            what = f"The Python process of the notebook was ended from outside in {cell}{how}."
            remedy = "Most often memory ran out: use a cluster or a smaller area."
        return NotebookFailedError(f"{what} {detail}".strip(), remedy=remedy)


class _Client(NotebookClient):
    """nbclient whose outputs pass through `CellOutputs`."""

    def __init__(self, notebook: Any, kernel: Kernel, *, outputs: CellOutputs) -> None:
        super().__init__(
            notebook,
            kernel.manager,
            iopub_timeout=_DRAIN_S,
            raise_on_iopub_timeout=False,
            on_cell_executed=self._note_exit,
        )
        self.kc = kernel.client
        self.asked_to_exit = False
        self._outputs = outputs

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Process a kernel's message, or the part of it that the limits allow."""
        result = None
        for part in self._outputs.admit(msg):
            result = super().process_message(part, cell, cell_index)
        return result

    def _note_exit(self, *, execute_reply: dict[str, Any], **_cell: Any) -> None:
        payload = execute_reply["content"].get("payload", [])
        self.asked_to_exit = any(entry.get("source") == "ask_exit" for entry in payload)


def _first_line(cell: Any) -> str:
    lines = [line.strip() for line in str(cell.get("source", "")).splitlines() if line.strip()]
    return lines[0][:_FIRST_LINE] if lines else ""
