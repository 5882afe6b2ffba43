"""Fixtures of tests that hold on all object stores: a folder, a bucket, and signed addresses.

A ``conftest.py`` or a test module imports them. Each test that asks for `store` runs with each; the
bucket is one of a real server, also where each request goes to an address that was signed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.minio_server import S3Server

from skerry.models.signing import Listing, Method, SignedAddresses
from skerry.storage import granted
from skerry.storage.granted import receive_signer
from skerry.storage.object_folder import ObjectFolder
from skerry.storage.object_places import parse_place
from skerry.storage.objects import Objects
from skerry.storage.s3 import connect
from skerry.storage.signed import SignedStore
from skerry.storage.signing import SigningPrefix

STORES = ("folder", pytest.param("bucket", marks=pytest.mark.s3))
SIGNED = pytest.param("signed", marks=pytest.mark.s3)


class PlatformSigner:
    """Signs in this process what the api signs for others; counts how often it is asked."""

    def __init__(self, root: str, prefix: str) -> None:
        self._prefix = SigningPrefix(root, prefix)
        self.asked: list[list[str]] = []

    def sign(self, method: Method, names: list[str], further: int) -> SignedAddresses:
        """Return addresses for files."""
        self.asked.append(names)
        return self._prefix.sign(method, names, further)

    def list_files(self, folder: str, *, deep: bool, after: str) -> Listing:
        """Return a page of files."""
        return self._prefix.list_files(folder, deep=deep, after=after)


@contextmanager
def signing_for(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlatformSigner]:
    """Let this process reach a prefix by signed addresses alone, except to remove."""
    root, _, prefix = address.rpartition("/")
    signer = PlatformSigner(f"{root}/", f"{prefix}/")
    monkeypatch.setattr(granted, "_granted", {})
    receive_signer(f"{address}/", signer)
    owners = connect(urlsplit(address).netloc, urlsplit(address).path.strip("/"))
    monkeypatch.setattr(SignedStore, "delete", lambda _, keys: owners.delete(keys))
    yield signer


@contextmanager
def opened_bucket(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give the address of a new prefix; the environment has what is needed to reach it."""
    for name, value in server.variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    connect.cache_clear()
    with server.bucket() as bucket:
        yield f"s3://{bucket}/skerry/data"
        monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    connect.cache_clear()


@pytest.fixture(params=[*STORES, SIGNED])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Objects]:
    """Return an empty object store."""
    if request.param == "folder":
        root = tmp_path / "objects"
        root.mkdir()
        yield ObjectFolder(root)
        return
    with opened_bucket(request.getfixturevalue("s3"), monkeypatch) as address:
        if request.param == "bucket":
            yield parse_place(address)
            return
        with signing_for(address, monkeypatch):
            yield parse_place(address)
