"""The API server that the tests in this folder share."""

from collections.abc import Iterator

import pytest
from tests.kubernetes.server import KubernetesServer, serve_kubernetes


@pytest.fixture(scope="session")
def kubernetes() -> Iterator[KubernetesServer]:
    """Return Kubernetes of this session's own; each test makes a namespace there."""
    with serve_kubernetes() as server:
        yield server


@pytest.fixture
def namespace(kubernetes: KubernetesServer) -> Iterator[str]:
    """Return the name of a new namespace."""
    with kubernetes.namespace() as name:
        yield name
