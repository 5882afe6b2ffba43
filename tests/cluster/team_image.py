"""An image with a team's own package, made of a repository as the page about images says."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from images.building.subsets import WHOLE, read_lock
from tests.cluster.containers import Containerd
from tests.cluster.network import run
from tests.cluster.own_images import REGISTRY, import_image
from tests.integration.production.stage import make_notebook

PACKAGE = "text-unidecode"
"""A small package that the platform's own image does not have."""
_NAME = "skerry-own-lakes"
_DAY = "2026-01-01T00:00:00Z"
"""Of the commit: the same commit each time, so that the builder finds its layers."""
_CELLS = (
    "from text_unidecode import unidecode", 'city: str = "Łódź"', "print(unidecode(city))"
)  # fmt: skip
SHOWN = "Lodz"


@dataclass(frozen=True)
class TeamImage:
    """The image on a node.

    Attributes
    ----------
    digest
        Its digest.
    """

    digest: str

    @property
    def name(self) -> str:
        """The name that releases and settings give it."""
        return f"{REGISTRY}/{_NAME}@{self.digest}"

    def propose(self, name: str) -> dict[str, Any]:
        """Return the proposal of a release that needs the image."""
        notebook = make_notebook(_CELLS)
        return {"name": name, "notebook": notebook, "image": self.name}

    def register(self, environment: str) -> dict[str, Any]:
        """Return the values by which an operator registers it."""
        entry = {
            "name": "lakes", "title": "Lakes", "image": self.name, "environment": environment
        }  # fmt: skip
        return {"servers": {"images": [entry]}}


def bring_team_image(containerd: Containerd, folder: Path) -> TeamImage:
    """Build the image, and bring it to a node."""
    repository = folder / "lakes"
    _make_repository(repository)
    builder = {"BUILDAH_ISOLATION": "chroot", "SKERRY_IMAGE_BUILDER": "buildah"}
    given = [f"{name}={value}" for name, value in builder.items()]
    run("env", *given, sys.executable, "-m", "images.building.own", str(repository))
    return TeamImage(import_image(containerd, folder, _NAME))


def _make_repository(folder: Path) -> None:
    run("git", "init", "--quiet", str(folder))
    (folder / "requirements.lock").write_text(read_lock(WHOLE)[PACKAGE].text)
    person = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Ann"), ("EMAIL", "ann@example.org"), ("DATE", _DAY))
    }
    run("git", "-C", str(folder), "add", ".")
    given = [f"{name}={value}" for name, value in person.items()]
    run("env", *given, "git", "-C", str(folder), "commit", "--quiet", "--message", "Lock")
