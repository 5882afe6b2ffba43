"""A release's environment: named by digest, kept as lock and wheels, built once, verified.

The environment digest covers the lock, Skerry's own package, extra wheels and the Python series.
A release uses the environment that runs Skerry while all of that is the same and the locked
packages are really installed in it; else Skerry builds one under ``environments/<digest>``.
"""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

from skerry.core.digests import digest_file, digest_json, short_digest
from skerry.core.errors import SkerryError, UnavailableError
from skerry.core.settings import platform_secrets
from skerry.models.releases import Environment
from skerry.production.processes import end_tree
from skerry.production.wheels import (
    FileStamp,
    digest_package,
    package_folder,
    stamp_file,
    write_own_wheel,
)
from skerry.storage.layout import DataFolder
from skerry.storage.locks import hold_lock
from skerry.storage.object_places import open_objects
from skerry.storage.objects import Objects
from skerry.storage.writing import make_aside

_MARK = "environment.json"
_OWN_SECRETS = ("JUPYTERHUB_", "SKERRY_TOKEN", "SKERRY_METRICS_TOKEN")
_CHECK_S = 0.2
STATED_VARIABLE = "SKERRY_ENVIRONMENT"
"""Environment variable with the environment that an attempt must have, as JSON."""
_RUNNING_SERIES = f"{sys.version_info.major}.{sys.version_info.minor}"
_LOCK = "requirements.lock"

type Stamp = tuple[FileStamp, ...]
"""Of the lock, and of what each installed package says about itself."""


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


def find_installed_lock() -> Path:
    """Return the lock of what is installed here: an image has a part of the whole lock."""
    part = Path(sys.prefix) / "share" / "skerry" / _LOCK
    return part if part.is_file() else find_lock()


def describe_environment(
    extra_wheels: Mapping[str, str] | None = None, image: str | None = None
) -> Environment:
    """Return the parts of the running environment as digests, plus extra wheels.

    Parameters
    ----------
    extra_wheels
        File name to digest, of the wheels that a release adds.
    image
        A team's own image, in which a release's runs take place.
    """
    environment: Environment = {
        "lock": digest_file(find_lock()),
        "package": digest_package(),
        "python": _RUNNING_SERIES,
        "wheels": dict(extra_wheels or {}),
    }
    if image is not None:
        environment["image"] = image
    return environment


def digest_environment(environment: Environment) -> str:
    """Return the one digest that names an environment."""
    return digest_json(dict(environment))


def refuse_other_environment() -> None:
    """Refuse to work where this process has not the environment that `SKERRY_ENVIRONMENT` states.

    Nobody but the process itself can tell what an image holds.

    Raises
    ------
    EnvironmentRefusedError
        If lock, package or Python differ, or a wheel of the release is not installed.
    """
    stated = os.environ.get(STATED_VARIABLE)
    if not stated:
        return
    wanted = json.loads(stated)
    own = describe_environment({
        name: digest for name, digest in wanted["wheels"].items() if _is_installed(name)
    })  # fmt: skip
    if different := [name for name, value in own.items() if wanted.get(name) != value]:
        raise EnvironmentRefusedError(
            "The image in which this attempt runs has not the environment of the release: another "
            f"{' and another '.join(different)}.",
            remedy="Correct SKERRY_JOBS_IMAGE or SKERRY_JOBS_IMAGES of the worker.",
        )


def _is_installed(wheel: str) -> bool:
    """Return whether the package of a wheel is installed here in its version."""
    from packaging.utils import parse_wheel_filename

    name, version, _, _ = parse_wheel_filename(wheel)
    try:
        return importlib.metadata.version(name) == str(version)
    except importlib.metadata.PackageNotFoundError:
        return False


def store_environment(
    objects: Objects, environment: Environment, wheels: Mapping[str, bytes]
) -> None:
    """Keep lock, Skerry's wheel and extra wheels, so that the environment can be built again.

    The lock comes last: where it is, all is there. Two that store the same write the same bytes.
    """
    prefix = name_ingredients(digest_environment(environment))
    if objects.exists(prefix + _LOCK):
        return
    with TemporaryDirectory() as folder:
        own = write_own_wheel(Path(folder))
        objects.write(prefix + own.name, own.read_bytes())
    for name, content in wheels.items():
        objects.write(prefix + name, content)
    objects.write(prefix + _LOCK, find_lock().read_bytes())


def find_python(
    data: DataFolder,
    environment: Environment,
    say: Callable[[str], None],
    check: Callable[[], None] = lambda: None,
) -> Path:
    """Return the interpreter of exactly this environment; build the environment if it is missing.

    Parameters
    ----------
    say
        Is told that the environment is built, which takes a minute or more, and when it is ready.
    check
        Is called several times a second while this builds, or waits for another build. What it
        raises ends the build and is raised here.

    Raises
    ------
    EnvironmentRefusedError
        If it is not the running environment and cannot be built.
    """
    if (image := environment.get("image")) is not None:
        raise EnvironmentRefusedError(
            f"The release runs in the image {image}, and runs of this platform are processes of "
            "one machine.",
            remedy="Run it on a platform on Kubernetes, or propose the notebook without an image.",
        )
    if describe_environment() == dict(environment) and not find_deviations(find_lock()):
        return Path(sys.executable)
    digest = digest_environment(environment)
    home = data.environments / digest
    with _hold_patiently(data.environments / f"{digest}.lock", check):
        if not (home / _MARK).is_file():
            say(
                f"Building the release's environment {short_digest(digest)}, once for all its runs."
            )
            _build(data, environment, home, check)
            say("The environment is ready.")
    return home / "bin" / "python"


def remove_environment(data: DataFolder, digest: str, is_needed: Callable[[], bool]) -> bool:
    """Remove a built environment, unless it is built, or needed, at this moment.

    It is moved away first: a removal that is killed leaves nothing that looks like an environment.

    Parameters
    ----------
    is_needed
        Is asked while no run can take the environment up.
    """
    home = data.environments / digest
    try:
        with hold_lock(data.environments / f"{digest}.lock", _refuse_turn):
            if is_needed():
                return False
            away = data.environments / f".{digest}.{os.getpid()}.{time.time_ns()}.partial"
            with suppress(FileNotFoundError):  # somebody else has removed it
                home.rename(away)
    except _TurnError:
        return False
    shutil.rmtree(away, ignore_errors=True)
    return True


@contextmanager
def _hold_patiently(lock: Path, check: Callable[[], None]) -> Iterator[None]:
    """Hold a lock; while another build holds it, call `check` between the tries."""
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(hold_lock(lock, _refuse_turn))
                break
            except _TurnError:
                check()
                time.sleep(_CHECK_S)
        yield


class _TurnError(UnavailableError):
    """Another build holds the lock."""


def _refuse_turn(holder: str) -> _TurnError:
    return _TurnError(f"The process {holder} builds this environment.", remedy="Wait for it.")


def find_deviations(lock: Path) -> list[str]:
    """Return the locked packages that the running environment lacks or has in another version."""
    return list(_compare(lock, stamp_packages(lock)))


def stamp_packages(lock: Path) -> Stamp:
    """Return what is different after any package of the running environment was installed anew.

    Reading a few hundred packages takes half a second, so what follows from them is remembered;
    when each was written last takes some milliseconds.
    """
    stamps = [stamp_file(lock)]
    for folder in filter(os.path.isdir, sys.path):
        with os.scandir(folder) as entries:
            notes = [entry.path for entry in entries if entry.name.endswith(".dist-info")]
        for note in notes:
            with suppress(FileNotFoundError, NotADirectoryError):
                stamps.append(stamp_file(f"{note}/METADATA"))
    return tuple(sorted(stamps))


@lru_cache(maxsize=8)
def _compare(lock: Path, _packages: Stamp) -> tuple[str, ...]:
    locked = list_locked(lock)
    installed = {
        _canonical(package.metadata["Name"]): package.version
        for package in importlib.metadata.distributions()
    }
    return tuple(
        f"{name}=={version} (has {installed.get(name, 'none')})"
        for name, version in locked.items()
        if installed.get(name) != version
    )


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


def name_ingredients(digest: str) -> str:
    """Return the prefix below which an environment's lock and wheels are kept."""
    return f"environments/{digest}/"


def _build(
    data: DataFolder, environment: Environment, home: Path, check: Callable[[], None]
) -> None:
    with open_objects(data).copied(name_ingredients(home.name)) as source:
        _check_ingredients(environment, home.name, source)
        with make_aside(home, replace=True) as aside:
            _install(environment, source, aside, partial(_run_uv, check))


def _check_ingredients(environment: Environment, digest: str, source: Path) -> None:
    """Refuse lock and wheels in `source` that are not the approved ones."""
    lock = source / _LOCK
    if not lock.is_file() or digest_file(lock) != environment["lock"]:
        raise EnvironmentRefusedError(
            f"The environment {short_digest(digest)} differs from the running one, and its "
            "lock and wheels are not kept here.",
            remedy="Propose and approve the notebook again.",
        )
    for name, wheel_digest in environment["wheels"].items():
        if digest_file(source / name) != wheel_digest:
            raise EnvironmentRefusedError(
                f"The kept wheel {name!r} is not the one that was approved.",
                remedy="Propose and approve the notebook again.",
            )


def _install(environment: Environment, source: Path, aside: Path, uv: Callable[..., None]) -> None:
    """Build the environment of the lock and wheels in `source`, and check Skerry's own part."""
    python = str(aside / "bin" / "python")
    wheels = [str(path) for path in sorted(source.glob("*.whl"))]
    uv("venv", "--relocatable", "--python", _choose_python(environment["python"]), str(aside))
    uv("pip", "sync", "--require-hashes", "--python", python, str(source / _LOCK))
    uv("pip", "install", "--no-deps", "--python", python, *wheels)
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


def _inherit() -> dict[str, str]:
    """Return this program's variables without its secrets: packages that uv builds run code."""
    secrets = platform_secrets()
    return {
        name: value
        for name, value in os.environ.items()
        if name not in secrets and not name.startswith(_OWN_SECRETS)
    }


def _run_uv(check: Callable[[], None], *arguments: str) -> None:
    """Run uv; end it with all that it started if `check` raises."""
    from uv import find_uv_bin

    process = subprocess.Popen(
        [find_uv_bin(), "--quiet", *arguments],
        env=_inherit(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        errors = _wait(process, check)
    except BaseException:
        end_tree(process.pid)
        process.communicate()
        raise
    if process.returncode:
        lines = [line.strip() for line in errors.strip().splitlines()]
        raise EnvironmentRefusedError(
            f"The release's environment cannot be built: {' '.join(lines[-3:])}",
            remedy="See that packages can be reached, or propose the notebook again.",
        )


def _wait(process: subprocess.Popen[str], check: Callable[[], None]) -> str:
    """Return what a process wrote to standard error, when it has ended."""
    while True:
        try:
            return process.communicate(timeout=_CHECK_S)[1]
        except subprocess.TimeoutExpired:
            check()
