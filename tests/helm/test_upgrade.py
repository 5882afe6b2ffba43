"""An upgrade waits for the tables; when they cannot be brought up to date it changes nothing.

There are no controllers here: the test says what becomes of the Job, as they would.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from subprocess import CompletedProcess
from typing import Any

import pytest
from tests.helm.cluster import Release
from tests.helm.rendering import Chart
from tests.kubernetes.server import KubernetesServer
from tests.platform_process import wait_until

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


def _upgrade(release: Release, replicas: int, job: str, kind: str) -> CompletedProcess[str]:
    """Upgrade; let the Job end once Helm waits for it, and nothing else has changed."""
    before = _count_dashboards(release)
    with ThreadPoolExecutor(1) as pool:
        upgrade: Future[CompletedProcess[str]] = pool.submit(
            release.call, "upgrade", "--timeout", "60s", dashboards={"replicas": replicas}
        )
        wait_until(
            lambda: bool(release.read(f"/apis/batch/v1 jobs/{job}")) or upgrade.done(),
            _LIMIT_S, f"{job} is there", every_s=0.1,
        )  # fmt: skip
        assert not upgrade.done(), upgrade.result().stderr
        assert _count_dashboards(release) == before, "the parts stay until the Job has ended"
        _end_job(release, job, kind)
        return upgrade.result(_LIMIT_S)


def test_an_upgrade_begins_with_the_tables(release: Release) -> None:
    assert _count_dashboards(release) == 2

    failed = _upgrade(release, 3, "skerry-migrations-2", "Failed")
    assert failed.returncode != 0
    assert "pre-upgrade hooks failed" in failed.stderr
    assert _count_dashboards(release) == 2

    done = _upgrade(release, 3, "skerry-migrations-3", "Complete")
    assert done.returncode == 0, done.stderr
    assert _count_dashboards(release) == 3

    words = ("rollback", "skerry", "1", "--namespace", release.namespace)
    undone = release.chart.call(*words, config=release.config)
    assert undone.returncode == 0, undone.stderr
    assert _count_dashboards(release) == 2
