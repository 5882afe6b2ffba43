"""The environment variables that the processes of attempts get, and no other of the worker's."""

import os
from pathlib import Path

from skerry.core.logs import FORMAT_VARIABLE
from skerry.core.settings import CERTIFICATE_VARIABLES, RunLimits
from skerry.production.processes import SCRATCH_MARK

_KEPT_VARIABLES = frozenset({
    "PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "SKERRY_PAUSE_POINTS", "SKERRY_ISOLATION",
    "SKERRY_INSTANCE", FORMAT_VARIABLE, *CERTIFICATE_VARIABLES, *RunLimits.list_variables(),
})  # fmt: skip
_KEPT_PREFIX = "DASK_GATEWAY__"


def name_common(python: Path) -> dict[str, str]:
    """Return the variables that all attempts have alike."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT_VARIABLES or name.startswith(_KEPT_PREFIX)
    }
    return {
        **inherited,
        "PATH": f"{python.parent}{os.pathsep}{inherited.get('PATH', os.defpath)}",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def name_own(folder: Path) -> dict[str, str]:
    """Return the variables that keep what a process and its kernel write in a folder."""
    return {
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_DATA_DIR": str(folder / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_PLATFORM_DIRS": "1",
        SCRATCH_MARK: str(folder),
    }
