"""Builds MinIO, the object store that tests run against: `python -m tests.tools.minio`.

Go makes it from the module beside this file, whose sums are pinned, once for each version, into a
cache outside of the repository. It is under the AGPL: it is run as a program of its own, and
nothing of it goes into Skerry.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = "github.com/minio/minio"
_MODULE = Path(__file__).parent
_PLACES = "/usr/local/go/bin:/usr/lib/go/bin"


def locate_program() -> Path:
    """Return the path of the built program, which need not exist."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    pins = b"".join((_MODULE / name).read_bytes() for name in ("go.mod", "go.sum"))
    return cache / "skerry-tests" / f"minio-{hashlib.sha256(pins).hexdigest()[:16]}" / "minio"


def build() -> Path | None:
    """Build the program where it is not there yet; return its path, or None without Go.

    Raises
    ------
    subprocess.CalledProcessError
        If Go cannot build it.
    """
    program = locate_program()
    if program.exists():
        return program
    go = shutil.which("go") or shutil.which("go", path=_PLACES)
    if go is None:
        return None
    print("Building MinIO for the tests, once: some minutes", file=sys.stderr, flush=True)
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:
        made = Path(folder, "minio")
        command = [go, "build", "-trimpath", "-ldflags=-s -w", "-o", str(made), PACKAGE]
        subprocess.run(command, cwd=_MODULE, check=True)
        made.replace(program)  # whole or not at all, even where two build it at once
    return program


if __name__ == "__main__":
    try:
        build()
    except subprocess.CalledProcessError as error:
        print(f"MinIO was not built: Go ended with {error.returncode}.", file=sys.stderr)
