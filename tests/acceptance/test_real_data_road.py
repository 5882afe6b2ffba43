"""The road with a real Sentinel-2 L2A product; collected only where SKERRY_REAL_DATA names one."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from tests.platform_process import RunningPlatform

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "production" / "s2_water_quality.ipynb"

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def published(running_platform: RunningPlatform) -> str:
    """Import the real product, run the production notebook on it, return the item's name."""
    [scene] = Path(os.environ["SKERRY_REAL_DATA"], "safe").glob("*.SAFE")
    run = running_platform.run
    run("import", str(scene))
    run("release", "propose", str(NOTEBOOK), "--name", "real-water")
    run("release", "approve", "real-water", "--self")
    run("job", "create", "real-lake", "--release", "real-water", "--review", "none")
    name = f"sentinel-2-l2a/{scene.stem}"
    run("run", "start", "real-lake", "-p", f"item={name}", "--wait")
    return run("items", "list", "--collection", "real-lake", "--quiet").stdout.strip()


def test_missing_bands_are_named(published: str, running_platform: RunningPlatform) -> None:
    listed = running_platform.run("items", "list", "--collection", "sentinel-2-l2a", "--json")
    [item] = json.loads(listed.stdout)["features"]
    missing = item["properties"]["skerry:missing"]
    assert "measurements/reflectance/r10m/b02" in missing
    assert "measurements/reflectance/r20m/b05" in missing
    assert "measurements/reflectance/r60m/b04" not in missing
    assert item["properties"]["skerry:simulated"] is False


@pytest.mark.parametrize(
    ("variable", "median", "high"), [("turbidity", (2.5, 3.3), 120), ("ndci", (-0.05, 0.05), 0.5)]
)
def test_lake_has_the_values_of_an_independent_reading(
    variable: str,
    median: tuple[float, float],
    high: float,
    published: str,
    running_platform: RunningPlatform,
    tmp_path: Path,
) -> None:
    target = tmp_path / "lake.tif"
    running_platform.run("export", published, "--variable", variable, "-o", str(target))
    with rasterio.open(target) as source:
        values = source.read(1, masked=True).compressed()
        assert source.crs.to_epsg() == 32629
    values = values[np.isfinite(values)]
    assert 35_000 < values.size < 42_000
    assert median[0] < np.percentile(values, 50) < median[1]
    assert np.percentile(values, 98) < high
