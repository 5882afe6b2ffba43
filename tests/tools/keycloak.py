"""Fetches Keycloak, the provider that tests sign on with: `python -m tests.tools.keycloak`.

Maven brings it, from wherever Maven's own settings say; it must have the digest that is written
here. It goes into the cache of tests, outside of the repository, and needs Java 17 or newer.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

VERSION = "26.4.0"
DIGEST = "1b6a11a2726ac8a8dc9c91d5fafe989a75ce4f1622d7f7b45c21d5bc16629c0a"
_ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"


def locate() -> Path:
    """Return the path of the program that starts it, which need not exist."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "skerry-tests" / f"keycloak-{VERSION}-{DIGEST[:16]}" / "bin" / "kc.sh"


def is_there() -> bool:
    """Return whether it has been fetched, and can be started."""
    return locate().exists() and shutil.which("java") is not None


def fetch() -> Path | None:
    """Fetch it where it is not there yet; return its program, or None without Java or Maven.

    Raises
    ------
    subprocess.CalledProcessError
        If Maven cannot bring it, or it cannot be prepared.
    ValueError
        If what Maven brings is not the file that is meant.
    """
    program = locate()
    if program.exists():
        return program
    if shutil.which("mvn") is None or shutil.which("java") is None:
        return None
    print("Fetching Keycloak for the tests, once: a minute", file=sys.stderr, flush=True)
    home = program.parents[1]
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:
        subprocess.run(
            ["mvn", "-q", "-B", _COPY, f"-Dartifact={_ARTIFACT}", f"-DoutputDirectory={folder}"],
            check=True, cwd=folder,
        )  # fmt: skip
        [archive] = Path(folder).glob("*.zip")
        _check(archive)
        with zipfile.ZipFile(archive) as content:
            content.extractall(folder)
        made = Path(folder, f"keycloak-{VERSION}")
        starter = made / "bin" / "kc.sh"
        starter.chmod(0o755)
        # once and for all, or each start would do it
        subprocess.run([starter, "build", "--db=dev-mem"], check=True, stdout=subprocess.DEVNULL)
        made.rename(home)
    return program


def _check(archive: Path) -> None:
    with archive.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != DIGEST:
        raise ValueError(f"{archive.name} has the SHA-256 {found}, and {DIGEST} is meant")


if __name__ == "__main__":
    try:
        fetch()
    except subprocess.CalledProcessError as error:
        print(f"Keycloak was not fetched: Maven ended with {error.returncode}.", file=sys.stderr)
