"""Builds MinIO, the object store that tests run against: `python -m tests.tools.minio`.

It is under the AGPL: it is run as a program of its own, and nothing of it goes into Skerry.
"""

import subprocess
import sys
from pathlib import Path

from tests.tools.go_programs import GoProgram

MINIO = GoProgram("minio", "github.com/minio/minio", Path(__file__).parent, "minio")


def locate_program() -> Path:
    """Return the path of the built program, which need not exist."""
    return MINIO.locate()


if __name__ == "__main__":
    try:
        MINIO.build()
    except subprocess.CalledProcessError as error:
        print(f"MinIO was not built: Go ended with {error.returncode}.", file=sys.stderr)
