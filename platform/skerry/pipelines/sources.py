"""Sources of imports: finds or downloads them, and digests their content."""

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from blake3 import blake3

from skerry.core.digests import digest_bytes, digest_file, digest_json
from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.core.progress import Progress
from skerry.pipelines.downloads import download

_BLOCK = 1 << 20
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError,
)  # fmt: skip
_MULTIHASH_PREFIX = digest_bytes(b"")[:4]


@contextmanager
def locate_source(source: str | Path, *, progress: Progress | None = None) -> Iterator[Path]:
    """Give the local path of a source while the block runs; then delete a downloaded file.

    Parameters
    ----------
    source
        A path, or an http(s) URL of a zip archive.

    Raises
    ------
    NotFoundError
        If the path does not exist.
    InvalidInputError
        If the URL is not one that may be fetched.
    """
    if isinstance(source, str) and "://" in source:
        folder = Path(tempfile.mkdtemp(prefix="skerry-import-"))
        try:
            fetched = download(source, folder, progress=progress)
            if not zipfile.is_zipfile(fetched):
                raise InvalidInputError(
                    f"{urlsplit(source).netloc} sends no zip archive for {fetched.name}.",
                    remedy="Give the address of a zipped product.",
                )
            yield fetched
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    path = Path(source).expanduser()
    if not path.exists():
        raise NotFoundError(
            f"{str(source)!r} does not exist.", remedy="Give the path of a product folder or zip."
        )
    yield path


def digest_source(path: Path) -> str:
    """Return the digest of a product's relative file names and contents.

    A folder and a zip of that folder have the same digest; times and compression do not count.

    Raises
    ------
    InvalidInputError
        If an archive is damaged.
    """
    if path.is_dir():
        return digest_json(
            {
                file.relative_to(path).as_posix(): digest_file(file)
                for file in path.rglob("*")
                if file.is_file()
            }
        )
    if zipfile.is_zipfile(path):
        return digest_json(_digest_members(path))
    return digest_file(path)


def _digest_members(path: Path) -> dict[str, str]:
    """Digest an archive's members, named relative to its one top folder if it has one."""
    listing: dict[str, str] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if not member.is_dir():
                    listing[member.filename] = _digest_member(archive, member)
    except _DAMAGE as error:
        raise InvalidInputError(
            f"{path} is a damaged archive ({error}).", remedy="Download it again."
        ) from None
    tops = {PurePosixPath(name).parts[0] for name in listing}
    nested = all(len(PurePosixPath(name).parts) > 1 for name in listing)
    if len(tops) == 1 and nested:
        return {name.partition("/")[2]: digest for name, digest in listing.items()}
    return listing


def _digest_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> str:
    hasher = blake3()
    with archive.open(member) as stream:
        while block := stream.read(_BLOCK):
            hasher.update(block)
    return _MULTIHASH_PREFIX + hasher.hexdigest()
