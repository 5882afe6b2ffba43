"""A process of the reference environment that answers questions to CPM and satpy."""

import json
import subprocess
from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np
import numpy.typing as npt

SCRIPT = Path(__file__).parents[1] / "reference/answer.py"
PATIENCE_SECONDS = 280
"""For one answer; a test may take 300."""
Arrays = dict[str, npt.NDArray[Any]]


class ReferenceProcess:
    """Runs `tests/reference/answer.py`; each kind of question is a function beside it."""

    def __init__(self, python: Path, folder: Path) -> None:
        self._folder = folder
        self._errors = folder / "stderr.txt"
        self._asked = 0
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [python, SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                text=True, cwd=folder,
            )  # fmt: skip

    def ask(self, module: str, function: str, **arguments: object) -> Any:
        """Return a JSON value, or arrays by name."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._asked += 1
        arrays = self._folder / f"{self._asked}.npz"
        question = {
            "module": module, "function": function, "arrays": str(arrays),
            "arguments": {
                key: str(value) if isinstance(value, Path) else value
                for key, value in arguments.items()
            },
        }  # fmt: skip
        watch = Timer(PATIENCE_SECONDS, self._process.kill)
        watch.start()
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        finally:
            watch.cancel()
        assert line, f"{module}.{function} ended: {self._errors.read_text()[-3000:]}"
        reply = json.loads(line)
        assert "error" not in reply, reply["error"]
        if reply["value"] is not None:
            return reply["value"]
        with np.load(arrays, allow_pickle=True) as found:
            return {name: found[name] for name in found.files}

    def read_with_cpm(self, product: Path) -> Arrays:
        """Return CPM's values of all variables (``path``) and coordinates (``path@name``)."""
        return self.ask(
            "cpm", "read_zarr" if product.suffix == ".zarr" else "read_safe", path=product
        )

    def validate(self, place: Path, mode: str) -> dict[str, Any]:
        """Return what CPM's validator takes a Zarr for, its variables, and its anomalies."""
        return self.ask("cpm", "validate", path=place, mode=mode)

    def stop(self) -> None:
        self._process.communicate()
