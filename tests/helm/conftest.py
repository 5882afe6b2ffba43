"""Copies of the chart, and the API server that the tests in this folder share."""

from collections.abc import Iterator

import pytest
from tests.helm.cluster import define_foreign_kinds
from tests.helm.rendering import SUB_CHARTS, Chart, copy_chart
from tests.kubernetes.server import KubernetesServer, serve_kubernetes
from tests.platform_process import wait_until


@pytest.fixture(scope="session")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Chart:
    """Return a copy of the chart without dependencies."""
    return Chart(copy_chart(tmp_path_factory.mktemp("chart")), is_whole=False)


@pytest.fixture(scope="session")
def fullest_chart(tmp_path_factory: pytest.TempPathFactory, chart: Chart) -> Chart:
    """Return the chart with its sub-charts where they are at hand, else `chart`."""
    if not SUB_CHARTS:
        return chart
    return Chart(copy_chart(tmp_path_factory.mktemp("whole"), SUB_CHARTS), is_whole=True)


@pytest.fixture(scope="session")
def kubernetes() -> Iterator[KubernetesServer]:
    """Return Kubernetes of this session's own."""
    with serve_kubernetes() as server:
        yield server


@pytest.fixture(scope="session")
def cluster(kubernetes: KubernetesServer, fullest_chart: Chart) -> KubernetesServer:
    """Return Kubernetes with the kinds of objects that others define."""
    define_foreign_kinds(kubernetes, is_whole=fullest_chart.is_whole)
    last = "gateway.networking.k8s.io/v1/httproutes"
    with kubernetes.log_in() as owner:
        wait_until(
            lambda: owner.get(f"/apis/{last}").is_success,
            30, "the new kinds are served", every_s=0.1,
        )  # fmt: skip
    return kubernetes
