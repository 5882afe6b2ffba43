"""The object store that tests run against is a real one: what is put there stays there."""

from collections.abc import Iterator

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError
from tests.minio_server import MinioServer, S3Server, serve_minio

pytestmark = pytest.mark.s3


@pytest.fixture(scope="module")
def minio() -> Iterator[MinioServer]:
    with serve_minio() as server:
        yield server


def test_a_restart_keeps_what_was_put(minio: MinioServer) -> None:
    with minio.bucket() as bucket:
        obstore.put(minio.open_bucket(bucket), "a/b c.txt", b"bytes")
        minio.stop()
        minio.start()
        assert bytes(obstore.get(minio.open_bucket(bucket), "a/b c.txt").bytes()) == b"bytes"
        assert minio.list_keys(bucket, "a/") == ["a/b c.txt"]


def test_a_key_can_be_put_once_alone(s3: S3Server) -> None:
    with s3.bucket() as bucket:
        obstore.put(s3.open_bucket(bucket), "once", b"first", mode="create")
        with pytest.raises(AlreadyExistsError):
            obstore.put(s3.open_bucket(bucket), "once", b"second", mode="create")
        assert bytes(obstore.get(s3.open_bucket(bucket), "once").bytes()) == b"first"
