"""Partial products in every format: they open with a list of what is missing, complete ones not."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from skerry.products import open_product
from skerry.products.healing.completeness import SELECTION
from skerry.products.metadata import open_metadata
from skerry.products.writing import write_product
from skerry.simulate.kinds import SIMULATIONS

pytestmark = pytest.mark.slow

B04 = "measurements/reflectance/r10m/b04"
FORMS = [
    ("eopf-zarr-v2", "2025"), ("eopf-zarr-v2", "cpm-2.8"), ("eopf-zarr", "2025"),
    ("eopf-zarr", "cpm-2.8"), ("geozarr", None), ("netcdf", None), ("cog", None),
]  # fmt: skip


def missing_of(tree: xr.DataTree) -> Any:
    return tree.attrs["other_metadata"]["missing"]


def write(tree: xr.DataTree, place: Path, form: str, profile: str | None = None) -> Path:
    target = place / f"{form}-{profile}{'.nc' if form == 'netcdf' else '.zarr'}"
    write_product(tree, target, form=form, profile=profile)
    return target


@pytest.fixture(scope="module")
def tree(safe: Path) -> xr.DataTree:
    return open_product(safe)


@pytest.fixture(scope="module")
def complete(tree: xr.DataTree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the complete product in every format."""
    place = tmp_path_factory.mktemp("complete")
    for form, profile in FORMS:
        write(tree, place, form, profile)
    return place


@pytest.fixture
def stored(complete: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Return how to get a copy of a stored product, to be damaged."""

    def copy(name: str) -> Path:
        source = complete / name
        call = shutil.copytree if source.is_dir() else shutil.copy
        return Path(call(source, tmp_path / name))

    return copy


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(kind, marks=[pytest.mark.long] if kind != "olci-err" else [])
        for kind in SIMULATIONS
    ],
)
def whole(request: pytest.FixtureRequest, simulated: Callable[..., Path]) -> xr.DataTree:
    return open_product(simulated(request.param, size=66))


def test_complete_products_lack_nothing(whole: xr.DataTree, tmp_path: Path) -> None:
    assert missing_of(whole) == []
    swath = not any("spatial_ref" in node.coords for node in whole.subtree)
    for form, profile in FORMS:
        if swath and form in ("cog", "geozarr"):
            continue
        result = open_product(write(whole, tmp_path, form, profile))
        assert missing_of(result) == [], (form, profile)


def drop(tree: xr.DataTree) -> xr.DataTree:
    """Return a product without one band and one whole branch."""
    partial = tree.copy()
    partial["measurements/reflectance/r10m"] = xr.DataTree(
        tree["measurements/reflectance/r10m"].to_dataset(inherit=False).drop_vars("b04")
    )
    return partial.filter(lambda node: not node.path.startswith("/quality/mask"))


@pytest.mark.parametrize(("form", "profile"), FORMS)
def test_a_partial_product_says_what_it_lacks(
    tree: xr.DataTree, tmp_path: Path, form: str, profile: str | None
) -> None:
    result = open_product(write(drop(tree), tmp_path, form, profile))
    missing = missing_of(result)
    assert B04 in missing
    assert {item.split("/")[1] for item in missing if item != B04} == {"mask"}
    assert len(missing) == len(set(missing)) == 14


def test_what_came_back_is_no_longer_missing(tree: xr.DataTree, tmp_path: Path) -> None:
    listed = tree.copy()
    other = dict(tree.attrs["other_metadata"]) | {
        "missing": [B04, "INSPIRE document (INSPIRE.xml)"]
    }
    listed.attrs = dict(tree.attrs) | {"other_metadata": other}
    result = open_product(write(listed, tmp_path, "netcdf"))
    assert missing_of(result) == ["INSPIRE document (INSPIRE.xml)"]


def test_parts_on_purpose_lack_nothing(tree: xr.DataTree, tmp_path: Path) -> None:
    from skerry.products.selecting.filtering import filter_product

    part = filter_product(tree, groups=["measurements"], variables=["b0[238]"], resolution=10)
    result = open_product(write(part, tmp_path, "eopf-zarr"))
    assert missing_of(result) == []
    by = result.attrs["other_metadata"][SELECTION]
    assert by == ["groups", "variables", "resolution"]
    assert SELECTION not in tree.attrs["other_metadata"]


@pytest.mark.parametrize("name", ["eopf-zarr-2025.zarr", "eopf-zarr-v2-cpm-2.8.zarr"])
def test_a_removed_array_is_missing_though_the_metadata_list_it(
    stored: Callable[[str], Path], name: str
) -> None:
    place = stored(name)
    shutil.rmtree(place / B04)
    result = open_product(place)
    assert missing_of(result) == [B04]
    assert "b04" not in result["measurements/reflectance/r10m"].data_vars


def test_a_removed_array_of_no_known_type_is_missing(tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    for name in ("one", "two"):
        root.create_array(f"group/{name}", shape=(2,), dtype="f8")[:] = 1
    zarr.consolidate_metadata(tmp_path / "a.zarr")
    assert "other_metadata" not in open_product(tmp_path / "a.zarr").attrs
    shutil.rmtree(tmp_path / "a.zarr/group/two")
    assert missing_of(open_product(tmp_path / "a.zarr")) == ["group/two"]


def test_a_removed_cog_is_missing(stored: Callable[[str], Path]) -> None:
    place = stored("cog-None.zarr")
    (place / f"{B04}.tif").unlink()
    result = open_product(place)
    assert missing_of(result) == [B04]
    assert "b02" in result["measurements/reflectance/r10m"].data_vars


def test_a_removed_member_is_missing(tmp_path: Path, simulated: Callable[..., Path]) -> None:
    tree = open_product(simulated("s1-iw-grd", size=66))
    first, second = sorted(tree.children)
    part = tree.filter(lambda node: not node.path.startswith(f"/{first}"))
    missing = missing_of(open_product(write(part, tmp_path, "eopf-zarr")))
    assert f"{first}/measurements/grd" in missing
    assert not any(item.startswith(second) for item in missing)


@pytest.mark.parametrize("name", ["eopf-zarr-v2-2025.zarr", "eopf-zarr-2025.zarr"])
def test_coordinates_without_chunks_come_from_the_grid(
    stored: Callable[[str], Path], complete: Path, name: str
) -> None:
    place = stored(name)
    group = place / "measurements/reflectance/r10m"
    chunk = "0" if "v2" in name else "c/0"
    (group / f"x/{chunk}").unlink()
    shutil.rmtree(group / "y")
    result = open_product(place)
    sound = open_product(complete / name)["measurements/reflectance/r10m"]
    for axis in ("x", "y"):
        values = result["measurements/reflectance/r10m"][axis].values
        np.testing.assert_array_equal(values, sound[axis].values)
    (message,) = result.attrs["other_metadata"]["healed"]
    assert message.startswith("coordinates: /measurements/reflectance/r10m has y from")
    assert missing_of(result) == []


def test_coordinates_that_nothing_tells_are_missing(stored: Callable[[str], Path]) -> None:
    place = stored("eopf-zarr-v2-2025.zarr")
    attrs = json.loads((place / ".zattrs").read_text())
    del attrs["stac_discovery"]["properties"]["proj:bbox"]
    (place / ".zattrs").write_text(json.dumps(attrs))
    (place / "measurements/reflectance/r10m/x/0").unlink()
    shutil.rmtree(place / "measurements/reflectance/r20m/y")
    actual = open_product(place)
    expected = {"measurements/reflectance/r10m/x", "measurements/reflectance/r20m/y"}
    assert set(missing_of(actual)) == expected
    (message,) = actual.attrs["other_metadata"]["unhealed"]
    assert message.startswith("coordinates: /measurements/reflectance/r10m")


def test_a_stale_transform_places_nothing(tree: xr.DataTree, tmp_path: Path) -> None:
    """A cropped product keeps the GeoTransform of the whole one, which is wrong for it."""
    from skerry.products.selecting.filtering import filter_product

    data = tree["measurements/reflectance/r10m"]
    edges = [float(data.x[40]), float(data.y[200]), float(data.x[200]), float(data.y[40])]
    part = filter_product(tree, aoi=edges, aoi_crs="EPSG:32633")
    place = write(part, tmp_path, "eopf-zarr-v2")
    sound = open_product(place)["measurements/reflectance/r10m"].x.values
    (place / "measurements/reflectance/r10m/x/0").unlink()
    result = open_product(place)
    path = "measurements/reflectance/r10m/x"
    assert path in missing_of(result) or np.array_equal(result[path].values, sound)


def test_times_without_values_are_missing(tmp_path: Path) -> None:
    times = np.array(["2026-05-01", "NaT"], "M8[ns]")
    data = xr.Dataset({"level": ("time", [1.0, 2.0])}, coords={"time": times})
    tree = xr.DataTree.from_dict({"/measurements": data}, name="a")
    assert missing_of(open_product(write(tree, tmp_path, "netcdf"))) == ["measurements/time"]


@pytest.mark.real_data
def test_real_products_lack_nothing() -> None:
    files = sorted((Path(os.environ["SKERRY_REAL_DATA"]) / "eopf").glob("*/*.json"))
    assert len(files) == 5
    for file in files:
        assert missing_of(open_metadata(file)) == [], file.name
