"""The environment variables that the processes of attempts get, and no other of the worker's."""

import os
from pathlib import Path, PurePath

from skerry.core.logs import FORMAT_VARIABLE
from skerry.core.settings import CERTIFICATE_VARIABLES
from skerry.core.worker_settings import RunLimits
from skerry.production.processes import SCRATCH_MARK

_OF_PLATFORM = frozenset({
    "TZ", "SKERRY_PAUSE_POINTS", "SKERRY_INSTANCE", FORMAT_VARIABLE, *CERTIFICATE_VARIABLES,
    *RunLimits.list_variables(),
})  # fmt: skip
_OF_MACHINE = frozenset({"PATH", "HOME", "LANG", "LC_ALL", "USER", "SKERRY_ISOLATION"})
_KEPT_PREFIX = "DASK_GATEWAY__"


def list_inherited() -> dict[str, str]:
    """Return the worker's variables that hold for attempts on any machine."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _OF_PLATFORM or name.startswith(_KEPT_PREFIX)
    }


def name_common(python: Path) -> dict[str, str]:
    """Return the variables that all attempts have alike."""
    machine = {name: value for name, value in os.environ.items() if name in _OF_MACHINE}
    inherited = machine | list_inherited()
    return {
        **inherited,
        "PATH": f"{python.parent}{os.pathsep}{inherited.get('PATH', os.defpath)}",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def name_own(folder: PurePath) -> dict[str, str]:
    """Return the variables that keep what a process and its kernel write in a folder."""
    return {
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_DATA_DIR": str(folder / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_PLATFORM_DIRS": "1",
        SCRATCH_MARK: str(folder),
    }
