"""Fixtures of tests that hold on both object stores: a folder, and a bucket of a real server.

A ``conftest.py`` or a test module imports them. Each test that asks for `store` runs twice.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.minio_server import S3Server

from skerry.storage.object_folder import ObjectFolder
from skerry.storage.object_places import parse_place
from skerry.storage.objects import Objects
from skerry.storage.s3 import connect

STORES = ("folder", pytest.param("bucket", marks=pytest.mark.s3))


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


@pytest.fixture(params=STORES)
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
        yield parse_place(address)
