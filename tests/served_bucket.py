"""The api over an object store in a bucket, and what holders of grants do there."""

import os
import subprocess
import sys
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
from skerry.core.settings import GRANTS_VARIABLE, OBJECTS_VARIABLE
from skerry.storage.s3 import connect

WRITE = {"mode": "write", "purpose": "import"}


@contextmanager
def using_bucket(s3: S3Server, endpoint: str, grants: str = "credentials") -> Iterator[str]:
    """Let this process and those it starts have their objects in a new bucket; give its name.

    Parameters
    ----------
    s3, endpoint
        The server, and the address at which it is asked.
    grants
        The way in which grants open the bucket, as `SKERRY_GRANTS` names it.
    """
    with pytest.MonkeyPatch.context() as patch, s3.bucket() as bucket:
        for name, value in s3.variables(endpoint).items():
            patch.setenv(name, value)
        patch.delenv("AWS_SESSION_TOKEN", raising=False)
        patch.setenv(OBJECTS_VARIABLE, f"s3://{bucket}/skerry")
        patch.setenv(GRANTS_VARIABLE, grants)
        connect.cache_clear()
        yield bucket
    connect.cache_clear()


@contextmanager
def serve_bucket_api(s3: S3Server, endpoint: str, folder: Path) -> Iterator[ServedApi]:
    """Serve the api over a new data folder, with its objects in a new bucket."""
    with using_bucket(s3, endpoint), serve_api(folder) as api:
        yield api


PUBLISH_HEIGHTS = """
import numpy as np, xarray as xr, rioxarray
import skerry
from skerry.client.login import Login
from skerry.client.session import Session

values = np.arange(600 * 500, dtype="float32").reshape(600, 500)


def publish_heights(url):
    session = Session(Login(url=url, token="alice-token", user="alice"))
    data = xr.DataArray(
        values, dims=("y", "x"), name="height",
        coords={"y": 5_000_000.0 - 10 * np.arange(600), "x": 500_000.0 + 10 * np.arange(500)},
    ).to_dataset().rio.write_crs("EPSG:32632")
    item = skerry.publish(data, output="heights", datetime="2026-05-01T10:00:00Z", session=session)
    return session, item


def open_heights(session, item):
    tree = skerry.open(item, session=session)
    return tree["height"] if "height" in tree else tree.to_dataset()["height"]
"""
"""The beginning of a script: `publish_heights` and `open_heights` as alice, and their `values`."""


def run_without_keys(api: ServedApi, script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script, with the api's address, where no key, no setting and no login is known."""
    left_out = ("AWS_", "SKERRY_", "JUPYTERHUB_")
    path = folder / "work.py"
    path.write_text(script)
    done = subprocess.run(
        [sys.executable, str(path), api.url], cwd=folder, capture_output=True, text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith(left_out)},
        timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done


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
