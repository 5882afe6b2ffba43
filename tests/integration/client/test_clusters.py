"""Clusters on the real gateway."""

from pathlib import Path

import dask.array
import pytest
from tests.platform_process import RunningPlatform, wait_until

import skerry
from skerry.client.login import Login
from skerry.client.session import Session
from skerry.core.errors import InvalidInputError, UnavailableError
from skerry.hub.gateway_backend import find_temporary

pytestmark = [pytest.mark.usefixtures("environment"), pytest.mark.long]


def list_clusters(platform: RunningPlatform) -> set[str]:
    """Return the names of the owner's clusters that have not ended."""
    client = platform.http(platform.token)
    headers = {"Authorization": f"jupyterhub {platform.token}"}
    answer = client.get("/services/dask-gateway/api/v1/clusters/", headers=headers)
    clusters = answer.raise_for_status().json()
    ended = ("STOPPING", "STOPPED", "FAILED")
    return {name for name, item in clusters.items() if item["status"] not in ended}


def test_a_cluster_computes_and_ends_with_its_client(running_platform: RunningPlatform) -> None:
    with skerry.cluster(workers=2) as client:
        name = client.cluster.name
        assert len(client.scheduler_info()["workers"]) == 2
        assert name in list_clusters(running_platform)
        assert float(dask.array.ones((100, 100), chunks=50).sum()) == 10_000
        versions = client.run(lambda: __import__("skerry").__version__)
        assert set(versions.values()) == {skerry.__version__}
        folder = find_temporary(running_platform.data / "clusters" / name)
        for place in (
            *client.run(lambda: __import__("tempfile").mkdtemp()).values(),
            client.run_on_scheduler(lambda: __import__("tempfile").mkdtemp()),
            *client.run(lambda dask_worker: dask_worker.local_directory).values(),
        ):
            assert Path(place).is_relative_to(folder)
            assert Path(place).is_dir()
    wait_until(lambda: name not in list_clusters(running_platform), 30, "the cluster ends")
    wait_until(lambda: not folder.exists(), 30, "its files are gone")


def test_a_cluster_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="0 workers"):
        skerry.cluster(workers=0)


def test_a_gateway_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_GATEWAY__ADDRESS", "http://127.0.0.1:1/services/dask-gateway")
    with (
        Session(Login("http://127.0.0.1:1", "t")) as session,
        pytest.raises(UnavailableError, match=r"http://127\.0\.0\.1:1/"),
    ):
        skerry.cluster(session=session)


def test_a_token_that_is_not_good_starts_nothing(running_platform: RunningPlatform) -> None:
    with (
        Session(Login(running_platform.url, "bad")) as session,
        pytest.raises(UnavailableError, match="starts no cluster"),
    ):
        skerry.cluster(session=session)
