"""The object store as a folder: keys are relative paths, prefixes end in ``/``."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from skerry.core.errors import InvalidInputError, UnavailableError

_LONGEST = 1024


def check_key(text: str) -> str:
    """Return `text` if it is a key that cannot leave the store, else refuse it.

    Raises
    ------
    InvalidInputError
        If it is empty, absolute, longer than 1024 characters, has an empty, ``.`` or ``..``
        segment, a backslash, or a control character.
    """
    segments = text.split("/")
    if (
        len(text) > _LONGEST
        or any(segment in ("", ".", "..") for segment in segments)
        or "\\" in text
        or not text.isprintable()
    ):
        raise InvalidInputError(
            f"{text[:140]!r} is not a key of the object store.",
            remedy="Use a relative path such as imports/01ab/product.zarr, without '..'.",
        )
    return text


def check_prefix(text: str) -> str:
    """Return `text` if it is a key with a ``/`` at its end, else refuse it."""
    if not text.endswith("/"):
        raise InvalidInputError(
            f"{text[:140]!r} is not a prefix of the object store.", remedy="End it with '/'."
        )
    check_key(text[:-1])
    return text


def list_prefixes(key: str) -> list[str]:
    """Return every prefix that covers `key`: ``a/b/c`` gives ``a/`` and ``a/b/``."""
    segments = key.rstrip("/").split("/")
    covering = ["/".join(segments[:count]) + "/" for count in range(1, len(segments))]
    return [*covering, key] if key.endswith("/") else covering


def open_granted(root: str) -> "ObjectFolder":
    """Return the object store whose root a grant names, such as ``file:///data/objects/``.

    Raises
    ------
    UnavailableError
        If it is not a folder on this machine.
    """
    address = urlsplit(root)
    folder = Path(unquote(address.path))
    if address.scheme != "file" or not folder.is_dir():
        raise UnavailableError(
            f"The platform keeps its files in {root}, which is not a folder on this machine.",
            remedy="Work in a notebook server of that platform, or on the machine it runs on.",
        )
    return ObjectFolder(folder)


def _pass_over_missing(_function: object, _path: str, error: BaseException) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


class ObjectFolder:
    """A folder used as an object store.

    Parameters
    ----------
    root
        The folder; it exists.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def address(self) -> str:
        """The root as a ``file://`` address that ends in ``/``."""
        return f"{self.root.absolute().as_uri()}/"

    def locate(self, key: str) -> Path:
        """Return the path of a key or prefix, which need not exist.

        Raises
        ------
        InvalidInputError
            If the key is not valid, or a symbolic link on the way leads out of the store.
        """
        path = self.root / check_key(key.removesuffix("/"))
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise InvalidInputError(
                f"The key {key[:140]!r} leads out of the object store.",
                remedy="Keep symbolic links out of the store.",
            )
        return path

    def exists(self, key: str) -> bool:
        """Return whether there is a file or folder at `key`."""
        return self.locate(key).exists()

    def create_folder(self, prefix: str) -> Path:
        """Create the folder of `prefix`, which only the owner can read, and return it."""
        folder = self.locate(check_prefix(prefix))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def remove(self, prefix: str) -> None:
        """Remove everything below `prefix`, and parents that become empty.

        Doing it again, twice at once, or after a half-done removal, is not an error.
        """
        folder = self.locate(check_prefix(prefix))
        if folder.is_symlink() or folder.is_file():
            folder.unlink()
        elif folder.exists():
            shutil.rmtree(folder, onexc=_pass_over_missing)
        for parent in self._inner_parents(folder):
            try:
                parent.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                break

    def _inner_parents(self, folder: Path) -> Iterator[Path]:
        # the first level (imports/, runs/) stays
        for parent in folder.parents:
            if self.root in (parent, parent.parent):
                return
            yield parent
