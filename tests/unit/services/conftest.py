"""A served api, empty for each test."""

from collections.abc import Iterator

import httpx
import pytest
from tests.served_api import ServedApi, serve_api


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApi]:
    with serve_api(tmp_path_factory.mktemp("api") / "data") as served:
        yield served


@pytest.fixture
def api(served: ServedApi) -> ServedApi:
    """Return the session's api, emptied."""
    served.empty()
    return served


@pytest.fixture
def alice(api: ServedApi) -> Iterator[httpx.Client]:
    with api.client("alice-token") as client:
        yield client


@pytest.fixture
def anonymous(api: ServedApi) -> Iterator[httpx.Client]:
    with api.client(None) as client:
        yield client


@pytest.fixture
def reader(api: ServedApi) -> Iterator[httpx.Client]:
    with api.client("reader-token") as client:
        yield client
