"""Skerry's own package as content: its digest, and a wheel that installs it elsewhere."""

import base64
import hashlib
import importlib.metadata
import os
import re
import zipfile
from collections.abc import Container, Iterator
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path

import skerry
from skerry.core.digests import digest_bytes, digest_file, digest_json
from skerry.core.errors import InvalidInputError

_NO_FILE_NAME = re.compile(r"[^A-Za-z0-9._+!-]")
_PASSED_OVER = frozenset({"__pycache__", "requirements.lock", "node_modules"})
_SHIPPED_ONLY = "notebooks"
_START_UP = frozenset({"sitecustomize", "usercustomize", "__pycache__"})
_ENTRY = b"PK\x01\x02"
_MOST_ENTRIES = 50_000
"""Files of a wheel. Each takes 46 bytes of it at least, and 700 of memory when they are listed."""
_NO_NAMES = frozenset({"", ".", ".."})
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16

type FileStamp = tuple[str, int, int]
"""Path, time of change and size of a file."""


def package_folder() -> Path:
    """Return the folder of the running `skerry` package."""
    return Path(skerry.__file__).parent


def list_package(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the package's own files as (relative name, path), sorted.

    Lock and shipped notebooks are left out: a wheel has them inside the package, a checkout
    beside it, and both must give the same digest.
    """
    names = []
    for top, folders, files in os.walk(folder):
        below = "" if Path(top) == folder else f"{Path(top).relative_to(folder).as_posix()}/"
        passed_over = _PASSED_OVER if below else {*_PASSED_OVER, _SHIPPED_ONLY}
        folders[:] = [name for name in folders if name not in passed_over]
        names += [f"{below}{name}" for name in files if name not in passed_over]
    for name in sorted(names):
        yield name, folder / name


def digest_package(folder: Path | None = None) -> str:
    """Return the digest of the package's content; it is read again when a file has changed."""
    files = list_package(folder or package_folder())
    return _digest(tuple((name, stamp_file(path)) for name, path in files))


def stamp_file(path: str | Path) -> FileStamp:
    """Return what is different after a file was written anew."""
    facts = os.stat(path)  # noqa: PTH116 - through `Path` a thousand files take twice as long
    return str(path), facts.st_ctime_ns, facts.st_size


@lru_cache(maxsize=4)
def _digest(files: tuple[tuple[str, FileStamp], ...]) -> str:
    return digest_json({name: digest_file(Path(path)) for name, (path, _, _) in files})


def write_own_wheel(target: Path) -> Path:
    """Write the running package as a wheel into the folder `target`.

    The same content gives the same bytes. This needs no build tool and no network, so the stored
    wheel is exactly the package that was running when a release was proposed.
    """
    distribution = importlib.metadata.distribution("skerry")
    info = f"skerry-{distribution.version}.dist-info"
    entries = {f"skerry/{name}": path.read_bytes() for name, path in list_package(package_folder())}
    entries[f"{info}/METADATA"] = (distribution.read_text("METADATA") or "").encode()
    entries[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: skerry\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    entries[f"{info}/entry_points.txt"] = (
        distribution.read_text("entry_points.txt") or ""
    ).encode()
    entries[f"{info}/RECORD"] = _write_record(entries, f"{info}/RECORD")
    wheel = target / f"skerry-{distribution.version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            member = zipfile.ZipInfo(name, date_time=_EPOCH)
            member.external_attr = _MODE
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, content)
    return wheel


def check_wheel(filename: str, content: bytes, locked: Container[str] = ()) -> str:
    """Check an extra wheel and return its digest.

    Parameters
    ----------
    locked
        Names of the packages that the environment has already.

    Raises
    ------
    InvalidInputError
        If the name is not a wheel's name, the content no zip archive with a ``.dist-info/WHEEL``,
        or it is a wheel of Skerry itself or of a locked package, or holds files of another, or too
        many.
    """
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        # packaging takes any text for tags, also one with path separators
        name, *_ = parse_wheel_filename("" if _NO_FILE_NAME.search(filename) else filename)
    except InvalidWheelFilename:
        raise InvalidInputError(
            f"{filename[:140]!r} is not a wheel's file name.",
            remedy="Build one with 'python -m build --wheel' and keep its name.",
        ) from None
    if name == "skerry":
        raise InvalidInputError(
            f"{filename!r} would replace the platform's own package.",
            remedy="Leave it out: a release's environment has the Skerry that it was proposed on.",
        )
    if name in locked:
        raise InvalidInputError(
            f"{filename!r} would replace {name}, which the platform's lock pins.",
            remedy="Use the locked version, or have the lock changed.",
        )
    if content.count(_ENTRY) > _MOST_ENTRIES:
        raise InvalidInputError(
            f"{filename!r} holds more than {_MOST_ENTRIES} files.",
            remedy="Keep data in files or in the catalogue.",
        )
    members = _list_members(content)
    if not any(member.endswith(".dist-info/WHEEL") for member in members):
        raise InvalidInputError(
            f"{filename!r} is not a wheel inside.", remedy="Build it again; it may be cut short."
        )
    _check_members(filename, name, members)
    return digest_bytes(content)


def _list_members(content: bytes) -> list[str]:
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            return archive.namelist()
    except zipfile.BadZipFile:
        return []


def _check_members(filename: str, name: str, members: list[str]) -> None:
    """Refuse a wheel that writes into other packages, or changes how Python starts.

    What stands in a ``.data`` folder is laid anywhere in the environment, also over others'
    modules and over Python itself.
    """
    owners = _list_owners()
    for member in members:
        parts = member.removesuffix("/").split("/")
        top = parts[0].lower()
        stem = top.partition(".")[0]
        if top.endswith(".dist-info"):
            foreign = _canonical(top.partition("-")[0]) != name
        else:
            foreign = top.endswith((".data", ".pth")) or stem in _START_UP
            foreign |= bool(owners.get(stem, frozenset()) - {name})
        if foreign or "\\" in member or not _NO_NAMES.isdisjoint(parts):
            raise InvalidInputError(
                f"{filename!r} holds {member[:140]!r}, which is not its own.",
                remedy="A wheel may add packages, not change those of the environment.",
            )


@cache
def _list_owners() -> dict[str, frozenset[str]]:
    """Return which installed packages hold each top-level module, all in lower case."""
    owners = {"skerry": frozenset({"skerry"})}
    for top, distributions in importlib.metadata.packages_distributions().items():
        module = top.lower()
        owners[module] = owners.get(module, frozenset()).union(map(_canonical, distributions))
    return owners


def _canonical(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)


def _write_record(entries: dict[str, bytes], own_name: str) -> bytes:
    lines = []
    for name, content in entries.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}")
    return "\n".join([*lines, f"{own_name},,", ""]).encode()
