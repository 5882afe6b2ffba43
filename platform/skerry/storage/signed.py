"""Buckets under grants without credentials: each request goes to an address that the api signed.

`SignedStore` has the methods of obstore's stores that Skerry uses, so that whoever reads and writes
a bucket does not ask which it is. Addresses are signed in batches, kept until shortly before their
end, never sent elsewhere, and stand in no message.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn, Protocol

import httpcore

from skerry.core.errors import InvalidInputError
from skerry.models.signing import (
    MOST_NAMES,
    Held,
    ListedFile,
    Listing,
    ListingRequest,
    Method,
    SignedAddresses,
    SigningRequest,
)
from skerry.storage.s3 import ADDRESS_ENDED
from skerry.storage.signed_requests import (
    SignedAnswer,
    describe,
    explain_refusal,
    persist_patiently,
    read_refusal,
    refuse,
    send_request,
    write_range,
)

LARGEST_FILE = 5 * 10**9
"""Bytes that a store takes in one request."""
_END_BEFORE_S = 60.0
"""How long before its end an address is signed anew."""
_MOST_KEPT = 20_000


class Signer(Protocol):
    """Asks the api for addresses below a granted prefix, and for what is there."""

    def sign(self, method: Method, names: list[str], further: int) -> SignedAddresses:
        """Return addresses for files; see `skerry.models.signing.SigningRequest`."""

    def list_files(self, folder: str, *, deep: bool, after: str) -> Listing:
        """Return a page of files; see `skerry.models.signing.ListingRequest`."""


@dataclass(frozen=True)
class ApiSigner:
    """Asks the api with the account of this process.

    Attributes
    ----------
    ask
        Sends a body to a route of the api, and returns the decoded answer.
    under
        The grant.
    """

    ask: Callable[[str, dict[str, Any]], Any]
    under: Held

    def sign(self, method: Method, names: list[str], further: int) -> SignedAddresses:
        """Return addresses for files."""
        order = SigningRequest(under=self.under, method=method, names=names, further=further)
        answer = self.ask("grants/addresses", order.model_dump(mode="json"))
        return SignedAddresses.model_validate(answer)

    def list_files(self, folder: str, *, deep: bool, after: str) -> Listing:
        """Return a page of files."""
        order = ListingRequest(under=self.under, folder=folder, deep=deep, after=after)
        return Listing.model_validate(self.ask("grants/files", order.model_dump(mode="json")))


class SignedPrefix:
    """The addresses of one granted prefix in this process.

    It cannot be pickled, and no text made of it shows an address.

    Parameters
    ----------
    address
        The prefix: ``s3://bucket/...`` with a ``/`` at its end.
    signer
        Asks for addresses.
    """

    access = None
    """It has no credentials."""

    def __init__(self, address: str, signer: Signer) -> None:
        self.address = address
        self.signer = signer
        self._kept: dict[tuple[Method, str], tuple[str, float]] = {}
        self._wanted: dict[tuple[Method, str], None] = {}
        self._asking = Lock()

    def find(self, method: Method, name: str) -> str:
        """Return a good address for a file.

        While a request to the api is under way, threads that need other addresses wait; the next
        request asks for all of them together.

        Raises
        ------
        SkerryError
            If the api refuses or does not answer.
        """
        if address := self._look(method, name):
            return address
        self._wanted[method, name] = None
        with self._asking:
            address = self._look(method, name)
            if address is None:
                address = self._ask(method, name)
        return address

    def forget(self, method: Method, name: str) -> None:
        """Forget an address that the store does not take any more."""
        self._kept.pop((method, name), None)

    def _look(self, method: Method, name: str) -> str | None:
        address, ends = self._kept.get((method, name), ("", 0.0))
        return address if ends > time.monotonic() else None

    def _ask(self, method: Method, name: str) -> str:
        waiting = [other for kind, other in tuple(self._wanted) if kind is method and other != name]
        names = [name, *waiting[: MOST_NAMES - 1]]
        for other in names:
            self._wanted.pop((method, other), None)
        try:
            return self._take(method, names)[name]
        except InvalidInputError:  # perhaps of another name
            if len(names) == 1:
                raise
        return self._take(method, [name])[name]

    def _take(self, method: Method, names: list[str]) -> dict[str, str]:
        asked = time.monotonic()
        further = MOST_NAMES if method is Method.GET else 0
        answer = self.signer.sign(method, names, further)
        if len(self._kept) > _MOST_KEPT:
            self._kept.clear()
        ends = asked + max(answer.life_s - _END_BEFORE_S, answer.life_s / 2)
        for name, address in answer.addresses.items():
            self._kept[method, name] = (address, ends)
        return answer.addresses

    def __reduce__(self) -> NoReturn:
        raise TypeError("Signed addresses stay in the process that they were granted to.")


class SignedStore:
    """A bucket, or a prefix in it, with the methods of obstore's stores that Skerry uses.

    Parameters
    ----------
    root
        ``s3://bucket/...`` with a ``/`` at its end: paths are relative to it.
    granted
        The granted prefix, which covers all paths that can be used.
    """

    has_marks = False
    """Marks of folders are left out of its lists by the api."""

    def __init__(self, root: str, granted: SignedPrefix) -> None:
        self._root = root
        self._granted = granted

    def get(self, path: str, *, options: Mapping[str, Any] | None = None) -> SignedAnswer:
        """Ask for a file, or for a range of it.

        Raises
        ------
        FileNotFoundError
            If there is none.
        obstore.exceptions.BaseError
            If the store refuses; with words like those of its own client.
        TemporaryError
            If it does not answer.
        """
        headers = write_range((options or {}).get("range"))
        return SignedAnswer(path, lambda: self._send(Method.GET, path, headers))

    def head(self, path: str) -> dict[str, Any]:
        """Return what a listing says of a file; errors as in `get`."""
        response = persist_patiently(lambda: self._send(Method.HEAD, path, {}))
        response.close()
        return describe(path, response)

    def put(self, path: str, file: bytes | Path, *, mode: str = "overwrite") -> None:
        """Write a file whole; errors as in `get`.

        Raises
        ------
        InvalidInputError
            If it has more bytes than a store takes in one request.
        AlreadyExistsError
            If the mode is ``create`` and there is one.
        """
        size = file.stat().st_size if isinstance(file, Path) else len(file)
        if size > LARGEST_FILE:
            raise InvalidInputError(
                f"The file {path[-140:]!r} has {size} bytes; a signed address takes "
                f"{LARGEST_FILE}.",
                remedy="Write smaller chunks or shards. Operators: a store with a token service "
                "has no such limit.",
            )
        headers = {"Content-Length": str(size)}
        if mode == "create":
            headers["If-None-Match"] = "*"
        persist_patiently(lambda: self._send(Method.PUT, path, headers, file)).close()

    def list(self, prefix: str | None = None, *, offset: str | None = None) -> Iterator[Any]:
        """List all files below a prefix, some at a time."""
        after = self._name(offset) if offset else ""
        for page in self._list_pages(prefix, deep=True, after=after):
            yield [self._describe(file) for file in page.files]

    def list_with_delimiter(self, prefix: str) -> dict[str, Any]:
        """List the folders and the files right below a prefix."""
        folders: list[str] = []
        objects: list[Any] = []
        for page in self._list_pages(prefix, deep=False):
            folders += [self._path(name) for name in page.folders]
            objects += [self._describe(file) for file in page.files]
        return {"common_prefixes": folders, "objects": objects}

    def _list_pages(
        self, prefix: str | None, *, deep: bool, after: str | None = ""
    ) -> Iterator[Listing]:
        while after is not None:
            page = self._granted.signer.list_files(self._folder(prefix), deep=deep, after=after)
            yield page
            after = page.after

    def delete(self, _paths: object) -> NoReturn:
        """Refuse: who holds a grant deletes nothing."""
        raise refuse(HTTPStatus.FORBIDDEN, "AccessDenied")

    def _send(
        self, method: Method, path: str, headers: dict[str, str], content: bytes | Path = b""
    ) -> httpcore.Response:
        """Send a request once, or twice where the address has come to its end."""
        name = self._name(path)
        for last in (False, True):
            address = self._granted.find(method, name)
            response = send_request(method, address, path, headers, content)
            if response.status < HTTPStatus.MULTIPLE_CHOICES:
                return response
            code = read_refusal(response)
            # the answer to HEAD says no more than its status
            may_have_ended = code == ADDRESS_ENDED or method is Method.HEAD
            if last or response.status != HTTPStatus.FORBIDDEN or not may_have_ended:
                break
            self._granted.forget(method, name)
        raise explain_refusal(response.status, code, path)

    def _name(self, path: str) -> str:
        """Return a path as a name below the granted prefix; refuse others as the store would."""
        address = f"{self._root}{path}"
        if not address.startswith(self._granted.address):
            raise refuse(HTTPStatus.FORBIDDEN, "AccessDenied")
        return address.removeprefix(self._granted.address)

    def _folder(self, prefix: str | None) -> str:
        return self._name(f"{prefix.rstrip('/')}/" if prefix else "")

    def _path(self, name: str) -> str:
        return f"{self._granted.address}{name}".removeprefix(self._root)

    def _describe(self, file: ListedFile) -> dict[str, Any]:
        return {
            "path": self._path(file.name), "size": file.size, "last_modified": file.modified,
            "e_tag": file.tag,
        }  # fmt: skip
