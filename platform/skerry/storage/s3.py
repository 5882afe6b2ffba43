"""S3 buckets: connections with what the environment names, and listings without marks of folders.

Consoles, mounted file systems and some providers write an empty object ``a/b/`` for a folder
``a/b``. S3's client takes the ``/`` off its key, and so shows a file ``a/b`` that nobody can read.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any

import httpx

from skerry.core.certificates import find_authorities
from skerry.core.errors import InvalidInputError
from skerry.core.patience import find_patience
from skerry.storage import web
from skerry.storage.at_once import do_at_once

ADDRESS_ENDED = "AddressEnded"
"""Code for a signed address that is good no more: S3 itself has none of its own."""


@cache
def connect(bucket: str, prefix: str | None = None) -> Any:
    """Return the obstore store of a bucket, or of a prefix in it; each is opened once a process."""
    options = {} if has_credentials() else {"skip_signature": True}
    return open_store(bucket, prefix, find_endpoint(os.environ), **options)


def find_endpoint(
    environment: Mapping[str, str],
    variables: Sequence[str] = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
) -> str | None:
    """Return the address of the server that variables name, None for AWS itself.

    Parameters
    ----------
    environment
        The variables with their values.
    variables
        Their names; the first that is set counts.

    Raises
    ------
    InvalidInputError
        If it is no address that begins with ``http://`` or ``https://``.
    """
    variable = next((name for name in variables if environment.get(name)), None)
    if variable is None:
        return None
    try:
        url = httpx.URL(environment[variable].strip())
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query:
        raise InvalidInputError(
            f"The value of {variable} is not the address of a server.",
            remedy="Write it as https://HOST:PORT, without keys: those stand in AWS_ACCESS_KEY_ID "
            "and AWS_SECRET_ACCESS_KEY.",
        )
    return str(url).rstrip("/")


def find_aws(region: str) -> str:
    """Return the address of AWS's own server in a region."""
    return f"https://s3.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


def open_store(bucket: str, prefix: str | None, endpoint: str | None, **options: Any) -> Any:
    """Return a new obstore store at an endpoint, None for AWS itself, with Skerry's patience."""
    from obstore.store import S3Store

    client: Any = {
        "timeout": timedelta(seconds=web.ANSWER_WITHIN_S),
        "connect_timeout": timedelta(seconds=web.CONNECT_WITHIN_S),
        "user_agent": "skerry",
    }
    if authorities := find_authorities("AWS_CA_BUNDLE"):
        client["root_certificate"] = authorities.read_bytes()
    if endpoint:
        # this name comes before the variables, of which the client reads AWS_ENDPOINT_URL_S3 itself
        options["aws_endpoint_url_s3"] = endpoint
        client["allow_http"] = endpoint.startswith("http://")
    return S3Store(
        bucket, prefix=prefix, client_options=client, retry_config=_choose_patience(), **options
    )


def list_below(store: Any, prefix: str | None, after: str | None = None) -> Iterator[list[Any]]:
    """List all objects below a prefix, some at a time, without marks of folders.

    Parameters
    ----------
    store
        The bucket, as `skerry.storage.granted.connect` opens it.
    prefix
        The prefix; None for all.
    after
        The key behind which the list begins.
    """
    for batch in store.list(prefix, offset=after):
        yield _drop_marks(store, batch)


def list_level(store: Any, prefix: str) -> tuple[list[str], list[Any]]:
    """List the folders right below a prefix, and the objects there without marks of folders."""
    listed = store.list_with_delimiter(prefix)
    return list(map(str, listed["common_prefixes"])), _drop_marks(store, listed["objects"])


def _drop_marks(store: Any, items: Iterable[Any]) -> list[Any]:
    """Leave out marks of folders: empty objects that are not found by the keys listed for them."""

    def is_file(key: str) -> bool:
        try:
            return bool(store.head(key)["size"] == 0)
        except FileNotFoundError:
            return False

    items = list(items)
    if not getattr(store, "has_marks", True):
        return items
    empty = [item["path"] for item in items if not item["size"]]
    if not empty:
        return items
    files = dict(zip(empty, do_at_once(is_file, empty), strict=True))
    return [item for item in items if item["size"] or files[item["path"]]]


def _choose_patience() -> Any:
    """Return how often a request is tried again: in a run until the store has been away too long.

    Nobody watches a run, and a store that restarts must not fail it. Everybody else hears soon.
    """
    if patience_s := find_patience():
        pauses = {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=5),
                  "base": 2}  # fmt: skip
        patience = timedelta(seconds=patience_s)
        return {"max_retries": 1000, "retry_timeout": patience, "backoff": pauses}
    return {"max_retries": 3, "retry_timeout": timedelta(seconds=web.RETRY_FOR_S)}


def has_credentials() -> bool:
    """Return whether the environment names credentials; else S3's client would ask the cloud."""
    ways = (
        "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    )  # fmt: skip
    return any(os.environ.get(way) for way in ways)
