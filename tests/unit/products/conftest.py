import zipfile
from collections.abc import Iterator
from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr
from odc.geo.xr import xr_coords


@pytest.fixture(autouse=True)
def _own_scheduler() -> Iterator[None]:
    """Compute in threads, whatever Dask client another test left behind."""
    with dask.config.set(scheduler="threads"):
        yield


@pytest.fixture(scope="session")
def safe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small simulated product's SAFE folder; tests must not change it."""
    from skerry.simulate import simulate_s2_l2a

    return simulate_s2_l2a(tmp_path_factory.mktemp("scenes"), size=300, seed=3)


@pytest.fixture(scope="session")
def safe_zip(safe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same product as a zip archive, packed as providers do."""
    archive = tmp_path_factory.mktemp("zips") / f"{safe.name}.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(safe.rglob("*")):
            if path.is_file():
                target.write(path, Path(safe.name, path.relative_to(safe)).as_posix())
    return archive


@pytest.fixture
def odd_dataset() -> xr.Dataset:
    """Return 1031 by 773 pixels of 20 m: odd at several levels, with gaps and classes."""
    from affine import Affine
    from odc.geo.geobox import GeoBox

    shape = (1031, 773)
    grid = GeoBox(shape, Affine(20.0, 0.0, 399_960.0, 0.0, -20.0, 6_000_000.0), "EPSG:32633")
    generator = np.random.default_rng(7)
    values = generator.uniform(0, 40, shape).astype(np.float32)
    values[generator.uniform(size=shape) < 0.3] = np.nan
    classes = generator.integers(0, 12, shape, dtype=np.uint8)
    return xr.Dataset(
        {
            "turbidity": (("y", "x"), values, {"units": "FNU", "long_name": "turbidity"}),
            "scl": (("y", "x"), classes, {"flag_values": list(range(12))}),
        },
        coords=xr_coords(grid, "spatial_ref"),
        attrs={"title": "odd sizes", "simulated": True},
    )
