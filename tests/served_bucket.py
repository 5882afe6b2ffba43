"""The api over an object store in a bucket, and what holders of grants do there by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import obstore
import pytest
from obstore.store import S3Store
from tests.minio_server import S3Server
from tests.served_api import ServedApi, serve_api
from tests.stac_documents import make_item

from skerry.core.digests import digest_bytes, digest_json
from skerry.core.settings import OBJECTS_VARIABLE
from skerry.storage.s3 import connect

WRITE = {"mode": "write", "purpose": "import"}


@contextmanager
def using_bucket(s3: S3Server, endpoint: str) -> Iterator[str]:
    """Let this process and those it starts have their objects in a new bucket; give its name."""
    with pytest.MonkeyPatch.context() as patch, s3.bucket() as bucket:
        for name, value in s3.variables(endpoint).items():
            patch.setenv(name, value)
        patch.delenv("AWS_SESSION_TOKEN", raising=False)
        patch.setenv(OBJECTS_VARIABLE, f"s3://{bucket}/skerry")
        connect.cache_clear()
        yield bucket
    connect.cache_clear()


@contextmanager
def serve_bucket_api(s3: S3Server, endpoint: str, folder: Path) -> Iterator[ServedApi]:
    """Serve the api over a new data folder, with its objects in a new bucket."""
    with using_bucket(s3, endpoint), serve_api(folder) as api:
        yield api


def open_granted(grant: dict[str, Any]) -> Any:
    """Return the bucket as the grant's holder opens it."""
    access, bucket = grant["access"], grant["root"].removeprefix("s3://").split("/")[0]
    return S3Store(
        bucket, prefix="skerry", endpoint=access["endpoint"], region=access["region"],
        access_key_id=access["key_id"], secret_access_key=access["secret"],
        session_token=access["token"], client_options={"allow_http": True},
    )  # fmt: skip


def write_product(
    client: httpx.Client, name: str, files: dict[str, bytes]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write files under a new grant; return the grant, and the item that describes them."""
    grant = client.post("grants", json=WRITE).json()
    store, prefix = open_granted(grant), grant["prefix"]
    for key, content in files.items():
        obstore.put(store, prefix + key, content)
    item = make_item(name, prefix=prefix)
    item["assets"] = {"product": {"href": f"{prefix}{min(files)}", "roles": ["data"]}}
    listing = {key: digest_bytes(content) for key, content in files.items()}
    item["properties"]["skerry:digest"] = digest_json(listing)
    return grant, item
