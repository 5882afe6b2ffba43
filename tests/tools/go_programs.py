"""Programs in Go that tests run: built from pinned sums, once for each version, on demand.

They go into a cache outside of the repository. Each is run as a program of its own, and nothing
of it goes into Skerry.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_PLACES = "/usr/local/go/bin:/usr/lib/go/bin"


@dataclass(frozen=True)
class GoProgram:
    """A program, and the module that pins it.

    Attributes
    ----------
    name
        The name of its file.
    package
        The package that Go builds it from.
    module
        The folder of ``go.mod`` and ``go.sum``.
    title
        What its folder in the cache is called, together with a digest of all that pins it.
    stamps
        Variables of its packages that the linker sets, and their values.
    settings
        Environment variables for Go.
    """

    name: str
    package: str
    module: Path
    title: str
    stamps: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    def locate(self) -> Path:
        """Return the path of the built program, which need not exist."""
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        pins = b"".join((self.module / name).read_bytes() for name in ("go.mod", "go.sum"))
        pins += "".join(f"{name}={self.stamps[name]}\n" for name in sorted(self.stamps)).encode()
        digest = hashlib.sha256(pins).hexdigest()[:16]
        return cache / "skerry-tests" / f"{self.title}-{digest}" / self.name

    def build(self) -> Path | None:
        """Build it where it is not there yet; return its path, or None without Go.

        Raises
        ------
        subprocess.CalledProcessError
            If Go cannot build it.
        """
        program = self.locate()
        if program.exists():
            return program
        go = find_go()
        if go is None:
            return None
        print(
            f"Building {self.name} for the tests, once: some minutes", file=sys.stderr, flush=True
        )
        program.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=program.parent) as folder:
            made = Path(folder, self.name)
            flags = " ".join(["-s -w", *(f"-X {name}={self.stamps[name]}" for name in self.stamps)])
            command = [go, "build", "-trimpath", f"-ldflags={flags}", "-o", str(made), self.package]
            environment = {**os.environ, **self.settings}
            subprocess.run(command, cwd=self.module, env=environment, check=True)
            made.replace(program)  # whole or not at all, even where two build it at once
        return program


def find_go() -> str | None:
    """Return the path of Go's own program, if there is one."""
    return shutil.which("go") or shutil.which("go", path=_PLACES)
