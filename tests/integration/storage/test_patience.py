"""A run outlasts an object store that restarts; everybody else hears soon that it is away."""

import threading
import time

import obstore
import pytest
from obstore.exceptions import BaseError
from tests.minio_server import serve_minio

from skerry.storage.s3 import open_store

pytestmark = [pytest.mark.s3, pytest.mark.long, pytest.mark.timeout(300)]


def test_a_run_writes_when_the_store_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_minio() as server, server.bucket() as bucket:
        words = {"access_key_id": server.key, "secret_access_key": server.secret}
        hasty = open_store(bucket, None, server.endpoint, region="us-east-1", **words)
        monkeypatch.setenv("SKERRY_RUN", "r1")
        patient = open_store(bucket, None, server.endpoint, region="us-east-1", **words)
        server.stop()
        with pytest.raises(BaseError):
            obstore.put(hasty, "page", b"bytes")
        writing = threading.Thread(target=obstore.put, args=(patient, "page", b"bytes"))
        writing.start()
        ends = time.monotonic() + 5  # longer than the pauses of three tries
        while time.monotonic() < ends:
            assert writing.is_alive(), "it gave up"
            writing.join(0.5)
        server.start()
        writing.join(60)
        assert not writing.is_alive()
        assert server.list_keys(bucket) == ["page"]
