"""How a process that waited becomes an attempt's: it takes over environment and working folder."""

import os
import tempfile
from collections.abc import Mapping


def become(variables: Mapping[str, str], folder: str) -> None:
    """Set environment variables and working folder of this process."""
    os.environ.update(variables)
    os.chdir(folder)
    tempfile.tempdir = None  # it may have been looked up before
