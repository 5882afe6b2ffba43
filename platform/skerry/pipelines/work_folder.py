"""A payload's work folder: its lock, its markers of what is done, its intermediate products.

::

    lock                 held while a run is going on
    markers/<task>.json  what was written, from what: there when a task is finished
    products/<step>.zarr breakpoints
    logs/<run>.log       one log a run
"""

import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skerry.core.errors import ConflictError, InvalidInputError
from skerry.pipelines.logs import record_failure, send_log
from skerry.storage.locks import hold_lock
from skerry.storage.writing import write_aside


@dataclass(frozen=True)
class WorkFolder:
    """The folder of one payload's runs.

    Attributes
    ----------
    root
        The folder itself.
    """

    root: Path

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the folder's lock while the block runs; the kernel lets go of it after a kill.

        Raises
        ------
        ConflictError
            If another run holds it; names its process.
        InvalidInputError
            If the folder cannot be made.
        """
        try:
            for name in ("markers", "products", "logs"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
            stack = ExitStack()
            stack.enter_context(hold_lock(self.root / "lock", self._describe_holder))
        except OSError as error:
            raise InvalidInputError(
                f"The work folder {self.root} cannot be made: {error.strerror}.",
                remedy="Name another with the payload's key 'work'.",
            ) from None
        with stack:
            yield

    def _describe_holder(self, pid: str) -> ConflictError:
        return ConflictError(
            f"A run of this payload is going on in {self.root}: process {pid}.",
            remedy="Wait for its end, or give the payload another 'work' folder.",
        )

    def product(self, step: str) -> Path:
        """Return the path of a breakpoint's product."""
        return self.root / "products" / f"{step}.zarr"

    @contextmanager
    def keep_log(self, run_id: str) -> Iterator[None]:
        """Write what the block logs into ``logs/<run>.log``, and why it failed."""
        handler = logging.FileHandler(self.root / "logs" / f"{run_id}.log", encoding="utf-8")
        try:
            with send_log(handler, run_id):
                yield
        except BaseException as error:
            record_failure(handler, error)
            raise
        finally:
            handler.close()

    def read_marker(self, task: str) -> dict[str, Any] | None:
        """Return a task's marker, or None if it cannot be read."""
        try:
            marker = json.loads(self._marker(task).read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return marker if isinstance(marker, dict) else None

    def write_marker(self, task: str, marker: dict[str, Any]) -> None:
        """Write a task's marker completely or not at all."""
        write_aside(self._marker(task), json.dumps(marker, indent=2))

    def remove_marker(self, task: str) -> None:
        """Remove a task's marker: this payload did not write the file at its place."""
        self._marker(task).unlink(missing_ok=True)

    def _marker(self, task: str) -> Path:
        return self.root / "markers" / f"{task}.json"
