"""A way to execute notebooks on the session's platform."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.notebooks.by_hand import execute_notebook
from tests.platform_process import RunningPlatform

Execute = Callable[..., Any]


@pytest.fixture
def execute(running_platform: RunningPlatform, tmp_path: Path) -> Execute:
    """Return a function that runs a notebook in a kernel of its own, by hand as it were."""
    return partial(execute_notebook, running_platform, tmp_path)
