"""An api whose objects are in a bucket, behind a proxy that a test may let fail."""

from collections.abc import Iterator

import pytest
from tests.fault_proxy import FaultProxy, serve_faults
from tests.minio_server import S3Server
from tests.served_api import ServedApi
from tests.served_bucket import serve_bucket_api


@pytest.fixture(scope="module")
def proxy(s3: S3Server) -> Iterator[FaultProxy]:
    with serve_faults(s3.endpoint) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def api(
    s3: S3Server, proxy: FaultProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedApi]:
    with serve_bucket_api(s3, proxy.endpoint, tmp_path_factory.mktemp("bucket") / "data") as api:
        yield api
