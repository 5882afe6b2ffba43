"""Downloads an archive from an address that comes from outside."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from skerry.core.addresses import Resolver, resolve_name
from skerry.core.errors import InvalidInputError
from skerry.core.ids import check_name
from skerry.core.progress import Progress
from skerry.storage.web import ask

_LIMIT_BYTES = 16 * 1024**3


def download(
    url: str, folder: Path, *, progress: Progress | None = None, resolve: Resolver = resolve_name
) -> Path:
    """Download one file into a folder.

    `skerry.storage.web` decides which addresses are asked.

    Parameters
    ----------
    url
        An ``http`` or ``https`` URL.
    folder
        Where the file goes, under the last part of the URL's path.
    progress
        Receives the progress.
    resolve
        Resolves names to IP addresses.

    Raises
    ------
    InvalidInputError
        If the URL, or one that it redirects to, leads to an address that is not public, names no
        file, or the file is larger than 16 GiB.
    NotFoundError, ForbiddenError, UnavailableError
        If it is not there, not for the asker, or the server does not answer.
    """
    target = folder / _name_file(url)
    with ask(url, resolve=resolve) as answer:
        answer.check_status()
        announced = answer.headers.get("content-length", "")
        expected = int(announced) if announced.isdecimal() else 0
        done = 0
        with target.open("wb") as stream:
            for chunk in answer.read_pieces():
                done += len(chunk)
                if done > _LIMIT_BYTES:
                    raise InvalidInputError(
                        f"{url} is larger than {_LIMIT_BYTES >> 30} GiB.",
                        remedy="Download it yourself and import the file.",
                    )
                stream.write(chunk)
                if progress is not None and expected:
                    progress(done / expected, f"Downloading {target.name}")
    return target


def _name_file(url: str) -> str:
    name = unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]
    return check_name(name, what="file name at the end of a URL")
