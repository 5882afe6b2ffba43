"""The whole road on the real platform, as the README writes it, and what came out at its end."""

import io
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
import rasterio
from matplotlib import colormaps
from matplotlib.colors import Normalize
from PIL import Image
from rasterio.transform import from_origin
from rasterio.warp import Resampling, reproject
from tests.platform_process import RunningPlatform

from skerry.core.digests import digest_tree

ROOT = Path(__file__).parents[2]
WORLD_M = 20037508.342789244


def read_road() -> str:
    """Return the README's one fenced block under its heading."""
    text = (ROOT / "README.md").read_text()
    section = text.split("## From scene to map in ten lines")[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL)
    assert len(blocks) == 1
    return blocks[0]


class Road:
    """What the ten lines left behind."""

    def __init__(self, platform: RunningPlatform, folder: Path, printed: str) -> None:
        self.platform = platform
        self.folder = folder
        self.printed = printed

    def ask(self, path: str, **params: str) -> Any:
        """Return the JSON that the platform answers the owner with."""
        with self.platform.http(self.platform.token) as client:
            return client.get(path, params=params).raise_for_status().json()

    @property
    def run(self) -> dict[str, Any]:
        """The last run of the job `lake`."""
        last = self.ask("/services/api/production/runs", job="lake")["runs"][0]
        return self.ask(f"/services/api/production/runs/{last['id']}")

    @property
    def item(self) -> dict[str, Any]:
        """The one item of the collection `lake`."""
        [item] = self.ask("/services/api/stac/search", collections="lake")["features"]
        return item


@pytest.fixture(scope="module")
def road(running_platform: RunningPlatform, tmp_path_factory: pytest.TempPathFactory) -> Road:
    """Paste the README's ten lines into a shell, as they stand."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in (".venv", "notebooks"):
        (folder / name).symlink_to(ROOT / name)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", read_road()],
        cwd=folder,
        env=running_platform.env | {"HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return Road(running_platform, folder, done.stdout)


def test_road_is_ten_lines() -> None:
    assert len(read_road().strip().splitlines()) == 10


def test_road_ends_with_a_map(road: Road) -> None:
    assert "/services/dashboards/map?item=lake/" in road.printed.strip().splitlines()[-1]


def test_run_succeeded_at_the_first_attempt(road: Road) -> None:
    run = road.run
    assert run["status"] == "succeeded"
    assert [attempt["epoch"] for attempt in run["attempts"]] == [1]
    assert run["self_approved"] is True
    assert run["progress"]["done"] == run["progress"]["total"] > 5


def test_published_bytes_match_their_digests(road: Road) -> None:
    properties = road.item["properties"]
    folder = road.platform.data / "objects" / properties["skerry:prefix"]
    assert folder.is_dir()
    manifest = road.ask(f"/services/api/production/runs/{road.run['id']}/files/manifest.json")
    [output] = manifest["outputs"]
    assert output["digest"] == properties["skerry:digest"]
    assert manifest["isolation"] == "none"
    assert manifest["self_approved"] is True
    release = road.ask("/services/api/production/releases")["releases"][0]
    assert manifest["notebook_digest"] == release["notebook_digest"]
    assert manifest["environment_digest"] == release["environment_digest"]
    assert digest_tree(folder / "product.zarr")


def test_product_is_marked_simulated_and_indicative(road: Road) -> None:
    properties = road.item["properties"]
    assert properties["skerry:simulated"] is True
    assert "SIMULATED" in properties["title"].upper()
    executed = road.ask(f"/services/api/production/runs/{road.run['id']}/files/executed.ipynb")
    text = json.dumps(executed)
    assert "indicative" in text.lower()
    assert road.platform.token not in text


def test_exported_geotiff_holds_plausible_turbidity(road: Road) -> None:
    with rasterio.open(road.folder / "build" / "turbidity.tif") as source:
        values = source.read(1, masked=True)
        assert source.crs.to_epsg() == 32633
        assert source.overviews(1)
    valid = values.compressed()
    assert valid.size > 1000
    assert 0 < np.percentile(valid, 50) < 100


@pytest.mark.parametrize("zoom", [9, 11, 13])
def test_tile_equals_an_independent_warp_and_palette(road: Road, zoom: int) -> None:
    item = road.item
    west, south, east, north = item["bbox"]
    x, y = tile_of((west + east) / 2, (south + north) / 2, zoom)
    drawable = item["properties"]["skerry:variables"]["turbidity"]
    path = f"/services/maps/tiles/lake/{item['id']}/turbidity/{zoom}/{x}/{y}.png"
    with road.platform.http(road.platform.token) as client:
        answer = client.get(path).raise_for_status()
    drawn = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGBA"))
    expected = paint(warp(road.folder / "build" / "turbidity.tif", zoom, x, y), drawable)
    visible = expected[..., 3] > 0
    assert visible.mean() > 0.005
    if zoom == 13:  # finer than the product: the same cells, so the same pixels
        apart = np.abs(drawn.astype(int) - expected)  # matplotlib cuts colours where we round
        assert np.mean(np.all(apart <= [1, 1, 1, 0], axis=-1)) > 0.99
    else:  # an overview of averages against the full product: the same place
        both = (drawn[..., 3] > 0) & visible
        assert both.sum() > 0.7 * visible.sum()


def tile_of(longitude: float, latitude: float, zoom: int) -> tuple[int, int]:
    """Return the XYZ tile of a place (slippy map tile names)."""
    count = 2**zoom
    y = (1 - np.arcsinh(np.tan(np.radians(latitude))) / np.pi) / 2 * count
    return int((longitude + 180) / 360 * count), int(y)


def warp(source: Path, zoom: int, x: int, y: int) -> np.ndarray:
    """Return a 256 x 256 tile of the GeoTIFF by GDAL's exact transformer, nan outside."""
    side = 2 * WORLD_M / 2**zoom
    grid = from_origin(-WORLD_M + x * side, WORLD_M - y * side, side / 256, side / 256)
    out = np.full((256, 256), np.nan, "float32")
    with rasterio.open(source) as dataset:
        values = dataset.read(1, masked=True).astype("float32")
        values = values * (dataset.scales[0] or 1) + dataset.offsets[0]
        reproject(
            values.filled(np.nan), out, src_transform=dataset.transform, src_crs=dataset.crs,
            dst_transform=grid,
            dst_crs="EPSG:3857", src_nodata=np.nan, dst_nodata=np.nan,
            resampling=Resampling.nearest, tolerance=0,
        )  # fmt: skip
    return out


def paint(values: np.ndarray, drawable: dict[str, Any]) -> np.ndarray:
    """Return RGBA as matplotlib colours the values between the variable's limits in 255 steps."""
    scale = Normalize(drawable["display_min"], drawable["display_max"])
    painted = colormaps[drawable["colormap"]].resampled(255)(scale(values), bytes=True)
    painted[np.isnan(values)] = 0
    return np.asarray(painted)


def test_second_paste_of_the_import_changes_nothing(road: Road) -> None:
    [scene] = (road.folder / "build" / "scenes").glob("*.SAFE")
    before = sorted(path.name for path in (road.platform.data / "objects" / "imports").iterdir())
    again = road.platform.run("import", str(scene), "--json")
    assert json.loads(again.stdout)
    after = sorted(path.name for path in (road.platform.data / "objects" / "imports").iterdir())
    assert after == before


def test_a_release_that_nobody_approved_does_not_run(road: Road, tmp_path: Path) -> None:
    notebook = nbformat.read(ROOT / "notebooks/production/s2_water_quality.ipynb", as_version=4)
    notebook.cells.append(nbformat.v4.new_markdown_cell("Changed after review."))
    changed = tmp_path / "changed.ipynb"
    nbformat.write(notebook, changed)
    platform = road.platform
    proposed = platform.run("release", "propose", str(changed), "--name", "changed", "--json")
    release = json.loads(proposed.stdout)["id"]
    refused = platform.run("job", "create", "changed", "--release", release, check=False)
    assert refused.returncode == 2
    assert "approve" in refused.stderr
