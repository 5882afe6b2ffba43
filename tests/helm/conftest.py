"""Copies of the chart, and the API server that the tests in this folder share."""

from collections.abc import Iterator

import pytest
from tests.helm.rendering import SUB_CHARTS, Chart, copy_chart
from tests.kubernetes.server import KubernetesServer, serve_kubernetes


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
