"""An upgrade waits for the tables; when they cannot be brought up to date it changes nothing.

There are no controllers here: the test says what becomes of the Job, as they would.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from subprocess import CompletedProcess
from typing import Any

import pytest
from kubernetes_asyncio.client import ApiException
from kubernetes_asyncio.config import load_kube_config
from tests.helm.cluster import Release
from tests.helm.rendering import Chart
from tests.kubernetes.server import KubernetesServer
from tests.platform_process import wait_until

from skerry.hub.kubernetes.restarts import restart

pytestmark = pytest.mark.kubernetes

_LIMIT_S = 60.0
_TIME = "2026-11-30T00:00:00Z"


@pytest.fixture(scope="module")
def release(cluster: KubernetesServer, chart: Chart) -> Release:
    """Return an installed release with two pods of the dashboards."""
    release = Release(cluster, chart, "production", "upgraded")
    release.prepare_production()
    result = release.call("install")
    assert result.returncode == 0, result.stderr
    return release


def _count_dashboards(release: Release) -> int:
    return release.read("/apis/apps/v1 deployments/skerry-dashboards")["spec"]["replicas"]


def _end_job(release: Release, job: str, kind: str) -> None:
    """Say that a Job has ended, in all words that Kubernetes wants to hear."""
    before = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}[kind]
    status: dict[str, Any] = {
        "startTime": _TIME,
        "conditions": [
            {"type": name, "status": "True", "reason": "Test", "message": "The test says so."}
            for name in (before, kind)
        ],
    }
    status |= {"completionTime": _TIME, "succeeded": 1} if kind == "Complete" else {"failed": 1}
    path = f"/apis/batch/v1/namespaces/{release.namespace}/jobs/{job}/status"
    release.server.change(path, {"status": status})


def _call_until_job(
    release: Release, call: Callable[[], CompletedProcess[str]], job: str, kind: str = "Complete"
) -> CompletedProcess[str]:
    """Call Helm; let a Job end once Helm waits for it, and nothing has changed until then."""
    before = _count_dashboards(release)
    with ThreadPoolExecutor(1) as pool:
        called: Future[CompletedProcess[str]] = pool.submit(call)
        wait_until(
            lambda: bool(release.read(f"/apis/batch/v1 jobs/{job}")) or called.done(),
            _LIMIT_S, f"{job} is there", every_s=0.1,
        )  # fmt: skip
        assert not called.done(), called.result().stderr
        if job.startswith("skerry-migrations"):
            assert _count_dashboards(release) == before, "the parts stay until the Job has ended"
        _end_job(release, job, kind)
        return called.result(_LIMIT_S)


def _upgrade(release: Release, replicas: int, job: str, kind: str) -> CompletedProcess[str]:
    words = ("upgrade", "--timeout", "60s")
    change = {"dashboards": {"replicas": replicas}}
    return _call_until_job(release, lambda: release.call(*words, **change), job, kind)


def test_an_upgrade_begins_with_the_tables(release: Release) -> None:
    assert _count_dashboards(release) == 2

    failed = _upgrade(release, 3, "skerry-migrations-2", "Failed")
    assert failed.returncode != 0
    assert "pre-upgrade hooks failed" in failed.stderr
    assert _count_dashboards(release) == 2

    done = _upgrade(release, 3, "skerry-migrations-3", "Complete")
    assert done.returncode == 0, done.stderr
    assert _count_dashboards(release) == 3
    assert not release.read("/apis/batch/v1 jobs/skerry-restarts"), "the settings are the same"

    words = ("rollback", "skerry", "1", "--namespace", release.namespace, "--timeout", "60s")
    undone = _call_until_job(
        release, lambda: release.chart.call(*words, config=release.config), "skerry-restarts"
    )
    assert undone.returncode == 0, undone.stderr
    assert _count_dashboards(release) == 2


def test_hub_and_gateway_start_anew_where_their_settings_have_changed(release: Release) -> None:
    idle = {"servers": {"idle": {"endAfterMinutes": 30}}}

    def upgrade() -> CompletedProcess[str]:
        return _call_until_job(
            release,
            lambda: release.call("upgrade", "--timeout", "60s", **idle),
            "skerry-migrations-5",
        )

    done = _call_until_job(release, upgrade, "skerry-restarts")
    assert done.returncode == 0, done.stderr


def test_the_account_of_restarts_may_restart_these_two_and_no_other(release: Release) -> None:
    for name in ("hub", "api-dask-gateway"):
        if not release.read(f"/apis/apps/v1 deployments/{name}"):  # the sub-charts are not at hand
            _make_deployment(release, name)
    account = f"/api/v1/namespaces/{release.namespace}/serviceaccounts/skerry-restarts/token"
    token = release.server.create(account, {"spec": {}})["status"]["token"]
    config = release.server.write_config("restarts", token)
    asyncio.run(_restart(str(config), release.namespace, ["hub", "api-dask-gateway"], "d1"))
    for name in ("hub", "api-dask-gateway"):
        pods = release.read(f"/apis/apps/v1 deployments/{name}")["spec"]["template"]
        assert pods["metadata"]["annotations"]["skerry/hub-settings"] == "d1"
    with pytest.raises(ApiException, match="403"):
        asyncio.run(_restart(str(config), release.namespace, ["skerry-api"], "d1"))


async def _restart(config: str, namespace: str, names: list[str], digest: str) -> None:
    await load_kube_config(config)
    await restart(namespace, names, digest)


def _make_deployment(release: Release, name: str) -> None:
    labels = {"part": name}
    container = {"name": "part", "image": "registry.example/part:1"}
    release.server.create(f"/apis/apps/v1/namespaces/{release.namespace}/deployments", {
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    })  # fmt: skip
