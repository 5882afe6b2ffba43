"""Signed addresses of a bucket, made with the platform's own key: for stores without STS.

Only the api signs. What it signs is one request (get, head or put) for one file below a granted
prefix, for some minutes.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from skerry.core.errors import InvalidInputError, UnavailableError
from skerry.models.signing import ListedFile, Listing, Method, SignedAddresses
from skerry.storage.objects import check_key, check_prefix
from skerry.storage.remote import explaining
from skerry.storage.s3 import connect, has_credentials, list_below, list_level

LIFE = timedelta(minutes=5)
"""How long the store takes a signed address; an answer that has begun by then is sent whole."""

PAGE = 1000
"""Most files of a page of a listing."""

_ENCODED = re.compile(r"%(?:2e|2f|5c|25)", re.IGNORECASE)


class SigningPrefix:
    """A granted prefix of a bucket, for which the platform signs.

    Parameters
    ----------
    root
        The object store's address, such as ``s3://bucket/skerry/``.
    prefix
        The granted prefix below it, with a ``/`` at its end.

    Raises
    ------
    UnavailableError
        If the environment names no key.
    """

    def __init__(self, root: str, prefix: str) -> None:
        if not has_credentials():
            raise UnavailableError(
                "The platform has no key of its object store, so it signs no addresses.",
                remedy="Operators: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
            )
        parts = urlsplit(root)
        self._start = parts.path.removeprefix("/") + check_prefix(prefix)
        self._bucket = connect(parts.netloc)
        self._label = f"the object store {root}"

    def sign(self, method: Method, names: Sequence[str], further: int = 0) -> SignedAddresses:
        """Sign a request for each of some files.

        Parameters
        ----------
        method
            The request.
        names
            The files' names below the prefix; they need not exist.
        further
            How many files behind the first one to sign for as well; for reading alone.

        Raises
        ------
        InvalidInputError
            If a name could lead out of the prefix.
        UnavailableError
            If the store does not answer.
        """
        import obstore

        keys = [self._start + check_file_name(name) for name in names]
        if further and method is not Method.PUT:
            keys = list(dict.fromkeys([*keys, *self._list_behind(keys[0], further)]))
        with explaining(self._label):
            signed = obstore.sign(self._bucket, method.value, keys, LIFE)
        start = len(self._start)
        addresses = {key[start:]: address for key, address in zip(keys, signed, strict=True)}
        return SignedAddresses(addresses=addresses, life_s=LIFE.total_seconds())

    def list_files(self, folder: str = "", *, deep: bool = True, after: str = "") -> Listing:
        """Return a page of the files below the prefix, or below a folder in it.

        Parameters
        ----------
        folder
            The folder's name with a ``/`` at its end, or nothing.
        deep
            Whether to list what is in folders below it.
        after
            The name behind which the page begins.

        Raises
        ------
        InvalidInputError
            If a name could lead out of the prefix.
        UnavailableError
            If the store does not answer.
        """
        if folder:
            check_file_name(check_prefix(folder)[:-1])
        if after:
            check_file_name(after)
        with explaining(self._label):
            folders, items = self._list_page(f"{self._start}{folder}", after, deep=deep)
        start = len(self._start)
        more = len(items) > PAGE
        files = [_describe(item, start) for item in items[:PAGE]]
        return Listing(
            folders=[f"{name.rstrip('/')[start:]}/" for name in folders],
            files=files, after=files[-1].name if more else None,
        )  # fmt: skip

    def _list_page(self, prefix: str, after: str, *, deep: bool) -> tuple[list[str], list[Any]]:
        behind = f"{self._start}{after}" if after else ""
        if deep:
            batches = list_below(self._bucket, prefix, behind or None)
            return [], list(islice((item for batch in batches for item in batch), PAGE + 1))
        folders, items = list_level(self._bucket, prefix)
        items = sorted((item for item in items if item["path"] > behind), key=_find_path)
        return folders if not behind else [], items[: PAGE + 1]

    def _list_behind(self, key: str, count: int) -> Iterator[str]:
        """Return the keys behind a key in the order of a listing, signed for without a look."""
        import obstore

        with explaining(self._label):
            batches: Iterable[Any] = obstore.list(
                self._bucket, self._start, offset=key, chunk_size=count
            )
            items: list[Any] = next(iter(batches), [])
        names = (str(item["path"]) for item in items[:count])
        return (name for name in names if not _ENCODED.search(name))


def check_file_name(name: str) -> str:
    r"""Return `name` if it names a file below any prefix to every store, else refuse it.

    Raises
    ------
    InvalidInputError
        If it is no key (see `check_key`), or holds an encoded ``.``, ``/``, ``\`` or ``%``: a
        server that decodes twice would go elsewhere.
    """
    if _ENCODED.search(name):
        raise InvalidInputError(
            f"{name[:140]!r} holds an encoded '.', '/', '\\' or '%', so no address is signed for"
            " it.",
            remedy="Give the file a name of letters, digits, '-', '_' and '.'.",
        )
    return check_key(name)


def _describe(item: Any, start: int) -> ListedFile:
    return ListedFile(
        name=str(item["path"])[start:], size=item["size"], modified=item["last_modified"],
        tag=item["e_tag"],
    )  # fmt: skip


def _find_path(item: Any) -> str:
    return str(item["path"])
