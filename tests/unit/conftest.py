"""What unit tests of several rooms need. Tests must not change what a session makes once."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx
    import xarray as xr
    from tests.served_api import ServedApi


@pytest.fixture(autouse=True)
def _own_scheduler() -> Iterator[None]:
    """Compute in threads, whatever Dask client another test left behind."""
    import dask

    with dask.config.set(scheduler="threads"):
        yield


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApi]:
    from tests.served_api import serve_api

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


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return how to get a simulated SAFE product, the only one of its folder beside its truth.

    Whatever process asks first makes it, for all that share the tests.
    """
    from skerry.core.digests import digest_json
    from skerry.simulate import simulate_product
    from skerry.storage.locks import hold_lock

    top = tmp_path_factory.getbasetemp()
    shared = (top.parent if "PYTEST_XDIST_WORKER" in os.environ else top) / "simulated"
    shared.mkdir(exist_ok=True)

    def get(kind: str, **arguments: Any) -> Path:
        arguments = {"day": "2026-05-01", "seed": 3, **arguments}
        name = digest_json({"kind": kind, **arguments}).rpartition(":")[2]
        folder = shared / name[:16]
        with hold_lock(shared / f"{name[:16]}.lock"):
            if not folder.exists():
                aside = folder.with_suffix(".partial")
                simulate_product(kind, aside, **arguments)
                aside.rename(folder)
        [product] = [path for path in folder.iterdir() if path.is_dir()]
        return product

    return get


@pytest.fixture(scope="session")
def safe(simulated: Callable[..., Path]) -> Path:
    """Return a small simulated Sentinel-2 L2A product's SAFE folder."""
    return simulated("s2-l2a", size=300)


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
    import numpy as np
    import xarray as xr
    from affine import Affine
    from odc.geo.geobox import GeoBox
    from odc.geo.xr import xr_coords

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
