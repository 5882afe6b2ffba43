import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from skerry.core.digests import digest_tree
from skerry.core.errors import ConflictError, InvalidInputError
from skerry.products import find_drawable, open_product, write_geozarr
from skerry.products.coding.zarr_conventions import MULTISCALES, PROJ, SPATIAL
from skerry.products.geozarr.writing import read_written
from skerry.products.stores.stored import stored_behind

pytestmark = pytest.mark.slow

R20M = "measurements/reflectance/r20m"
SIZES = [(1031, 773), (516, 387), (258, 194), (129, 97)]
"""1031 by 773 halved and rounded up until it fits into 256, worked by hand."""


@pytest.fixture(scope="module")
def written(safe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the simulated product as GeoZarr."""
    target = tmp_path_factory.mktemp("written") / "product.zarr"
    write_geozarr(open_product(safe), target)
    return target


def test_every_level_has_its_own_shape_transform_and_bounds(
    odd_dataset: xr.Dataset, tmp_path: Path
) -> None:
    write_geozarr(odd_dataset, tmp_path / "odd.zarr")
    root = zarr.open_group(tmp_path / "odd.zarr", mode="r")
    attrs: dict[str, Any] = dict(root.attrs)
    layout = attrs["multiscales"]["layout"]
    assert [item["asset"] for item in layout] == ["0", "1", "2", "3"]
    for number, (entry, (rows, columns)) in enumerate(zip(layout, SIZES, strict=True)):
        step = 20.0 * 2**number
        left, top = 399_960.0, 6_000_000.0
        bounds = [left, top - rows * step, left + columns * step, top]
        level: Any = root[str(number)]
        for described in (entry, dict(level.attrs)):
            assert described["spatial:shape"] == [rows, columns]
            assert described["spatial:transform"] == [step, 0.0, left, 0.0, -step, top]
            assert described["spatial:bbox"] == bounds
        assert level["turbidity"].shape == (rows, columns)
        assert level["x"][:2].tolist() == [left + step / 2, left + 1.5 * step]
        assert level["y"][-1] == bounds[1] + step / 2
        if number:
            assert entry["derived_from"] == str(number - 1)
            assert entry["transform"] == {"scale": [2.0, 2.0], "translation": [0.0, 0.0]}


def test_the_conventions_are_named(odd_dataset: xr.Dataset, tmp_path: Path) -> None:
    write_geozarr(odd_dataset, tmp_path / "odd.zarr")
    root = zarr.open_group(tmp_path / "odd.zarr", mode="r")
    assert root.attrs["zarr_conventions"] == [MULTISCALES, SPATIAL, PROJ]
    assert root.attrs["proj:code"] == "EPSG:32633"
    assert root.attrs["spatial:dimensions"] == ["y", "x"]
    assert root.attrs["spatial:shape"] == [1031, 773]
    assert root.attrs["title"] == "odd sizes"
    array: Any = root["0/turbidity"]
    assert array.metadata.dimension_names == ("y", "x")
    assert array.chunks == (512, 512)
    assert root.metadata.consolidated_metadata is not None


def test_overviews_average_valid_pixels_and_edges_use_what_is_there(
    odd_dataset: xr.Dataset, tmp_path: Path
) -> None:
    write_geozarr(odd_dataset, tmp_path / "odd.zarr")
    values = odd_dataset["turbidity"].to_numpy().astype(np.float64)
    for level, (rows, columns) in enumerate(SIZES[1:], start=1):
        padded = np.full((2 * rows, 2 * columns), np.nan)
        padded[: values.shape[0], : values.shape[1]] = values
        blocks = padded.reshape(rows, 2, columns, 2)
        count = np.isfinite(blocks).sum(axis=(1, 3))
        total = np.nansum(blocks, axis=(1, 3))
        values = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        stored = open_product(tmp_path / "odd.zarr", level=level)["turbidity"].to_numpy()
        np.testing.assert_allclose(stored, values, rtol=1e-5)


def test_classes_keep_to_the_classes_there_are(odd_dataset: xr.Dataset, tmp_path: Path) -> None:
    classes = odd_dataset["scl"].copy(data=np.where(odd_dataset["scl"] < 6, 1, 11).astype("u1"))
    write_geozarr(odd_dataset.assign(scl=classes), tmp_path / "odd.zarr")
    coarse = open_product(tmp_path / "odd.zarr", level=2)["scl"].to_numpy()
    assert set(np.unique(coarse)) <= {1, 11}


def test_a_product_comes_back_as_it_was(safe: Path, written: Path) -> None:
    before, after = open_product(safe), open_product(written)
    assert set(before.groups) == set(after.groups)
    assert before.attrs == after.attrs
    for node in before.subtree:
        xr.testing.assert_identical(
            node.to_dataset(inherit=False).compute(),
            after[node.path].to_dataset(inherit=False).compute(),
        )


def test_reflectance_stays_packed(written: Path) -> None:
    array: Any = zarr.open_array(written, path=f"{R20M}/0/b05", mode="r")
    assert array.dtype == np.uint16
    assert array.fill_value == 0
    assert array.attrs["scale_factor"] == 1e-4
    assert array.attrs["add_offset"] == -0.1
    assert array.attrs["_FillValue"] == 0
    assert array.attrs["grid_mapping"] == "spatial_ref"


def test_what_was_written_is_at_hand_without_opening_it(safe: Path, tmp_path: Path) -> None:
    product = open_product(safe)
    write_geozarr(product, tmp_path / "product.zarr", leave_out=("quality",))
    at_hand = read_written(product, tmp_path / "product.zarr", leave_out=("quality",))
    opened = open_product(tmp_path / "product.zarr")
    assert at_hand.name == product.name
    assert at_hand.attrs["stac_discovery"] == opened.attrs["stac_discovery"]
    assert {node.path for node in at_hand.subtree} == {node.path for node in opened.subtree}
    for node in at_hand.subtree:
        for name, array in node.data_vars.items():
            xr.testing.assert_equal(array, opened[node.path][name])
    numbers = stored_behind(at_hand[R20M]["b05"].data)
    assert numbers is not None
    assert isinstance(numbers.numbers, zarr.Array)


def test_what_was_written_of_a_dataset_is_north_up(odd_dataset: xr.Dataset, tmp_path: Path) -> None:
    south_up = odd_dataset.isel(y=slice(None, None, -1)).assign(wet=odd_dataset["turbidity"] > 20)
    write_geozarr(south_up, tmp_path / "odd.zarr")
    at_hand = read_written(south_up, tmp_path / "odd.zarr").to_dataset()
    xr.testing.assert_equal(at_hand, open_product(tmp_path / "odd.zarr").to_dataset())


def test_plain_xarray_reads_it(safe: Path, written: Path) -> None:
    plain = xr.open_zarr(written, group=f"{R20M}/0", consolidated=False, chunks=None)
    ours = open_product(safe)[R20M]
    np.testing.assert_allclose(plain["b05"], ours["b05"], rtol=1e-6)
    assert "spatial_ref" in plain.coords


def test_other_readers_find_the_whole_products_box(written: Path) -> None:
    attrs = zarr.open_group(written, mode="r").attrs
    assert attrs["spatial:bbox"] == [399_960.0, 5_997_000.0, 402_960.0, 6_000_000.0]
    assert attrs["proj:code"] == "EPSG:32633"


def test_a_cut_out_keeps_its_place(safe: Path, tmp_path: Path) -> None:
    part = open_product(safe)[R20M].to_dataset()[["b04"]].isel(y=slice(11, 60), x=slice(7, 50))
    write_geozarr(part, tmp_path / "part.zarr")
    attrs = zarr.open_group(tmp_path / "part.zarr", mode="r").attrs
    left, top = 399_960.0 + 7 * 20, 6_000_000.0 - 11 * 20
    assert attrs["spatial:bbox"] == [left, top - 49 * 20, left + 43 * 20, top]
    back = open_product(tmp_path / "part.zarr").to_dataset()
    xr.testing.assert_equal(back["b04"].compute(), part["b04"].compute())


def test_progress_grows_to_one(odd_dataset: xr.Dataset, tmp_path: Path) -> None:
    seen: list[tuple[float, str]] = []
    write_geozarr(odd_dataset, tmp_path / "p.zarr", progress=lambda *one: seen.append(one))
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0, abs=0.02)
    assert {what for _, what in seen} == {"turbidity", "scl"}


def test_nothing_is_left_when_writing_breaks(odd_dataset: xr.Dataset, tmp_path: Path) -> None:
    def stop(_fraction: float, _what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_geozarr(odd_dataset, tmp_path / "half.zarr", progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_target_is_left_alone(odd_dataset: xr.Dataset, tmp_path: Path) -> None:
    (tmp_path / "p.zarr").mkdir()
    with pytest.raises(ConflictError, match=r"p\.zarr"):
        write_geozarr(odd_dataset, tmp_path / "p.zarr")


def test_the_same_product_gives_the_same_bytes(odd_dataset: xr.Dataset, tmp_path: Path) -> None:
    write_geozarr(odd_dataset, tmp_path / "a.zarr")
    write_geozarr(odd_dataset, tmp_path / "b.zarr")
    assert digest_tree(tmp_path / "a.zarr") == digest_tree(tmp_path / "b.zarr")


def test_a_dataset_without_reference_system_is_refused(tmp_path: Path) -> None:
    data = xr.Dataset({"v": (("y", "x"), np.zeros((3, 3)))}, coords={"x": range(3), "y": range(3)})
    with pytest.raises(InvalidInputError, match="no raster"):
        write_geozarr(data, tmp_path / "p.zarr")
    assert list(tmp_path.iterdir()) == []


def test_uneven_coordinates_are_refused_not_straightened(
    odd_dataset: xr.Dataset, tmp_path: Path
) -> None:
    x = odd_dataset["x"].to_numpy().copy()
    x[100:] += 500
    with pytest.raises(InvalidInputError, match="regular coordinates"):
        write_geozarr(odd_dataset.assign_coords(x=x), tmp_path / "uneven.zarr")
    assert list(tmp_path.iterdir()) == []


def test_coordinates_may_have_been_kept_as_float32(odd_dataset: xr.Dataset, tmp_path: Path) -> None:
    degrees = (13 + 0.0003 * np.arange(odd_dataset.sizes["x"])).astype(np.float32)
    write_geozarr(odd_dataset.assign_coords(x=degrees), tmp_path / "degrees.zarr")


def test_groups_can_be_left_out(safe: Path, tmp_path: Path) -> None:
    write_geozarr(
        open_product(safe), tmp_path / "p.zarr", leave_out=("quality", "conditions/mask/l1c")
    )
    groups = open_product(tmp_path / "p.zarr").groups
    assert not any(group.startswith("/quality") for group in groups)
    assert "/conditions/mask/l1c_classification/r60m" in groups


def test_bands_are_kept_beside_rows_and_columns(written: Path) -> None:
    array: Any = zarr.open_array(written, path="quality/l2a_quicklook/r10m/1/tci", mode="r")
    assert array.shape == (3, 150, 150)


def test_what_maps_can_draw(written: Path) -> None:
    result = find_drawable(written)
    assert result["b04"]["path"] == "measurements/reflectance/r10m/b04"
    assert result["b05"]["path"] == "measurements/reflectance/r20m/b05"
    assert result["b04"]["display_max"] == 0.3
    assert result["b04"]["units"] == "1"
    assert result["scl"]["path"] == "conditions/mask/l2a_classification/r20m/scl"
    assert len(result["scl"]["flag_colors"].split()) == len(result["scl"]["flag_values"]) == 12
    assert "tci" not in result
    for entry in result.values():
        group, _, name = entry["path"].rpartition("/")
        node: Any = zarr.open_group(written, path=group, mode="r")
        assert name in node[node.attrs["multiscales"]["layout"][0]["asset"]]


def test_what_maps_can_draw_of_one_dataset(odd_dataset: xr.Dataset, tmp_path: Path) -> None:
    write_geozarr(odd_dataset, tmp_path / "p.zarr")
    result = find_drawable(tmp_path / "p.zarr")
    assert result["turbidity"].items() >= {
        "path": "turbidity", "long_name": "turbidity", "units": "FNU",
    }.items()  # fmt: skip


def test_numbers_without_a_range_get_one_from_the_data(
    odd_dataset: xr.Dataset, tmp_path: Path
) -> None:
    packed = odd_dataset["turbidity"].copy()
    packed.encoding = {
        "dtype": "int16", "scale_factor": 0.01, "add_offset": 5.0, "_FillValue": -1,
    }  # fmt: skip
    ranged = odd_dataset["turbidity"].assign_attrs(display_min=1.0, display_max=2.0)
    empty = odd_dataset["turbidity"] * np.nan
    write_geozarr(
        odd_dataset.assign(packed=packed, ranged=ranged, empty=empty), tmp_path / "r.zarr"
    )
    result = find_drawable(tmp_path / "r.zarr")
    for name in ("turbidity", "packed"):
        assert 5 < result[name]["display_min"] < 18, name
        assert 22 < result[name]["display_max"] < 35, name
    assert (result["ranged"]["display_min"], result["ranged"]["display_max"]) == (1.0, 2.0)
    assert "display_min" not in result["empty"]
    assert "display_min" not in result["scl"]


def test_rows_run_from_north_to_south(odd_dataset: xr.Dataset, tmp_path: Path) -> None:
    write_geozarr(odd_dataset.isel(y=slice(None, None, -1)), tmp_path / "p.zarr")
    assert zarr.open_group(tmp_path / "p.zarr", mode="r").attrs["spatial:transform"][4] == -20
    back = open_product(tmp_path / "p.zarr")["turbidity"].compute()
    xr.testing.assert_equal(back, odd_dataset["turbidity"])


def test_dimensions_may_come_in_any_order(odd_dataset: xr.Dataset, tmp_path: Path) -> None:
    several = xr.concat([odd_dataset["turbidity"]] * 2, "time").transpose("y", "x", "time")
    times = np.array(["2026-05-01", "2026-05-06"], "datetime64[ns]")
    data = several.assign_coords(time=times).to_dataset(name="turbidity")
    data["mean"] = ("time", np.array([1.5, 2.5]))
    write_geozarr(data, tmp_path / "p.zarr")
    back = open_product(tmp_path / "p.zarr").to_dataset().compute()
    assert back["turbidity"].dims == ("time", "y", "x")
    assert np.array_equal(back["time"], times)
    assert back["mean"].to_numpy().tolist() == [1.5, 2.5]
    np.testing.assert_array_equal(back["turbidity"][1], odd_dataset["turbidity"])


def test_booleans_keep_their_type(odd_dataset: xr.Dataset, tmp_path: Path) -> None:
    data = odd_dataset[["turbidity"]] > 20
    write_geozarr(data, tmp_path / "p.zarr")
    back = open_product(tmp_path / "p.zarr")["turbidity"]
    assert back.dtype == bool
    assert np.array_equal(back, data["turbidity"])


def test_text_is_not_a_raster(odd_dataset: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="turbidity"):
        write_geozarr(odd_dataset[["turbidity"]].astype(str), tmp_path / "p.zarr")
    assert list(tmp_path.iterdir()) == []


def test_graphs_of_large_products_stay_small(tmp_path: Path, odd_dataset: xr.Dataset) -> None:
    write_geozarr(odd_dataset, tmp_path / "p.zarr", chunk=128)
    assert open_product(tmp_path / "p.zarr")["turbidity"].chunks == ((1031,), (773,))


def test_an_eopf_zarr_as_esa_writes_it(tmp_path: Path) -> None:
    """Zarr 2, packing and reference system in the arrays' attributes."""
    numbers = np.array([[0, 1000, 2000], [3000, 4000, 5000]], np.uint16)
    attrs = {
        "_ARRAY_DIMENSIONS": ["y", "x"], "add_offset": -0.1, "scale_factor": 0.0001,
        "fill_value": 0, "proj:epsg": 32632, "units": "digital_counts",
    }  # fmt: skip
    path = tmp_path / "S2A_MSIL2A.zarr"
    root = zarr.create_group(path, zarr_format=2, attributes={"stac_discovery": {"id": "S2A"}})
    group = root.create_group("measurements").create_group("reflectance").create_group("r10m")
    band = group.create_array("b04", shape=(2, 3), dtype="<u2", fill_value=0, attributes=attrs)
    band[...] = numbers
    for axis, values in {"y": [4_700_035, 4_700_025], "x": [699_965, 699_975, 699_985]}.items():
        names = {"_ARRAY_DIMENSIONS": [axis]}
        line = group.create_array(axis, shape=(len(values),), dtype="<i8", attributes=names)
        line[...] = np.array(values)
    tree = open_product(path)
    assert tree.attrs["stac_discovery"]["id"] == "S2A"
    data = tree["measurements/reflectance/r10m"].to_dataset()
    assert np.isnan(data["b04"][0, 0])
    assert data["b04"].to_numpy()[1].tolist() == pytest.approx([0.2, 0.3, 0.4])
    write_geozarr(data[["b04"]], tmp_path / "ours.zarr")
    written = zarr.open_group(tmp_path / "ours.zarr", mode="r").attrs
    assert written["spatial:bbox"] == [699_960, 4_700_020, 699_990, 4_700_040]
    assert written["proj:code"] == "EPSG:32632"


def test_levels_past_the_coarsest_give_the_coarsest(written: Path) -> None:
    assert open_product(written, level=9)[R20M]["b04"].shape == (150, 150)
    assert open_product(written, level=9)["measurements/reflectance/r10m"]["b04"].shape == (
        150,
        150,
    )
    assert math.isclose(
        float(open_product(written, level=1)["measurements/reflectance/r10m"].x[0]), 399_970.0
    )
