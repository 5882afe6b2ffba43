"""A release's environment: named by digest, kept as lock and wheels, built once, verified.

The environment digest covers the lock, Skerry's own package, extra wheels and the Python series.
A release uses the environment that runs Skerry while all of that is the same and the locked
packages are really installed in it; else Skerry builds one under ``environments/<digest>``.
"""

import importlib.metadata
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from skerry.core.digests import digest_file, digest_json, short_digest
from skerry.core.errors import ConflictError, SkerryError, UnavailableError
from skerry.models.releases import Environment
from skerry.production.wheels import digest_package, package_folder, write_own_wheel
from skerry.storage.layout import DataFolder
from skerry.storage.locks import hold_lock
from skerry.storage.writing import make_aside

_MARK = "environment.json"
_RUNNING_SERIES = f"{sys.version_info.major}.{sys.version_info.minor}"
_LOCK = "requirements.lock"


class EnvironmentRefusedError(SkerryError):
    """A release's environment cannot be found or built, so that its run is refused."""

    title = "Environment"


def find_lock() -> Path:
    """Return the lock: beside `platform/` in a checkout, inside the package when installed."""
    package = package_folder()
    for candidate in (package.parent.parent / _LOCK, package / _LOCK):
        if candidate.is_file():
            return candidate
    raise UnavailableError(
        "Skerry's requirements.lock is missing.", remedy="Install Skerry again from its wheel."
    )


def describe_environment(extra_wheels: Mapping[str, str] | None = None) -> Environment:
    """Return the parts of the running environment as digests, plus extra wheels.

    Parameters
    ----------
    extra_wheels
        File name to digest, of the wheels that a release adds.
    """
    return {
        "lock": digest_file(find_lock()),
        "package": digest_package(),
        "python": _RUNNING_SERIES,
        "wheels": dict(extra_wheels or {}),
    }


def digest_environment(environment: Environment) -> str:
    """Return the one digest that names an environment."""
    return digest_json(dict(environment))


def store_environment(
    data: DataFolder, environment: Environment, wheels: Mapping[str, bytes]
) -> None:
    """Keep lock, Skerry's wheel and extra wheels, so that the environment can be built again."""
    folder = find_ingredients(data, digest_environment(environment))
    if folder.is_dir():
        return
    # A conflict means that another process stored the same at the same time.
    with suppress(ConflictError), make_aside(folder, parents=True) as aside:
        aside.mkdir()
        shutil.copyfile(find_lock(), aside / _LOCK)
        write_own_wheel(aside)
        for name, content in wheels.items():
            (aside / name).write_bytes(content)


def find_python(data: DataFolder, environment: Environment, say: Callable[[str], None]) -> Path:
    """Return the interpreter of exactly this environment; build the environment if it is missing.

    Parameters
    ----------
    say
        Is told that the environment is built, which takes a minute or more, and when it is ready.

    Raises
    ------
    EnvironmentRefusedError
        If it is not the running environment and cannot be built.
    """
    if describe_environment() == dict(environment) and not find_deviations(find_lock()):
        return Path(sys.executable)
    digest = digest_environment(environment)
    home = data.environments / digest
    with hold_lock(data.environments / f"{digest}.lock"):
        if not (home / _MARK).is_file():
            say(
                f"Building the release's environment {short_digest(digest)}, once for all its runs."
            )
            _build(data, environment, home)
            say("The environment is ready.")
    return home / "bin" / "python"


def find_deviations(lock: Path) -> list[str]:
    """Return the locked packages that the running environment lacks or has in another version."""
    locked = list_locked(lock)
    installed = {
        _canonical(package.metadata["Name"]): package.version
        for package in importlib.metadata.distributions()
    }
    return [
        f"{name}=={version} (has {installed.get(name, 'none')})"
        for name, version in locked.items()
        if installed.get(name) != version
    ]


def list_locked(lock: Path) -> dict[str, str]:
    """Return name and version of each package that a lock pins here."""
    return dict(_read_lock(lock.read_text()))


def _read_lock(text: str) -> Iterable[tuple[str, str]]:
    from packaging.requirements import Requirement

    for line in text.replace("\\\n", " ").splitlines():
        statement = line.split(" --hash=")[0].strip()
        if not statement or statement.startswith(("#", "-")):
            continue
        requirement = Requirement(statement)
        if requirement.marker is None or requirement.marker.evaluate():
            version = str(requirement.specifier).removeprefix("==")
            yield _canonical(requirement.name), version


def _canonical(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)


def find_ingredients(data: DataFolder, digest: str) -> Path:
    """Return the folder that keeps an environment's lock and wheels."""
    return data.environment_objects / digest


def _build(data: DataFolder, environment: Environment, home: Path) -> None:
    source = find_ingredients(data, home.name)
    if not source.is_dir() or digest_file(source / _LOCK) != environment["lock"]:
        raise EnvironmentRefusedError(
            f"The environment {short_digest(home.name)} differs from the running one, and its "
            "lock and wheels are not kept here.",
            remedy="Propose and approve the notebook again.",
        )
    for name, digest in environment["wheels"].items():
        if digest_file(source / name) != digest:
            raise EnvironmentRefusedError(
                f"The kept wheel {name!r} is not the one that was approved.",
                remedy="Propose and approve the notebook again.",
            )
    with make_aside(home, replace=True) as aside:
        _install(environment, source, aside)


def _install(environment: Environment, source: Path, aside: Path) -> None:
    """Build the environment of the lock and wheels in `source`, and check Skerry's own part."""
    python = str(aside / "bin" / "python")
    wheels = [str(path) for path in sorted(source.glob("*.whl"))]
    _uv("venv", "--relocatable", "--python", _choose_python(environment["python"]), str(aside))
    _uv("pip", "sync", "--require-hashes", "--python", python, str(source / _LOCK))
    _uv("pip", "install", "--no-deps", "--python", python, *wheels)
    own = next(aside.glob("lib/python*/site-packages/skerry"), None)
    if own is None or digest_package(own) != environment["package"]:
        raise EnvironmentRefusedError(
            f"Skerry's wheel kept for {short_digest(aside.name)} is not the one that was approved.",
            remedy="Propose and approve the notebook again.",
        )
    (aside / _MARK).write_text(json.dumps(dict(environment)))


def _choose_python(series: str) -> str:
    """Return the Python that runs Skerry if it is of this series, else the series' number.

    uv need not find the Python that runs Skerry: it looks at PATH and the current folder.
    """
    return sys.executable if series == _RUNNING_SERIES else series


def _uv(*arguments: str) -> None:
    from uv import find_uv_bin

    process = subprocess.run(
        [find_uv_bin(), "--quiet", *arguments], capture_output=True, text=True, check=False
    )
    if process.returncode:
        lines = [line.strip() for line in process.stderr.strip().splitlines()]
        raise EnvironmentRefusedError(
            f"The release's environment cannot be built: {' '.join(lines[-3:])}",
            remedy="See that packages can be reached, or propose the notebook again.",
        )
