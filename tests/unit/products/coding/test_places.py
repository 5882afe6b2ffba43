"""Where CF files say that their rasters lie, against netCDF4, xarray, pyproj and odc-geo."""

from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import odc.geo.xr  # noqa: F401 -- registers the accessor
import pytest
import xarray as xr
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import CRS
from tests.examples import examples
from tests.unit.products.coding.cf_files import Axis, CfFile, write_netcdf4, write_zarr

from skerry.core.errors import InvalidInputError
from skerry.products import filter_product, open_product, write_product
from skerry.products.coding.places import choose_mapping, find_axis, find_factor, split_mapping
from skerry.products.grids import grid_of
from skerry.products.zarr_opening import open_zarr_product
from skerry.validation import validate_product

NUMBERS = np.arange(20, dtype=np.float32).reshape(4, 5)
UTM = CRS(32633)
GEOSTATIONARY = {
    "grid_mapping_name": "geostationary", "perspective_point_height": 35786023.0,
    "semi_major_axis": 6378137.0, "semi_minor_axis": 6356752.31414,
    "longitude_of_projection_origin": -75.0, "latitude_of_projection_origin": 0.0,
    "sweep_angle_axis": "x",
}  # fmt: skip
ROTATED = {
    "grid_mapping_name": "rotated_latitude_longitude", "grid_north_pole_latitude": 39.25,
    "grid_north_pole_longitude": -162.0,
}  # fmt: skip
LONGITUDE = {"standard_name": "longitude", "units": "degrees_east"}
LATITUDE = {"standard_name": "latitude", "units": "degrees_north"}


def say_parameters(crs: CRS) -> dict[str, Any]:
    """Return a system by its parameters alone."""
    return {
        key: item for key, item in crs.to_cf().items()
        if key != "crs_wkt" and isinstance(item, str | float | int)
    }  # fmt: skip


def read_grid(path: Path) -> Any:
    result = grid_of(open_product(path).to_dataset())
    assert result is not None
    return result


@st.composite
def placed_files(draw: st.DrawFn) -> tuple[CfFile, float]:
    """Give a file in UTM zone 33, however it says so, and the length of its units in metres."""
    says = draw(st.sampled_from(("axis", "standard_name", "name")))
    unit, length = draw(st.sampled_from((("m", 1.0), ("metres", 1.0), ("km", 1e3), ("", 1.0))))
    axes = {}
    for axis, centres in (("y", 6e6 - 30 * np.arange(4)), ("x", 5e5 + 30 * np.arange(5))):
        name = axis if says == "name" else draw(st.sampled_from((f"{axis}c", f"n{axis}", axis)))
        attrs = {"units": unit} if unit else {}
        if says != "name":
            text = axis.upper() if says == "axis" else f"projection_{axis}_coordinate"
            attrs[says] = text
        axes[axis] = Axis(name, centres / length, attrs)
    mapping = draw(st.sampled_from(("spatial_ref", "crs", "utm")))
    names = f"{axes['x'].name} {axes['y'].name}"
    named = draw(st.sampled_from((mapping, f"{mapping}: {names}")))
    system = draw(st.sampled_from((
        {"crs_wkt": UTM.to_wkt()}, {"spatial_ref": UTM.to_wkt("WKT1_GDAL")}, say_parameters(UTM),
    )))  # fmt: skip
    attrs = {"grid_mapping": named, "units": "1"}
    return CfFile(NUMBERS, attrs, axes["y"], axes["x"], {mapping: system}), length


@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(placed=placed_files(), container=st.sampled_from(("netcdf", "zarr-2", "zarr-3")))
def test_a_grid_is_found_however_it_is_said(
    placed: tuple[CfFile, float], container: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file, length = placed
    folder = tmp_path_factory.mktemp("cf")
    if container == "netcdf":
        path = write_netcdf4(folder / "a.nc", file)
        with netCDF4.Dataset(path) as read:
            centres = {name: read[name][:].data for name in (file.rows.name, file.columns.name)}
    else:
        path = write_zarr(folder / "a.zarr", file, int(container[-1]))
        plain = xr.open_zarr(path, consolidated=False)
        centres = {name: plain[name].to_numpy() for name in (file.rows.name, file.columns.name)}
    grid = read_grid(path)
    assert grid.crs.proj.is_exact_same(UTM) or grid.crs.proj.to_cf()["grid_mapping_name"] == (
        "transverse_mercator"
    )
    result = open_product(path)
    np.testing.assert_allclose(result["y"], centres[file.rows.name] * length)
    np.testing.assert_allclose(result["x"], centres[file.columns.name] * length)
    np.testing.assert_allclose(grid.resolution.xy, (30.0, -30.0))
    np.testing.assert_array_equal(result["v"], NUMBERS)
    assert result["v"].encoding["grid_mapping"] == "spatial_ref"


def test_odc_geo_finds_the_same_grid(tmp_path: Path) -> None:
    rows = Axis("lat", 54.0 - 0.1 * np.arange(4), LATITUDE)
    columns = Axis("lon", 13.0 + 0.1 * np.arange(5), LONGITUDE)
    file = CfFile(NUMBERS, {}, rows, columns)
    path = write_netcdf4(tmp_path / "a.nc", file)
    grid = read_grid(path)
    with xr.open_dataset(path, engine="netcdf4") as plain:
        theirs = plain.odc.geobox
    assert grid.crs.epsg == 4326
    assert grid.shape == theirs.shape
    np.testing.assert_allclose(grid.affine[:6], theirs.affine[:6])
    (message,) = open_product(path).attrs["other_metadata"]["healed"]
    assert message.startswith("grid-mapping: / has latitudes and longitudes of no named system")


@pytest.mark.slow
def test_angles_of_a_geostationary_satellite_become_metres(tmp_path: Path) -> None:
    height = GEOSTATIONARY["perspective_point_height"]
    rows = Axis("y", 0.1 - 5.6e-5 * np.arange(4),
                {"standard_name": "projection_y_coordinate", "units": "rad"})  # fmt: skip
    text = {"standard_name": "projection_x_angular_coordinate", "units": "rad"}
    columns = Axis("x", -0.03 + 5.6e-5 * np.arange(5), text)
    attrs = {"grid_mapping": "goes", "units": "K"}
    path = write_netcdf4(
        tmp_path / "a.nc", CfFile(NUMBERS, attrs, rows, columns, {"goes": GEOSTATIONARY})
    )
    result = open_product(path)
    np.testing.assert_allclose(result["x"], columns.values * height)
    assert result["x"].attrs["units"] == "m"
    grid = read_grid(path)
    assert grid.crs.proj == CRS.from_cf(GEOSTATIONARY)
    write_product(result, tmp_path / "b.zarr", form="geozarr")
    again = read_grid(tmp_path / "b.zarr")
    np.testing.assert_allclose(again.affine[:6], grid.affine[:6], rtol=1e-9)


def test_a_turned_pole(tmp_path: Path) -> None:
    rows = Axis("rlat", 1.0 - 0.1 * np.arange(4),
                {"standard_name": "grid_latitude", "units": "degrees"})  # fmt: skip
    columns = Axis("rlon", -2.0 + 0.1 * np.arange(5),
                   {"standard_name": "grid_longitude", "units": "degrees"})  # fmt: skip
    attrs = {"grid_mapping": "rotated_pole"}
    file = CfFile(NUMBERS, attrs, rows, columns, {"rotated_pole": ROTATED})
    grid = read_grid(write_netcdf4(tmp_path / "a.nc", file))
    text = grid.crs.proj.to_cf()
    assert {key: text[key] for key in ROTATED} == ROTATED
    np.testing.assert_allclose(grid.resolution.xy, (0.1, -0.1))


def test_units_that_a_system_has_not_give_no_grid(tmp_path: Path) -> None:
    rows = Axis("y", np.arange(4.0), {"axis": "Y", "units": "pixel"})
    columns = Axis("x", np.arange(5.0), {"axis": "X", "units": "pixel"})
    file = CfFile(NUMBERS, {"grid_mapping": "crs"}, rows, columns, {"crs": UTM.to_cf()})
    result = open_product(write_zarr(tmp_path / "a.zarr", file, 3))
    assert grid_of(result.to_dataset()) is None
    assert "axes: /: y is in 'pixel'" in result.attrs["other_metadata"]["unhealed"][0]


def test_rows_and_columns_stand_last(tmp_path: Path) -> None:
    rows = Axis("longitude", 13.0 + 0.1 * np.arange(4), LONGITUDE)
    columns = Axis("latitude", 54.0 - 0.1 * np.arange(5), LATITUDE)
    result = open_product(write_netcdf4(tmp_path / "a.nc", CfFile(NUMBERS, {}, rows, columns)))
    assert result["v"].dims == ("y", "x")
    np.testing.assert_array_equal(result["v"], NUMBERS.T)


def test_longitudes_that_jump_go_on(tmp_path: Path) -> None:
    rows = Axis("lat", -15 - 0.1 * np.arange(4), LATITUDE)
    columns = Axis("lon", np.array([179.8, 179.9, -180.0, -179.9, -179.8]), LONGITUDE)
    path = write_netcdf4(tmp_path / "a.nc", CfFile(NUMBERS, {}, rows, columns))
    np.testing.assert_allclose(open_product(path)["x"], 179.8 + 0.1 * np.arange(5))
    part = filter_product(open_product(path), aoi=(-180, -15.25, -179.85, -15.05))
    assert part.sizes == {"y": 2, "x": 2}


def test_longitudes_from_0_to_360_are_found_by_areas(tmp_path: Path) -> None:
    rows = Axis("lat", 85 - 10.0 * np.arange(18), LATITUDE)
    columns = Axis("lon", 5 + 10.0 * np.arange(36), LONGITUDE)
    numbers = np.arange(18 * 36, dtype=np.float32).reshape(18, 36)
    path = write_netcdf4(tmp_path / "a.nc", CfFile(numbers, {}, rows, columns))
    part = filter_product(open_product(path), aoi=(-48, 42, -22, 58))
    assert part["x"].to_numpy().tolist() == [315.0, 325.0, 335.0]


def test_a_link_to_a_group_above_ends(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file["inner/v"] = NUMBERS
        file["inner/back"] = file["/"]
    assert open_product(tmp_path / "a.nc").groups == ("/", "/inner")


def test_a_mapping_of_a_group_above_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createVariable("crs", "i4", ()).setncatts(say_parameters(UTM))
        for name, centres in (("yc", 6e6 - 30 * np.arange(4)), ("xc", 5e5 + 30 * np.arange(5))):
            file.createDimension(name, len(centres))
            axis = file.createVariable(name, "f8", (name,))
            axis[:] = centres
            axis.setncatts({"axis": name[0].upper(), "units": "m"})
        values = file.createGroup("inner").createVariable("v", "f4", ("yc", "xc"))
        values[...] = NUMBERS
        values.grid_mapping = "crs"
    inner = open_product(path)["inner"].to_dataset()
    grid = grid_of(inner)
    assert grid is not None
    np.testing.assert_allclose(grid.resolution.xy, (30.0, -30.0))


def test_a_geozarr_without_coordinates(tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    array = root.create_array("v", shape=(4, 5), dtype="f4", dimension_names=("y", "x"))
    array[...] = NUMBERS
    root.attrs.update({
        "proj:code": "EPSG:32633", "spatial:dimensions": ["y", "x"], "spatial:shape": [4, 5],
        "spatial:transform": [30.0, 0.0, 500_000.0, 0.0, -30.0, 6_000_000.0],
    })  # fmt: skip
    grid = read_grid(tmp_path / "a.zarr")
    assert grid.crs.epsg == 32633
    assert tuple(grid.affine[:6]) == (30.0, 0.0, 500_000.0, 0.0, -30.0, 6_000_000.0)


def test_a_geozarr_whose_transform_is_that_of_nodes(tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    layout = []
    for number in (0, 1):
        shape, step = (4 // (number + 1), 6 // (number + 1)), 30.0 * (number + 1)
        array = root.create_array(
            f"{number}/v", shape=shape, dtype="f4", dimension_names=("y", "x")
        )
        array[...] = 1
        text = [step, 0.0, 500_000.0, 0.0, -step, 6_000_000.0]
        layout.append({"asset": str(number), "spatial:transform": text})
    root.attrs.update({
        "proj:code": "EPSG:32633", "spatial:registration": "node",
        "multiscales": {"layout": layout},
    })  # fmt: skip
    for level, step in ((0, 30.0), (1, 60.0)):
        result = open_zarr_product(tmp_path / "a.zarr", level=level)
        assert result["x"].to_numpy()[:2].tolist() == [500_000, 500_000 + step]
        assert result["y"].to_numpy()[:2].tolist() == [6_000_000, 6_000_000 - step]
        assert result["spatial_ref"].odc.crs.epsg == 32633


def test_a_geotransform_places_what_has_no_coordinates(tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    array = root.create_array("v", shape=(4, 5), dtype="f4", dimension_names=("y", "x"))
    array[...] = NUMBERS
    array.attrs["grid_mapping"] = "crs"
    text = {"crs_wkt": UTM.to_wkt(), "GeoTransform": "500000 30 0 6000000 0 -30"}
    root.create_array("crs", shape=(), dtype="i4", dimension_names=()).attrs.update(text)
    grid = read_grid(tmp_path / "a.zarr")
    assert tuple(grid.affine[:6]) == (30.0, 0.0, 500_000.0, 0.0, -30.0, 6_000_000.0)


@pytest.mark.parametrize(
    ("name", "attrs", "axis"),
    [
        ("rows", {"axis": "Y"}, "y"),
        ("x", {"axis": "T"}, None),
        ("a", {"standard_name": "grid_longitude"}, "x"),
        ("a", {"units": "degree_N"}, "y"),
        ("lon", {}, "x"),
        ("x", {"standard_name": "depth"}, None),
        ("band", {"units": "1"}, None),
    ],
)
def test_what_says_an_axis(name: str, attrs: dict[str, str], axis: str | None) -> None:
    assert find_axis(name, attrs) == axis


def test_the_extended_form_of_a_grid_mapping() -> None:
    text = "crsOSGB: x y crsWGS84: lat lon"
    assert split_mapping(text) == [("crsOSGB", ("x", "y")), ("crsWGS84", ("lat", "lon"))]
    assert choose_mapping(text, ("lat", "lon")) == "crsWGS84"
    assert choose_mapping("crs", ("y", "x")) == "crs"
    assert choose_mapping(None, ("y", "x")) is None


def test_factors_between_units() -> None:
    assert find_factor("km", UTM, {}) == 1000
    assert find_factor("degrees_east", UTM, {}) is None
    assert find_factor("radians", CRS(4326), {}) == pytest.approx(180 / np.pi)
    feet = CRS(2263)  # US survey feet
    assert find_factor("US_survey_foot", feet, {}) == 1
    assert find_factor("m", feet, {}) == pytest.approx(3937 / 1200)


def test_levels_with_bands_of_their_own_are_groups(tmp_path: Path) -> None:
    bands = {10: ["b02"], 20: ["b02", "b05"], 60: ["b01", "b02", "b05"], 120: ["b01", "b02", "b05"]}
    levels = {}
    for step, names in bands.items():
        size = 240 // step
        data = xr.Dataset(
            {name: (("y", "x"), np.full((size, size), step, np.float32)) for name in names},
            coords={"y": 5e6 - step * (np.arange(size) + 0.5),
                    "x": 6e5 + step * (np.arange(size) + 0.5)},
        ).assign_coords(spatial_ref=((), 0, {"crs_wkt": UTM.to_wkt()}))  # fmt: skip
        for name in names:
            data[name].attrs["grid_mapping"] = "spatial_ref"
        levels[f"/measurements/reflectance/r{step}m"] = data
    path = tmp_path / "a.zarr"
    xr.DataTree.from_dict(levels).to_zarr(path, zarr_format=3, consolidated=False)
    group = zarr.open_group(path)["measurements/reflectance"]
    layout = [{"asset": f"r{step}m"} for step in bands]
    group.attrs["multiscales"] = {"layout": layout}
    result = open_product(path)["measurements/reflectance"]
    assert {name: sorted(child.data_vars) for name, child in result.children.items()} == {
        "r10m": ["b02"], "r20m": ["b02", "b05"], "r60m": ["b01", "b02", "b05"],
    }  # fmt: skip
    coarser = open_product(path, level=1)["measurements/reflectance"]
    assert coarser["r10m/b02"].to_numpy().max() == 20
    assert coarser["r60m/b01"].to_numpy().max() == 120


def test_an_area_off_a_product_without_item_names_its_box(tmp_path: Path) -> None:
    rows = Axis("lat", 54.0 - 0.1 * np.arange(4), LATITUDE)
    columns = Axis("lon", 13.0 + 0.1 * np.arange(5), LONGITUDE)
    path = write_netcdf4(tmp_path / "a.nc", CfFile(NUMBERS, {}, rows, columns))
    with pytest.raises(InvalidInputError, match=r"\[12\.95, 53\.65, 13\.45, 54\.05\]"):
        filter_product(open_product(path), aoi=(0, 0, 1, 1))


def test_the_box_of_data_across_the_antimeridian_is_right(tmp_path: Path) -> None:
    rows = Axis("lat", -15 - 0.1 * np.arange(4), LATITUDE)
    columns = Axis("lon", 179.8 + 0.1 * np.arange(5), LONGITUDE)
    file = CfFile(NUMBERS, {"units": "1"}, rows, columns)
    data = open_product(write_netcdf4(tmp_path / "a.nc", file)).to_dataset()
    tree = xr.DataTree.from_dict({"/measurements/r": data})
    for box, right in (
        ([179.75, -15.35, -179.75, -14.95], True),
        ([10, -15.35, 20, -14.95], False),
    ):
        tree.attrs["stac_discovery"] = {"type": "Feature", "id": "a", "bbox": box, "properties": {}}
        path = tmp_path / f"{right}.zarr"
        write_product(tree, path, form="eopf-zarr")
        failed = {outcome.check for outcome in validate_product(path).failed}
        assert ("geometry.footprint" not in failed) is right
