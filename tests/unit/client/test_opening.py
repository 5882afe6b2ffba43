"""`skerry.open` of what needs no platform."""

from pathlib import Path

import pytest
import xarray as xr
from tests.object_servers import locate, serve_folder
from tests.unit.products.small_trees import EVERYTHING, assemble

import skerry
from skerry.core.errors import NotFoundError
from skerry.products.writing import write_product


@pytest.mark.slow
def test_an_address_is_opened(tmp_path: Path) -> None:
    tree = assemble(5, 40, 40, EVERYTHING | {"packings": [2], "plain": []})
    write_product(tree, tmp_path / "a.zarr", form="eopf-zarr")
    expected = skerry.open(tmp_path / "a.zarr")
    with serve_folder(tmp_path) as server:
        actual = skerry.open(locate(server, "a.zarr"))
        for path in expected.groups:
            xr.testing.assert_identical(
                actual[path].to_dataset().compute(), expected[path].to_dataset().compute()
            )
        with pytest.raises(NotFoundError, match=r"There is no .*/b\.zarr"):
            skerry.open(locate(server, "b.zarr"))
