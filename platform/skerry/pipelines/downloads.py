"""Downloads an archive from an address that comes from outside."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

import httpx

from skerry.core.addresses import (
    CheckedAddress,
    Resolver,
    allowed_origins,
    check_address,
    resolve_name,
)
from skerry.core.errors import InvalidInputError, UnavailableError
from skerry.core.ids import check_name
from skerry.core.progress import Progress

_HOPS = 5
_CHUNK = 1 << 20
_LIMIT_BYTES = 16 * 1024**3


def download(
    url: str, folder: Path, *, progress: Progress | None = None, resolve: Resolver = resolve_name
) -> Path:
    """Download one file into a folder.

    Every hop's address is checked before it is connected to, and the connection goes to the
    address that was checked. No proxy is used and no credentials are sent.

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
    UnavailableError
        If the server does not answer or refuses.
    """
    target = folder / _name_file(url)
    with (
        httpx.Client(trust_env=False, timeout=httpx.Timeout(60.0, connect=10.0)) as client,
        _open(client, url, resolve) as response,
    ):
        announced = response.headers.get("content-length", "")
        expected = int(announced) if announced.isdecimal() else 0
        done = 0
        with target.open("wb") as stream:
            for chunk in _read_chunks(response, url):
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


def _read_chunks(response: httpx.Response, url: str) -> Iterator[bytes]:
    try:
        yield from response.iter_bytes(_CHUNK)
    except httpx.TransportError as error:
        raise UnavailableError(
            f"{url} broke off ({type(error).__name__}: {error}).",
            remedy="Try again; if it breaks off each time, download the file by other means.",
        ) from None


@contextmanager
def _open(client: httpx.Client, url: str, resolve: Resolver) -> Iterator[httpx.Response]:
    """Follow redirects by hand, each hop through the allow-list."""
    origins = allowed_origins()
    for _ in range(_HOPS):
        request = _aim(client, check_address(url, origins=origins, resolve=resolve))
        try:
            response = client.send(request, stream=True)
        except httpx.TransportError as error:
            raise UnavailableError(
                f"{url} does not answer ({type(error).__name__}).",
                remedy="Check the address and the network, and try again.",
            ) from None
        try:
            if not response.is_redirect:
                _check_status(response, url)
                yield response
                return
            url = urljoin(url, response.headers["location"])
        finally:
            response.close()
    raise InvalidInputError(
        f"{url} redirects more than {_HOPS} times.", remedy="Give the file's own address."
    )


def _aim(client: httpx.Client, address: CheckedAddress) -> httpx.Request:
    """Build a request to the checked IP that names the host in its header and for TLS."""
    parts = urlsplit(address.url)
    ip = f"[{address.ip}]" if ":" in address.ip else address.ip
    aimed = urlunsplit((parts.scheme, f"{ip}:{address.port}", parts.path or "/", parts.query, ""))
    host = parts.netloc.rpartition("@")[2]
    return client.build_request(
        "GET",
        aimed,
        headers={"Host": host, "Accept-Encoding": "identity"},
        extensions={"sni_hostname": address.host},
    )


def _check_status(response: httpx.Response, url: str) -> None:
    if not response.is_success:
        raise UnavailableError(
            f"{url} answers {response.status_code} {response.reason_phrase}.",
            remedy="Check the address; files behind a login must be downloaded by hand.",
        )


def _name_file(url: str) -> str:
    name = unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]
    return check_name(name, what="file name at the end of a URL")
