"""A team's own environment: a git repository with a lock becomes an image for profiles.

``make image-of REPOSITORY=https://git.example/lakes.git REGISTRY=registry.example/eo``
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from images.building.builders import Builder, NoBuilderError, find_builder
from images.building.facts import LABEL, name_tag
from images.building.following import BUILD, FailedError, follow
from images.building.reach import collect_settings
from images.building.subsets import ROOT, list_entries
from packaging.requirements import InvalidRequirement

_PLATFORM = ROOT / "images" / "analysis" / "requirements.lock"
_SHARED = ("shared/settings.sh", "shared/tools.sh", "tools.lock", "own/own.sh", "own/Dockerfile")
_NO_NAME = re.compile(r"[^a-z0-9]+")


class RefusedError(Exception):
    """The repository cannot become an image; the message says why and what to do."""


def main() -> int:
    """Build, push if asked to, and print the name to use; return the exit code."""
    parser = argparse.ArgumentParser(prog="make image-of", description=__doc__)
    parser.add_argument("repository", help="address or folder of a git repository")
    parser.add_argument("--commit", default="HEAD", help="branch, tag or commit")
    parser.add_argument("--registry", default="localhost", help="first part of the images' names")
    parser.add_argument("--push", action="store_true", help="push it there, and print its digest")
    chosen = parser.parse_args()
    try:
        builder = find_builder()
        print(_make(builder, chosen))
    except NoBuilderError as error:
        print(error, file=sys.stderr)
        return 2
    except (RefusedError, FailedError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _make(builder: Builder, chosen: argparse.Namespace) -> str:
    with tempfile.TemporaryDirectory(prefix="skerry-own.") as folder:
        context = Path(folder) / "context"
        context.mkdir()
        commit, lock = fetch_lock(chosen.repository, chosen.commit, Path(folder) / "source")
        (context / "own.lock").write_text(choose_own(lock, _PLATFORM.read_text()))
        for name in _SHARED:
            shutil.copy(ROOT / "images" / name, context)
        name = _NO_NAME.sub("-", Path(urlsplit(chosen.repository).path).stem.lower()).strip("-")
        tag = f"{chosen.registry}/skerry-own-{name or 'repository'}:{commit[:12]}"
        arguments = {"ANALYSIS": name_tag(chosen.registry, "analysis")}
        labels = {
            f"{LABEL}.source": leave_out_password(chosen.repository),
            f"{LABEL}.revision": commit,
            "skerry.lock": hashlib.sha256(lock.encode()).hexdigest(),
        }
        with collect_settings() as secrets:
            dockerfile = context / "Dockerfile"
            command = builder.name_build(tag, dockerfile, arguments, labels, secrets)
            follow(f"{tag}: built by {builder.name}", command, BUILD / "own.log", folder=context)
    with builder.open_container(tag) as opened:
        command = builder.name_run(opened, {}, ["python", "-c", "import skerry, dask.distributed"])
        follow(f"{tag}: skerry is imported", command, BUILD / "own.tests.log", shown=True)
    return builder.push(tag) if chosen.push else tag


def fetch_lock(repository: str, commit: str, folder: Path) -> tuple[str, str]:
    """Return a repository's commit and the text of its ``requirements.lock``.

    Raises
    ------
    RefusedError
        If there is no such repository, commit or file.
    """
    if repository.startswith("-") or commit.startswith("-"):
        raise RefusedError(f"{repository!r} at {commit!r} is no repository.")
    cloned = _git("clone", "--quiet", "--no-checkout", "--", repository, str(folder))
    if cloned.returncode:
        raise RefusedError(
            f"{leave_out_password(repository)} cannot be cloned: {cloned.stderr.strip()[-300:]}"
        )
    named = _git("-C", str(folder), "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
    if named.returncode:
        raise RefusedError(f"The repository has no commit {commit!r}.")
    found = named.stdout.strip()
    shown = _git("-C", str(folder), "show", f"{found}:requirements.lock")
    if shown.returncode:
        raise RefusedError(
            "The repository has no requirements.lock. Make it with 'uv pip compile"
            " --python-version 3.13 --generate-hashes -c LOCK_OF_SKERRY -o requirements.lock', or"
            " 'uv export --no-emit-project -o requirements.lock', and commit it."
        )
    return found, shown.stdout


def choose_own(lock: str, platform: str) -> str:
    """Return the entries of a lock that the platform's lock has not.

    Raises
    ------
    RefusedError
        If an entry has no hash, or pins another version than the platform.
    """
    try:
        known = {entry.name: entry for entry in list_entries(platform)}
        own = [entry for entry in list_entries(lock) if entry.applies]
    except InvalidRequirement as error:
        raise RefusedError(f"A line of the repository's requirements.lock: {error}") from None
    bare = [entry.name for entry in own if "--hash=sha256:" not in entry.hashes]
    if bare:
        raise RefusedError(
            f"Without hashes in requirements.lock: {', '.join(bare[:5])}. Use --generate-hashes."
        )
    other = [
        f"{entry.name} {entry.version} (the platform has {known[entry.name].version})"
        for entry in own
        if entry.name in known and known[entry.name].version != entry.version
    ]
    if other:
        raise RefusedError(
            f"Other versions than the platform's: {', '.join(other[:5])}"
            f"{' ...' if other[5:] else ''}. Compile the lock with"
            " images/analysis/requirements.lock as constraint (uv pip compile -c)."
        )
    return "".join(entry.text for entry in own if entry.name not in known)


def leave_out_password(repository: str) -> str:
    """Return an address without user and password, for labels and messages."""
    parts = urlsplit(repository)
    if not parts.netloc:
        return repository
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], text=True, capture_output=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
