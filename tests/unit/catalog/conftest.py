"""A migrated database of either kind, and objects in a folder of its own."""

import pytest
from tests.databases import connection, data, engine

from skerry.storage.layout import DataFolder
from skerry.storage.object_folder import ObjectFolder

__all__ = ["connection", "data", "engine"]


@pytest.fixture
def objects(data: DataFolder) -> ObjectFolder:
    return ObjectFolder(data.objects)
