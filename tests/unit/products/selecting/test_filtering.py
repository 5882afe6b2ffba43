"""Filters on tiny trees made here, in the structure of the products."""

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from odc.geo.geom import box
from odc.geo.xr import assign_crs
from shapely.geometry import Point

from skerry.core.errors import InvalidInputError
from skerry.products import open_product, write_product
from skerry.products.outlines import project_area
from skerry.products.selecting.filtering import filter_product

LEFT, TOP, SIDE = 399960.0, 6000000.0, 2400.0
CRS = "EPSG:32633"


def _raster(resolution: int, names: tuple[str, ...], **attrs: Any) -> xr.Dataset:
    size = int(SIDE / resolution)
    x = LEFT + resolution * (np.arange(size) + 0.5)
    y = TOP - resolution * (np.arange(size) + 0.5)
    data = xr.Dataset(
        {
            name: (
                ("y", "x"),
                da.from_array((x[None] - LEFT + 0 * y[:, None]).astype("f4"), chunks=16),
                {"units": "1", "proj:bbox": [0, 0, 0, 0], **attrs},
            )
            for name in names
        },
        coords={"y": y, "x": x},
    )
    data = assign_crs(data, CRS)
    for variable in data.data_vars.values():
        variable.encoding = {"dtype": "uint16", "scale_factor": 0.1, "grid_mapping": "spatial_ref"}
    return data


@pytest.fixture
def scene() -> xr.DataTree:
    """A Level-2A product: water in the west half, cloud in the east half of SCL."""
    scl = _raster(20, ("scl",))
    scl["scl"] = xr.where(scl["x"] < LEFT + SIDE / 2, 6, 9).astype("u1").broadcast_like(scl["scl"])
    scl["scl"].attrs = {"flag_values": [6, 9], "flag_meanings": "water cloud_high"}
    assert scl.sizes == {"y": 120, "x": 120}
    angles = xr.Dataset(
        {"sun_angles": (("y", "x"), np.zeros((2, 2)))},
        coords={"y": [TOP, TOP - 5000], "x": [LEFT, LEFT + 5000]},
    )
    tree = xr.DataTree.from_dict(
        {
            "/measurements/reflectance/r10m": _raster(10, ("b02", "b04")),
            "/measurements/reflectance/r20m": _raster(20, ("b05", "b8a")),
            "/conditions/mask/l2a_classification/r20m": scl,
            "/conditions/geometry": angles,
        },
        name="S2_SIM",
    )
    tree.attrs = {
        "stac_discovery": {
            "bbox": [13.0, 54.0, 14.0, 54.5],
            "properties": {
                "product:type": "S02MSIL2A",
                "datetime": "2026-05-01T10:06:00Z",
                "proj:bbox": [0.0, 0.0, 0.0, 0.0],
            },
        }
    }
    return tree


def _paths(tree: xr.DataTree) -> set[str]:
    return {node.path for node in tree.subtree if node.data_vars}


def test_groups_variables_and_resolution(scene: xr.DataTree) -> None:
    assert _paths(filter_product(scene, groups=["measurements"])) == {
        "/measurements/reflectance/r10m",
        "/measurements/reflectance/r20m",
    }
    assert _paths(filter_product(scene, resolution=20)) == {
        "/measurements/reflectance/r20m",
        "/conditions/mask/l2a_classification/r20m",
        "/conditions/geometry",
    }
    result = filter_product(scene, variables=["b0[24]", "conditions/geometry/*"])
    assert _paths(result) == {"/measurements/reflectance/r10m", "/conditions/geometry"}
    assert "/conditions/mask" not in result.groups, "no empty group stays"
    assert result.attrs["stac_discovery"] == scene.attrs["stac_discovery"]
    assert result.name == "S2_SIM"


@pytest.mark.parametrize("resolution", [20, "20m", "r20m"])
def test_one_text_is_one_name_and_resolutions_are_spelt_in_three_ways(
    scene: xr.DataTree, resolution: str | int
) -> None:
    one = filter_product(scene, groups="measurements", variables="b05", resolution=resolution)
    many = filter_product(scene, groups=["measurements"], variables=["b05"], resolution="r20m")
    assert one.identical(many)


def test_an_area_cuts_all_rasters_to_the_same_ground(scene: xr.DataTree) -> None:
    area = (LEFT + 405, TOP - 995, LEFT + 795, TOP - 605)
    result = filter_product(scene, aoi=area, aoi_crs=CRS)
    fine = result["measurements/reflectance/r10m"].to_dataset()
    coarse = result["measurements/reflectance/r20m"].to_dataset()
    assert fine.sizes == {"y": 40, "x": 40}
    assert coarse.sizes == {"y": 20, "x": 20}
    assert fine["x"][0] - 5 == coarse["x"][0] - 10 == LEFT + 400
    assert fine["y"][-1] - 5 == TOP - 1000
    assert result["conditions/geometry/sun_angles"].shape == (2, 2), "angles stay whole"
    band = result["measurements/reflectance/r10m/b02"]
    assert band.chunks is not None
    assert band.encoding["scale_factor"] == 0.1
    assert band.odc.geobox.crs == CRS
    assert band.attrs["proj:bbox"] == [LEFT + 400, TOP - 1000, LEFT + 800, TOP - 600]
    discovery = result.attrs["stac_discovery"]
    assert discovery["properties"]["proj:bbox"] == band.attrs["proj:bbox"]
    west, south, east, north = discovery["bbox"]
    ground = project_area(box(*band.attrs["proj:bbox"], CRS), "EPSG:4326").boundingbox
    assert (west, south, east, north) == pytest.approx(ground.bbox)
    assert scene.attrs["stac_discovery"]["bbox"] == [13.0, 54.0, 14.0, 54.5], "input unchanged"


def test_a_cut_says_where_it_is_in_every_place(scene: xr.DataTree) -> None:
    """In the grid mapping too, whose GeoTransform GDAL and rioxarray prefer to coordinates."""
    data = scene["measurements/reflectance/r20m"].to_dataset()
    before = f"{LEFT} 20 0 {TOP} 0 -20"
    data["spatial_ref"].attrs["GeoTransform"] = before
    tree = xr.DataTree.from_dict({"/measurements/reflectance/r20m": data})
    cut = filter_product(tree, aoi=(LEFT + 405, TOP - 995, LEFT + 795, TOP - 605), aoi_crs=CRS)
    result = cut["measurements/reflectance/r20m"].to_dataset()
    left, step, _, top, _, _ = map(float, result["spatial_ref"].attrs["GeoTransform"].split())
    assert (left, step) == (float(result.x[0]) - 10, 20)
    assert top == float(result.y[0]) + 10
    assert data["spatial_ref"].attrs["GeoTransform"] == before, "the source stays"


def test_an_area_off_the_coarser_grid_is_the_same_ground_in_all(scene: xr.DataTree) -> None:
    result = filter_product(scene, aoi=(LEFT + 411, TOP - 989, LEFT + 789, TOP - 611), aoi_crs=CRS)
    fine = result["measurements/reflectance/r10m"].to_dataset()
    coarse = result["measurements/reflectance/r20m"].to_dataset()
    assert fine.odc.geobox.boundingbox == coarse.odc.geobox.boundingbox
    assert fine.sizes["x"] == 2 * coarse.sizes["x"] == 40
    alone = filter_product(
        scene, variables=["b02"], aoi=(LEFT + 411, TOP - 989, LEFT + 789, TOP - 611), aoi_crs=CRS
    )["measurements/reflectance/r10m/b02"]
    assert alone.shape == (38, 38)


def test_an_area_in_degrees_and_as_geometry_is_the_same_ground(scene: xr.DataTree) -> None:
    centre = Point(LEFT + 1000, TOP - 1000).buffer(200)
    by_shape = filter_product(scene, aoi=centre, aoi_crs=CRS)
    degrees = project_area(box(*centre.bounds, CRS), "EPSG:4326")
    by_degrees = filter_product(scene, aoi=degrees)
    by_json = filter_product(scene, aoi=degrees.json)
    band = by_shape["measurements/reflectance/r10m/b02"]
    assert band.shape == (40, 40)
    for other in (by_degrees, by_json):
        shape = other["measurements/reflectance/r10m/b02"].shape
        assert all(40 <= size <= 44 for size in shape), "a box turned a little holds more"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"aoi": (0, 0, 1, 1)}, r"\[0.0, 0.0, 1.0, 1.0\] is outside of S2_SIM \[13.0, 54.0"),
        ({"aoi": (1, 0, 0, 1), "aoi_crs": CRS}, "in the wrong order"),
        ({"aoi": (np.nan, 0, 1, 1)}, "four finite numbers"),
        ({"aoi": (0, 0, 1, 1), "aoi_crs": "EPSG:0"}, "cannot be read"),
        ({"aoi": {"type": "Polygon"}}, "cannot be read"),
        ({"groups": ["nothing"]}, "no group 'nothing'.*measurements/reflectance"),
        ({"variables": ["b99"]}, "no variable 'b99'.*b02"),
        ({"resolution": "r60m"}, "no resolution 'r60m'.*r10m, r20m"),
        ({"flags": "fog"}, "no flag 'fog'.*water, cloud_high"),
        ({"flags": "cloud_high", "flag_group": "quality"}, "no flags for .*quality"),
        ({"valid_range": {"b02": (1, 0)}}, "lower number first"),
        ({"valid_range": {"scl": (0, 1)}}, "no floating point variable 'scl'"),
        ({"time": ("2020-01-01", "2020-01-02")}, "nothing between 2020-01-01"),
        ({"time": ("yesterday", None)}, "'yesterday' is not a time"),
        ({"groups": ["conditions/geometry"], "flags": "water"}, "no measurements to mask"),
    ],
)
def test_what_is_wrong_is_named(scene: xr.DataTree, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        filter_product(scene, **wrong)


def test_empty_products_where_they_are_allowed(scene: xr.DataTree) -> None:
    for filters in ({"aoi": (0, 0, 1, 1)}, {"time": (None, "2020-01-01")}):
        result = filter_product(scene, allow_empty=True, **filters)
        band = result["measurements/reflectance/r10m/b02"]
        assert band.shape == (0, 0)
        assert band.attrs["units"] == "1"


def test_time_of_a_scene_and_of_a_series(scene: xr.DataTree) -> None:
    full = filter_product(scene, time=("2026-05-01", "2026-05-01T13:00:00+02:00"))
    assert filter_product(scene, time=("2026-05-01", "2026-05-01")).sizes == full.sizes
    assert _paths(full) == _paths(scene)
    with pytest.raises(InvalidInputError, match="nothing between"):
        filter_product(scene, time=("2026-05-01", "2026-05-01T12:00:00+02:00"))
    days = np.arange("2026-05-01", "2026-05-06", dtype="M8[D]").astype("M8[ns]")
    series = xr.DataTree.from_dict(
        {"/measurements": xr.Dataset({"t": ("time", np.arange(5.0))}, coords={"time": days})}
    )
    result = filter_product(series, time=("2026-05-02", "2026-05-03"))
    assert result["measurements/t"].values.tolist() == [1, 2]


def test_flags_mask_measurements_of_each_resolution(scene: xr.DataTree) -> None:
    result = filter_product(scene, flags="cloud_high")
    for path, half in (("r10m/b02", 120), ("r20m/b05", 60)):
        band = result[f"measurements/reflectance/{path}"]
        assert band.chunks is not None
        assert np.isfinite(band.values[:, :half]).all(), path
        assert np.isnan(band.values[:, half:]).all(), path
        assert band.encoding["dtype"] == "uint16"
        assert band.attrs["units"] == "1"
    scl = result["conditions/mask/l2a_classification/r20m/scl"]
    assert scl.dtype == np.uint8, "classes are not measurements"
    cut = filter_product(
        scene, flags="~water", groups=["measurements"], resolution=10,
        aoi=(LEFT, TOP - 100, LEFT + 1300, TOP), aoi_crs=CRS,
    )["measurements/reflectance/r10m/b02"]  # fmt: skip
    assert np.isfinite(cut.values).sum() == 120 * 10
    assert cut.shape == (10, 130)


def test_valid_range(scene: xr.DataTree) -> None:
    result = filter_product(scene, valid_range={"b02": (100, 200)})
    values = result["measurements/reflectance/r10m/b02"].values
    assert np.nanmin(values) == 105
    assert np.nanmax(values) == 195
    assert np.isfinite(result["measurements/reflectance/r10m/b04"].values).all()


def test_masked_values_of_a_packing_without_gaps_are_written(
    scene: xr.DataTree, tmp_path: Path
) -> None:
    band = scene["measurements/reflectance/r10m/b02"]
    band.encoding["scale_factor"] = 0.1
    assert "_FillValue" not in band.encoding
    cut = filter_product(scene, variables="b02", valid_range={"b02": (100, 200)})
    write_product(cut, tmp_path / "cut.nc", form="netcdf")
    again = open_product(tmp_path / "cut.nc")["measurements/reflectance/r10m/b02"]
    np.testing.assert_allclose(again, cut["measurements/reflectance/r10m/b02"], atol=0.06)
    assert again.isnull().any()


@pytest.fixture
def swath() -> xr.DataTree:
    """SLSTR: 500 m and 1 km grids of a nadir view, a turned grid of latitude and longitude."""
    groups = {}
    for name, step in (("anadir", 1), ("inadir", 2)):
        rows, columns = np.meshgrid(
            (np.arange(80 // step) + 0.5) * step, (np.arange(100 // step) + 0.5) * step,
            indexing="ij",
        )  # fmt: skip
        place = {
            "latitude": (("rows", "columns"), 54 - 0.005 * rows - 0.001 * columns),
            "longitude": (("rows", "columns"), 13 + 0.008 * columns - 0.001 * rows),
            "time_stamp": (
                "rows",
                np.datetime64("2026-05-01T10:00", "ns")
                + (np.arange(80 // step) * step * 75_000_000).astype("m8[ns]"),
            ),
        }
        band = ("s1_radiance_an", "s8_bt_in")[step - 1]
        groups[f"/measurements/{name}"] = xr.Dataset(
            {band: (("rows", "columns"), columns.astype("f4"))}, coords=place
        )
        groups[f"/quality/{name}"] = xr.Dataset(
            {f"cloud_{name[:2]}": (
                ("rows", "columns"), (columns > 50).astype("u2"),
                {"flag_masks": [1], "flag_meanings": "gross_cloud"},
            )}
        )  # fmt: skip
    groups["/conditions/geometry_tn"] = xr.Dataset({"sza": (("rows", "columns"), np.ones((40, 8)))})
    tree = xr.DataTree.from_dict(groups, name="RBT_SIM")
    tree.attrs["stac_discovery"] = {"bbox": [], "properties": {"product:type": "S03SLSRBT"}}
    return tree


def test_an_area_cuts_the_grids_of_a_view_in_step(swath: xr.DataTree) -> None:
    area = (13.30, 53.70, 13.42, 53.80)
    result = filter_product(swath, aoi=area)
    fine, coarse = result["measurements/anadir"], result["measurements/inadir"]
    assert {dim: 2 * size for dim, size in coarse.sizes.items()} == dict(fine.sizes)
    assert result["quality/anadir/cloud_an"].shape == fine["s1_radiance_an"].shape
    assert result["conditions/geometry_tn/sza"].shape == (40, 8)
    assert float(fine["s1_radiance_an"][0, 0]) + 0.5 == float(coarse["s8_bt_in"][0, 0])
    full = swath["measurements/anadir"].to_dataset()
    inside = (
        (full["latitude"] >= area[1]) & (full["latitude"] <= area[3])
        & (full["longitude"] >= area[0]) & (full["longitude"] <= area[2])
    )  # fmt: skip
    data = fine.to_dataset()
    still = (
        (data["latitude"] >= area[1]) & (data["latitude"] <= area[3])
        & (data["longitude"] >= area[0]) & (data["longitude"] <= area[2])
    )  # fmt: skip
    assert int(still.sum()) == int(inside.sum()) > 0, "no pixel of the area is lost"
    assert data.sizes["rows"] < 80
    west, south, east, north = result.attrs["stac_discovery"]["bbox"]
    assert (west, south, east, north) == pytest.approx((13.25, 53.63, 13.47, 53.87), abs=0.08)


def test_a_time_cuts_rows_in_step(swath: xr.DataTree) -> None:
    result = filter_product(swath, time=("2026-05-01T10:00:01.5", "2026-05-01T10:00:03"))
    assert result["measurements/anadir"].sizes["rows"] == 22
    assert result["measurements/inadir"].sizes["rows"] == 11
    assert result["measurements/inadir"].sizes["columns"] == 50


def test_flags_of_each_grid(swath: xr.DataTree) -> None:
    result = filter_product(swath, flags="gross_cloud")
    assert np.nanmax(result["measurements/anadir/s1_radiance_an"].values) < 50.5
    assert np.nanmax(result["measurements/inadir/s8_bt_in"].values) < 51


def test_tie_points_still_span_a_cut_image() -> None:
    rows, columns = 30, 65
    place = {
        "latitude": (("rows", "columns"), np.tile(np.linspace(54, 53, rows)[:, None], columns)),
        "longitude": (("rows", "columns"), np.tile(np.linspace(13, 15, columns), (rows, 1))),
    }
    image = xr.Dataset({"oa01_radiance": (("rows", "columns"), np.ones((rows, columns), "f4"))})
    ties = np.tile(np.linspace(20, 24, 5), (rows, 1))
    tree = xr.DataTree.from_dict(
        {
            "/measurements": image.assign_coords(place),
            "/conditions/geometry": xr.Dataset({"sza": (("tp_rows", "tp_columns"), ties)}),
        }
    )
    result = filter_product(tree, aoi=(13.6, 53.4, 13.8, 53.6))
    image, angles = result["measurements"].to_dataset(), result["conditions/geometry/sza"]
    assert image.sizes["columns"] == 17
    assert angles.shape == (image.sizes["rows"], 2)
    assert angles.values[0].tolist() == [21, 22]
    assert float(image["longitude"][0, 0]) == 13.5


def test_an_area_cuts_a_radar_image_by_its_control_points() -> None:
    line, pixel = np.arange(0, 401, 100), np.arange(0, 601, 100)
    latitude = 54 - 0.001 * line[:, None] + 0 * pixel
    longitude = 13 + 0.001 * pixel + 0 * line[:, None]
    gcp = xr.Dataset(
        {
            "latitude": (("azimuth_time", "ground_range"), latitude),
            "longitude": (("azimuth_time", "ground_range"), longitude),
        },
        coords={"line": ("azimuth_time", line), "pixel": ("ground_range", pixel)},
    )
    image = xr.Dataset(
        {"grd": (("azimuth_time", "ground_range"), da.ones((401, 601), chunks=100))},
        coords={
            "line": ("azimuth_time", np.arange(401)),
            "pixel": ("ground_range", np.arange(601)),
        },
    )
    tree = xr.DataTree.from_dict({"/VH/measurements": image, "/VH/conditions/gcp": gcp})
    result = filter_product(tree, aoi=(13.2, 53.8, 13.3, 53.9))["VH/measurements"].to_dataset()
    assert 80 <= result["line"][0] <= 100
    assert 200 <= result["line"][-1] <= 220
    assert 180 <= result["pixel"][0] <= 200
    assert 300 <= result["pixel"][-1] <= 320


def test_an_area_across_the_antimeridian() -> None:
    longitude = np.tile(np.concatenate([np.linspace(178, 180, 20), np.linspace(-180, -178, 20)]),
                        (10, 1))  # fmt: skip
    data = xr.Dataset(
        {"band": (("rows", "columns"), np.ones((10, 40), "f4"))},
        coords={
            "latitude": (("rows", "columns"), np.tile(np.linspace(1, 0, 10)[:, None], 40)),
            "longitude": (("rows", "columns"), longitude),
        },
    )
    tree = xr.DataTree.from_dict({"/measurements": data})
    result = filter_product(tree, aoi=(179.5, 0, -179.5, 1))["measurements/longitude"].values
    assert result.shape[1] == 12
    assert (np.abs(result) >= 179.5 - 0.5 * 2 / 19).all()


@pytest.mark.parametrize("upward", [False, True])
@pytest.mark.parametrize("transform", [False, True])
@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("columns", [1, 2, 5])
@pytest.mark.slow
def test_a_raster_is_cut_to_any_size(
    rows: int, columns: int, transform: bool, upward: bool, tmp_path: Path
) -> None:
    """As others write rasters: many grid mappings have no transform beside the coordinates."""
    data = _raster(10, ("b02",)).isel(y=slice(None, None, -1 if upward else 1))
    if transform:
        numbers = data.odc.geobox.affine.to_gdal()
        data["spatial_ref"].attrs["GeoTransform"] = " ".join(map(str, numbers))
    tree = xr.DataTree.from_dict({"/measurements": data})
    area = box(LEFT + 31, TOP - 20 - 10 * rows + 1, LEFT + 30 + 10 * columns - 1, TOP - 21, crs=CRS)
    cut = filter_product(tree, aoi=area)
    for _ in range(2):  # what was cut can be cut again
        pixels = cut["measurements"].to_dataset()
        assert pixels.sizes == {"y": rows, "x": columns}
        assert pixels.odc.geobox.boundingbox.bbox == (
            LEFT + 30, TOP - 20 - 10 * rows, LEFT + 30 + 10 * columns, TOP - 20
        )  # fmt: skip
        assert pixels["b02"].attrs["proj:bbox"] == list(pixels.odc.geobox.boundingbox.bbox)
        cut = filter_product(cut, aoi=area)
    for form, name in (("eopf-zarr", "a.zarr"), ("geozarr", "b.zarr"), ("netcdf", "c.nc")):
        write_product(cut, tmp_path / name, form=form)
        again = open_product(tmp_path / name)["measurements"].to_dataset()
        assert again.odc.geobox.boundingbox == pixels.odc.geobox.boundingbox
