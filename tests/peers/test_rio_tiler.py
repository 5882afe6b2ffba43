"""rio-tiler reads our values, by windows, points and overviews, in GeoZarr and COGs."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr
from tests.peers.comparison import check_values
from tests.peers.simulated_products import SimulatedProducts

from skerry.products import write_cog_set, write_geozarr
from skerry.products.zarr_opening import open_zarr_product

pytestmark = pytest.mark.peers

SCRIPT = Path(__file__).with_name("read_pixels.py")
CRS = "EPSG:32633"
SCL = "conditions/mask/l2a_classification/r20m/scl"
VARIABLES = [
    *(f"measurements/reflectance/r10m/{item}" for item in ("b02", "b08")),
    *(f"measurements/reflectance/r20m/{item}" for item in ("b05", "b8a", "b12")),
    *(f"measurements/reflectance/r60m/{item}" for item in ("b01", "b09")),
    SCL, "quality/atmosphere/r20m/wvp", "quality/mask/r20m/b05",
]  # fmt: skip
ROWS, COLUMNS = slice(17, 80), slice(8, 91)
"""Off the middle and not square, so that a flip or a transposed read shows."""
POINT = (40, 23)
"""Row and column."""
OVERVIEW = "measurements/reflectance/r10m/b02"


def edges(image: xr.DataArray) -> tuple[float, float, float, float]:
    """Return west, south, east, north of an image's outermost pixels' outer edges."""
    half = float(image.x[1] - image.x[0]) / 2
    west, east = float(image.x[0]) - half, float(image.x[-1]) + half
    return west, float(image.y[-1]) - half, east, float(image.y[0]) + half


def list_questions(tree: xr.DataTree, store: Path, cogs: Path) -> dict[str, dict[str, Any]]:
    questions: dict[str, dict[str, Any]] = {}
    for path in VARIABLES:
        group, _, name = path.rpartition("/")
        image = tree[path]
        window = edges(image[ROWS, COLUMNS])
        point = (float(image.x[POINT[1]]), float(image.y[POINT[0]]))
        for form, place in (("geozarr", store), ("cog", cogs / f"{path}.tif")):
            where = {"place": str(place), "group": group, "variable": name, "crs": CRS}
            questions[f"{form} {path}"] = where | {"box": window}
            questions[f"{form} point {path}"] = where | {"point": point}
    image = tree[OVERVIEW]
    group, _, name = OVERVIEW.rpartition("/")
    half = tuple(item // 2 for item in image.shape)
    questions["overview"] = {
        "place": str(store), "group": group, "variable": name, "crs": CRS, "box": edges(image),
        "shape": half,
    }  # fmt: skip
    return questions


@pytest.fixture(scope="module")
def written(
    simulated: SimulatedProducts, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Return a product as GeoZarr and as a set of COGs."""
    folder = tmp_path_factory.mktemp("written")
    write_geozarr(simulated.tree("s2-l2a"), folder / "a.zarr")
    write_cog_set(simulated.tree("s2-l2a"), folder / "cogs")
    return folder / "a.zarr", folder / "cogs"


@pytest.fixture(scope="module")
def seen(
    simulated: SimulatedProducts, written: tuple[Path, Path], peers_python: Path
) -> dict[str, npt.NDArray]:
    """Return rio-tiler's answers."""
    folder = written[0].parent
    questions = list_questions(simulated.tree("s2-l2a"), *written)
    (folder / "questions.json").write_text(json.dumps(questions))
    done = subprocess.run(
        [peers_python, SCRIPT, folder / "questions.json", folder / "out.npz"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with np.load(folder / "out.npz") as found:
        return {name: found[name] for name in found.files}


def unpack(numbers: npt.NDArray, image: xr.DataArray) -> npt.NDArray:
    """rio-tiler gives a Zarr's numbers as they are stored."""
    packing = image.encoding
    values = numbers * packing.get("scale_factor", 1.0) + packing.get("add_offset", 0.0)
    return np.where(numbers == packing.get("_FillValue"), np.nan, values)


@pytest.mark.parametrize("path", VARIABLES)
def test_it_reads_our_values(
    path: str, simulated: SimulatedProducts, seen: dict[str, npt.NDArray]
) -> None:
    image = simulated.tree("s2-l2a")[path].load()
    window, point = image[ROWS, COLUMNS].to_numpy(), image[POINT].to_numpy()
    measured = path.startswith("measurements/")
    assert not measured or np.nanstd(window) > 0
    for form in ("geozarr", "cog"):
        theirs = np.append(seen[f"{form} {path}"], seen[f"{form} point {path}"])
        if form == "geozarr":
            theirs = unpack(theirs, image)
        check_values(theirs.astype(image.dtype), np.append(window, point), f"{form} {path}")


def test_it_reads_the_overview_of_half_the_size(
    simulated: SimulatedProducts, written: tuple[Path, Path], seen: dict[str, npt.NDArray]
) -> None:
    ours = open_zarr_product(written[0], level=1)[OVERVIEW]
    assert ours.shape == seen["overview"].shape
    check_values(
        unpack(seen["overview"], simulated.tree("s2-l2a")[OVERVIEW]).astype(np.float32),
        ours.to_numpy(),
        "overview",
    )
