"""What an image says about itself: version, commit, time."""

import subprocess
import tomllib
from datetime import UTC, datetime

from images.building.subsets import ROOT

LABEL = "org.opencontainers.image"
"""Beginning of the names of labels that the Open Container Initiative defines."""


def read_version() -> str:
    """Return Skerry's version."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def name_tag(registry: str, name: str) -> str:
    """Return an image's full name."""
    return f"{registry}/skerry-{name}:{read_version()}"


def name_labels(base: str) -> dict[str, str]:
    """Return the labels of the present commit: the same commit gives the same."""
    revision, seconds = _ask_git("log", "-1", "--format=%H %ct").split() or ("unknown", "0")
    if _ask_git("status", "--porcelain", "--untracked-files=no"):
        revision += "-changed"
    return {
        f"{LABEL}.base.name": base,
        f"{LABEL}.version": read_version(),
        f"{LABEL}.revision": revision,
        f"{LABEL}.created": datetime.fromtimestamp(int(seconds), UTC).strftime(
            "%Y-%m-%dT%H:%M:%SZ"
        ),
    }


def _ask_git(*arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(ROOT), *arguments], text=True, stdout=subprocess.PIPE, check=True
    ).stdout.strip()
