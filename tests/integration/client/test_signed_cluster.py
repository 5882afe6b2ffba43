"""Dask workers without a credential read a bucket at addresses that their notebook asks for."""

from pathlib import Path

import pytest
from tests.fault_proxy import serve_faults, without_tokens
from tests.minio_server import S3Server
from tests.served_api import serve_api
from tests.served_bucket import PUBLISH_HEIGHTS, run_without_keys, using_bucket

pytestmark = [pytest.mark.s3, pytest.mark.long]

WORK = """
import logging, sys
from distributed import Client, LocalCluster
from skerry.client import cluster_access
from skerry.client.cluster_access import ClusterAccess
from skerry.core.errors import SkerryError
from skerry.storage import granted


def forget(method=None):
    for kept in granted._granted.values():
        kept._kept.clear()
    return len(granted._granted)


def list_signatures():
    return [a.rpartition("=")[2] for k in granted._granted.values() for a, _ in k._kept.values()]


def main():
    session, item = publish_heights(sys.argv[1])
    lazy = open_heights(session, item)
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=True, dashboard_address=None)
        as cluster, Client(cluster) as client, ClusterAccess(client),
    ):
        assert float(lazy.sum().compute()) == float(values.sum())
        [held] = client.run(forget).values()
        assert held
        again = open_heights(session, item)
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


def test_workers_are_sent_the_addresses_that_they_ask_for(s3: S3Server, tmp_path: Path) -> None:
    with serve_faults(s3.endpoint) as proxy, using_bucket(s3, proxy.endpoint, "addresses"):
        with serve_api(tmp_path / "data") as api:
            proxy.plan = without_tokens()
            done = run_without_keys(api, PUBLISH_HEIGHTS + WORK, tmp_path)
        assert "REFUSED The grant is over." in done.stdout
        assert "DONE" in done.stdout
        assert "X-Amz-Signature" not in done.stdout + done.stderr
