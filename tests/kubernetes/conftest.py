"""The servers that the tests in this folder share."""

from collections.abc import Iterator

import pytest
from tests.kubernetes.server import KubernetesServer, serve_kubernetes


@pytest.fixture(scope="session")
def kubernetes() -> Iterator[KubernetesServer]:
    """Return an API server of this session's own, without controllers."""
    with serve_kubernetes() as server:
        yield server


@pytest.fixture
def namespace(kubernetes: KubernetesServer) -> Iterator[str]:
    """Return the name of a new namespace, in which nothing happens by itself."""
    with kubernetes.namespace() as name:
        yield name


@pytest.fixture(scope="session")
def control_plane() -> Iterator[KubernetesServer]:
    """Return an API server of this session's own, with controllers and a scheduler."""
    with serve_kubernetes(controllers=True) as server:
        yield server


@pytest.fixture
def busy_namespace(control_plane: KubernetesServer) -> Iterator[str]:
    """Return the name of a new namespace, in which controllers work."""
    with control_plane.namespace() as name:
        yield name
