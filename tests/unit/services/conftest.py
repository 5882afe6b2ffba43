"""Others who ask the served api, and what it says about itself."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.fresh_database import fill_database
from tests.served_api import ServedApi, TokenBook, make_hub_access

from skerry.core.settings import ServiceSettings
from skerry.services.api import create_api
from skerry.services.maps import create_maps
from skerry.storage.layout import DataFolder


@pytest.fixture
def anonymous(api: ServedApi) -> Iterator[httpx.Client]:
    with api.client(None) as client:
        yield client


@pytest.fixture
def reader(api: ServedApi) -> Iterator[httpx.Client]:
    with api.client("reader-token") as client:
        yield client


@pytest.fixture(scope="session")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Return the OpenAPI documents of api and maps."""
    folder = tmp_path_factory.mktemp("openapi") / "data"
    data = DataFolder(folder)
    data.create()
    fill_database(data)
    settings = ServiceSettings(data=folder, public_url="http://127.0.0.1:9", port=9)
    return {
        name: create(settings, hub=make_hub_access(name), verifier=TokenBook()).openapi()
        for name, create in (("api", create_api), ("maps", create_maps))
    }
