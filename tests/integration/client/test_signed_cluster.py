"""Dask workers without a credential read a bucket at addresses that their notebook asks for."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.fault_proxy import no_faults, serve_faults
from tests.integration.client.test_bucket import hide_keys, without_tokens
from tests.minio_server import S3Server
from tests.served_api import serve_api

from skerry.core.settings import GRANTS_VARIABLE, OBJECTS_VARIABLE
from skerry.storage.s3 import connect

pytestmark = pytest.mark.s3

WORK = """
import logging, sys
import numpy as np, xarray as xr, rioxarray
from distributed import Client, LocalCluster
import skerry
from skerry.client import cluster_access
from skerry.client.cluster_access import ClusterAccess
from skerry.client.login import Login
from skerry.client.session import Session
from skerry.core.errors import SkerryError
from skerry.storage import granted


def forget(method=None):
    for kept in granted._granted.values():
        kept._kept.clear()
    return len(granted._granted)


def list_signatures():
    return [a.rpartition("=")[2] for k in granted._granted.values() for a, _ in k._kept.values()]


def main():
    session = Session(Login(url=sys.argv[1], token="alice-token", user="alice"))
    values = np.arange(600 * 500, dtype="float32").reshape(600, 500)
    data = xr.DataArray(
        values, dims=("y", "x"), name="height",
        coords={"y": 5_000_000.0 - 10 * np.arange(600), "x": 500_000.0 + 10 * np.arange(500)},
    ).to_dataset().rio.write_crs("EPSG:32632")
    item = skerry.publish(data, output="h", datetime="2026-05-01T10:00:00Z", session=session)
    tree = skerry.open(item, session=session)
    lazy = tree["height"] if "height" in tree else tree.to_dataset()["height"]
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=True, dashboard_address=None)
        as cluster, Client(cluster) as client, ClusterAccess(client),
    ):
        assert float(lazy.sum().compute()) == float(values.sum())
        [held] = client.run(forget).values()
        assert held
        again = skerry.open(item, session=session)
        again = again["height"] if "height" in again else again.to_dataset()["height"]
        assert float((again + 1).sum().compute()) == float((values + 1).sum())
        [signatures] = client.run(list_signatures).values()
        assert signatures
        client.dump_cluster_state("state", format="yaml")
        texts = [open("state.yaml").read(), str(client.get_events()), str(client.get_worker_logs()),
                 str(client.get_scheduler_logs()), str(client.scheduler_info())]
        for signature in signatures:
            assert not [text for text in texts if signature in text]
        cluster_access.find_signer = lambda address: refuse()
        client.run(forget)
        try:
            (again + 2).sum().compute()
        except SkerryError as error:
            print("REFUSED", error)
    print("DONE")


def refuse():
    raise SkerryError("The grant is over.", remedy="Open the item again.")


if __name__ == "__main__":
    main()
"""


def test_workers_are_sent_the_addresses_that_they_ask_for(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_faults(s3.endpoint) as proxy, s3.bucket() as bucket:
        for name, value in s3.variables(proxy.endpoint).items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
        monkeypatch.setenv(OBJECTS_VARIABLE, f"s3://{bucket}/skerry")
        monkeypatch.setenv(GRANTS_VARIABLE, "addresses")
        connect.cache_clear()
        with serve_api(tmp_path / "data") as api:
            proxy.plan = without_tokens(no_faults)
            script = tmp_path / "work.py"
            script.write_text(WORK)
            done = subprocess.run(
                [sys.executable, str(script), api.url], env=hide_keys(), cwd=tmp_path,
                capture_output=True, text=True, timeout=200, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr[-3000:]
            assert "REFUSED The grant is over." in done.stdout
            assert "DONE" in done.stdout
            assert "X-Amz-Signature" not in done.stdout + done.stderr
    connect.cache_clear()
