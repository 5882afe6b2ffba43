"""Areas over poles and the antimeridian, at edges and smaller than pixels, on all grids."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import dask.array as da
import numpy as np
import pytest
import shapely
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from odc.geo.xr import xr_coords
from pyproj import Transformer
from shapely.geometry import MultiPolygon, Point, Polygon, box, shape

from skerry.core.errors import InvalidInputError
from skerry.products.outlines import join_outline, outline_ring
from skerry.products.safe.attribute_texts import format_value
from skerry.products.safe.attributes import parse_text
from skerry.products.selecting.filtering import filter_product
from skerry.products.sensors.records import Entry

STEP = 0.01
ROWS = ("rows", "columns")


def _swath(latitude: np.ndarray, longitude: np.ndarray, chunk: int | None = None) -> xr.DataTree:
    arrays = [np.ones(latitude.shape, "f4"), latitude, longitude]
    band, north, east = (da.from_array(array, chunks=chunk) if chunk else array for array in arrays)
    data = xr.Dataset(
        {"band": (ROWS, band)}, coords={"latitude": (ROWS, north), "longitude": (ROWS, east)}
    )
    tree = xr.DataTree.from_dict({"/measurements": data}, name="SWATH")
    tree.attrs["stac_discovery"] = {"bbox": [0, 0, 1, 1], "geometry": None, "properties": {}}
    return tree


def _even(
    west: float, north: float, rows: int = 40, columns: int = 60, step: float = STEP
) -> xr.DataTree:
    """Return a swath with pixel edges at whole steps from its north-west corner."""
    latitude = north - step * (np.arange(rows)[:, None] + 0.5) + np.zeros(columns)
    longitude = west + step * (np.arange(columns) + 0.5) + np.zeros((rows, 1))
    return _swath(latitude, (longitude + 180) % 360 - 180)


def _bent(crs: str, x: float, y: float, size: int = 90, step_m: float = 1000.0) -> xr.DataTree:
    """Return a turned swath of pixels of a kilometre, around a place in a projected system."""
    rows, columns = np.meshgrid(*2 * [np.arange(size) - (size - 1) / 2], indexing="ij")
    turn = np.radians(20)
    east = step_m * (columns * np.cos(turn) - rows * np.sin(turn))
    south = step_m * (columns * np.sin(turn) + rows * np.cos(turn))
    there = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    longitude, latitude = there.transform(x + east, y - south)
    return _swath(latitude, longitude, chunk=37)


def _image(longitude: np.ndarray, latitude: np.ndarray, line: Any, pixel: Any) -> xr.DataTree:
    dims = ("azimuth_time", "ground_range")
    points = xr.Dataset(
        {"latitude": (dims, latitude), "longitude": (dims, longitude)},
        coords={"line": (dims[0], line), "pixel": (dims[1], pixel)},
    )
    lines, pixels = np.arange(line[-1] + 1), np.arange(pixel[-1] + 1)
    image = xr.Dataset(
        {"grd": (dims, da.ones((len(lines), len(pixels)), chunks=100))},
        coords={"line": (dims[0], lines), "pixel": (dims[1], pixels)},
    )
    groups = {}
    for member in ("VH", "VV"):
        groups[f"/{member}/measurements"] = image
        groups[f"/{member}/conditions/gcp"] = points
    tree = xr.DataTree.from_dict(groups, name="GRD")
    for node in (tree, tree["VH"], tree["VV"]):
        node.attrs["stac_discovery"] = {"id": node.name, "bbox": [0, 0, 1, 1], "properties": {}}
    return tree


def _grid(grid: GeoBox, *, ascending: bool = False) -> xr.DataTree:
    values = xr.DataArray(np.ones(grid.shape, "f4"), dims=grid.dimensions, coords=xr_coords(grid))
    data = xr.Dataset({"band": values.rename(dict(zip(grid.dimensions, "yx", strict=True)))})
    if ascending:
        data = data.isel(y=slice(None, None, -1))
    tree = xr.DataTree.from_dict({"/measurements": data}, name="RASTER")
    tree.attrs["stac_discovery"] = {"bbox": [0, 0, 1, 1], "properties": {}}
    return tree


def _item(tree: xr.DataTree) -> dict[str, Any]:
    result: dict[str, Any] = tree.attrs["stac_discovery"]
    assert shape(result["geometry"]).is_valid
    return result


def _inside(tree: xr.DataTree, area: tuple[float, ...], crs: str) -> np.ndarray:
    """Return which pixels' centres lie in a box of a reference system that has no folds there."""
    data = tree["measurements"].to_dataset()
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(
        data["longitude"].to_numpy(), data["latitude"].to_numpy()
    )
    west, south, east, north = area
    return np.asarray((x >= west) & (x <= east) & (y >= south) & (y <= north))


def test_an_area_around_a_pole_keeps_the_pole() -> None:
    latitude = np.linspace(84, 89.9, 60)[:, None] + np.zeros((60, 360))
    longitude = np.arange(-180, 180.0) + np.zeros((60, 1))
    area = (-200_000, -200_000, 200_000, 200_000)
    result = filter_product(_swath(latitude, longitude), aoi=area, aoi_crs="EPSG:3413")
    latitudes = result["measurements/latitude"]
    assert float(latitudes.max()) == 89.9
    assert 87.2 < float(latitudes.min()) < 87.6
    assert latitudes.sizes["columns"] == 360
    assert shape(_item(result)["geometry"]).area > 359 * 2


def test_the_item_of_a_swath_over_a_pole() -> None:
    for crs, box_ in (
        ("EPSG:3413", (-180, 89.5, 180, 90)),
        ("EPSG:3031", (-180, -90, 180, -89.5)),
    ):
        result = filter_product(_bent(crs, 5_000, 3_000), aoi=box_)
        west, south, east, north = _item(result)["bbox"]
        assert (west, east) == (-180, 180)
        assert 90 in {north, -south}
        assert 89 < min(abs(south), abs(north)) < 89.5
        data = result["measurements"].to_dataset()
        places = shapely.points(data["longitude"].to_numpy(), data["latitude"].to_numpy())
        assert shapely.contains(shape(_item(result)["geometry"]), places).all()


@pytest.mark.parametrize(
    ("home", "x", "y", "crs", "area"),
    [
        ("EPSG:3413", 0, 0, "EPSG:3413", (-9_000, 3_000, 21_000, 13_000)),
        ("EPSG:3413", 0, 0, "EPSG:3995", (-20_000, -20_000, 20_000, 20_000)),
        ("EPSG:3031", 5_000, 0, "EPSG:3031", (-20_000, -20_000, 20_000, 20_000)),
        ("EPSG:32601", 166_021, 40_000, "EPSG:32601", (150_000, 35_000, 180_000, 60_000)),
        ("EPSG:32660", 833_979, 40_000, "EPSG:32660", (820_000, 35_000, 850_000, 60_000)),
        ("EPSG:32633", 500_000, 6_000_000, "EPSG:3035",
         (4_600_000, 3_430_000, 4_640_000, 3_460_000)),
    ],
)  # fmt: skip
def test_areas_of_projected_systems_lose_no_pixel(
    home: str, x: float, y: float, crs: str, area: tuple[float, ...]
) -> None:
    tree = _bent(home, x, y)
    inside = _inside(tree, area, crs)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    result = filter_product(tree, aoi=area, aoi_crs=crs)
    assert int(_inside(result, area, crs).sum()) == int(inside.sum()) > 100
    sizes = result["measurements"].sizes
    assert 0 <= sizes["rows"] - (rows[-1] - rows[0] + 1) <= 2, "pixels at the edges are touched"
    assert 0 <= sizes["columns"] - (columns[-1] - columns[0] + 1) <= 2
    assert sizes["rows"] < 90


def test_an_area_at_the_antimeridian_does_not_reach_around_the_earth() -> None:
    area = (136_000, 20_000, 196_000, 80_000)  # EPSG:32601: 179.7 E to 179.7 W
    kilometres = r"\[179\.\d+, 0\.1\d+, -179\.\d+, 0\.7\d+\] is outside of SWATH"
    with pytest.raises(InvalidInputError, match=kilometres):
        filter_product(_even(10, 1), aoi=area, aoi_crs="EPSG:32601")
    grid = GeoBox.from_bbox((10, 0, 12, 1), "EPSG:4326", resolution=0.01)
    with pytest.raises(InvalidInputError, match="is outside of RASTER"):
        filter_product(_grid(grid), aoi=area, aoi_crs="EPSG:32601")


@pytest.mark.slow
@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:3857", "EPSG:3035", "EPSG:4326"])
def test_an_area_far_off_is_not_folded_onto_the_product(crs: str) -> None:
    """Transverse Mercator is not one to one far from its meridian."""
    turn = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = turn.transform(14.0, 54.0)
    half = 0.1 if crs == "EPSG:4326" else 10_000
    area = (x - half, y - half, x + half, y + half)
    for longitude in (-166.3, 103.7, 166.0, -76.3):
        for latitude in (54.2, -53.8, 0.2):
            with pytest.raises(InvalidInputError, match="is outside"):
                filter_product(_even(longitude, latitude), aoi=area, aoi_crs=crs)
    assert filter_product(_even(13.7, 54.2), aoi=area, aoi_crs=crs)


@pytest.mark.parametrize(
    ("area", "size"),
    [
        ((13.1042, 53.8942, 13.1048, 53.8948), (1, 1)),  # within a pixel
        ((13.1001, 53.8901, 13.1002, 53.8902), (1, 1)),  # near its corner
        ((13.1092, 53.8942, 13.1108, 53.8948), (1, 2)),  # across an edge
        ((13.1092, 53.8892, 13.1108, 53.8908), (2, 2)),  # around a corner
        ((12.9, 53.65, 13.002, 53.652), (1, 1)),  # the last row's first pixel
    ],
)
def test_an_area_smaller_than_a_pixel_gives_the_pixels_it_touches(
    area: tuple[float, ...], size: tuple[int, int]
) -> None:
    tree = _even(13, 54, rows=35)
    assert filter_product(tree, aoi=area)["measurements/band"].shape == size
    middle = Geometry(Point((area[0] + area[2]) / 2, (area[1] + area[3]) / 2), "EPSG:4326")
    if area[0] > 13:
        assert filter_product(tree, aoi=middle)["measurements/band"].size in {1, 2, 4}
    with pytest.raises(InvalidInputError, match="is outside"):
        filter_product(tree, aoi=(12.99, 53.7, 12.9985, 53.8))


def test_swaths_of_one_row_or_column_and_gaps() -> None:
    row = _swath(np.full((1, 20), 53.0), 13 + STEP * np.arange(20.0)[None])
    assert filter_product(row, aoi=(13.042, 52.9, 13.048, 52.998))["measurements/band"].size == 2
    column = _swath(53 + STEP * np.arange(20.0)[:, None], np.full((20, 1), 13.0))
    result = filter_product(column, aoi=(12.998, 53.041, 13.1, 53.044))
    assert result["measurements/band"].shape == (1, 1)
    assert _item(result)["geometry"]["type"] == "Polygon"
    single = _swath(np.array([[53.0]]), np.array([[13.0]]))
    assert filter_product(single, aoi=(12.9, 52.9, 13.1, 53.1))["measurements/band"].size == 1
    tree = _even(13, 54)
    for name in ("latitude", "longitude"):
        tree["measurements"].dataset[name].values[:10, :10] = np.nan
    assert filter_product(tree, aoi=(13.1042, 53.8942, 13.1048, 53.8948))["measurements/band"].size
    with pytest.raises(InvalidInputError, match="is outside"):
        filter_product(tree, aoi=(13.02, 53.94, 13.04, 53.96))


def test_areas_larger_than_the_product_keep_all_of_it() -> None:
    grid = GeoBox.from_bbox((399_960, 5_990_000, 402_360, 5_992_400), "EPSG:32633", resolution=20)
    for area in ((-180, -90, 180, 90), (-30, 0, 60, 85), (12, 53, 15, 55)):
        assert filter_product(_even(13, 54), aoi=area)["measurements/band"].shape == (40, 60)
        assert filter_product(_grid(grid), aoi=area)["measurements/band"].shape == (120, 120)
    assert filter_product(
        _grid(grid), aoi=(-4_000_000, -4_000_000, 4_000_000, 4_000_000), aoi_crs="EPSG:3413"
    )["measurements/band"].shape == (120, 120)  # fmt: skip


def test_shapes_not_their_boxes_decide() -> None:
    frame = Polygon(box(12, 53, 15, 55).exterior, [box(12.5, 53.2, 14.5, 54.8).exterior])
    grid = GeoBox.from_bbox((13, 53.5, 13.6, 54), "EPSG:4326", resolution=0.01)
    for tree in (_even(13, 54), _grid(grid)):
        with pytest.raises(InvalidInputError, match="is outside"):
            filter_product(tree, aoi=frame)
        parts = [
            (13.101, 53.801, 13.109, 53.809),
            (13.301, 53.701, 13.309, 53.709),
            (50, 10, 51, 11),
        ]
        parts = MultiPolygon([box(*part) for part in parts])
        result = filter_product(tree, aoi=parts)["measurements/band"]
        assert result.shape == (11, 21), "from the first pixel touched to the last"
        tie = Polygon([(13.1, 53.7), (13.2, 53.8), (13.2, 53.7), (13.1, 53.8)])
        assert not tie.is_valid
        assert filter_product(tree, aoi=tie)["measurements/band"].size


@pytest.mark.parametrize("ascending", [False, True])
def test_edges_of_raster_pixels(ascending: bool) -> None:
    grid = GeoBox.from_bbox((399_960, 5_990_000, 402_360, 5_992_400), "EPSG:32633", resolution=20)
    tree = _grid(grid, ascending=ascending)
    left, top = 399_960, 5_992_400

    def size(*area: float) -> tuple[int, ...]:
        return tuple(filter_product(tree, aoi=area, aoi_crs=grid.crs)["measurements/band"].shape)

    assert size(left + 400, top - 800, left + 800, top - 600) == (10, 20), "edges on pixel edges"
    assert size(left + 401, top - 419, left + 402, top - 418) == (1, 1)
    for corner in ((left - 100, top, left, top + 100), (left - 100, top - 50, left, top - 20)):
        with pytest.raises(InvalidInputError, match="is outside"):
            size(*corner)
    for place, expected in (((410, 410), 1), ((400, 410), 2), ((400, 400), 4), ((0, 0), 1)):
        point = Geometry(Point(left + place[0], top - place[1]), grid.crs)
        assert filter_product(tree, aoi=point)["measurements/band"].size == expected


def test_rasters_of_one_row_and_column() -> None:
    grid = GeoBox.from_bbox((399_960, 5_990_000, 402_360, 5_992_400), "EPSG:32633", resolution=20)
    cut = filter_product(
        _grid(grid), aoi=(400_000, 5_991_001, 400_001, 5_991_002), aoi_crs=grid.crs
    )
    assert cut["measurements/band"].shape == (1, 1)
    again = filter_product(cut, aoi=(400_000, 5_991_001, 400_001, 5_991_002), aoi_crs=grid.crs)
    assert again["measurements/band"].shape == (1, 1)
    west, south, east, north = _item(again)["bbox"]
    assert 2e-4 < east - west < 5e-4
    assert 1e-4 < north - south < 3e-4


@pytest.mark.parametrize(
    ("bounds", "crs", "resolution", "area", "area_crs"),
    [
        ((-50_000, -50_000, 50_000, 50_000), "EPSG:3413", 500, (-180, 89.9, 180, 90), "EPSG:4326"),
        ((-50_000, -50_000, 50_000, 50_000), "EPSG:3413", 500, (-9e3, -9e3, 9e3, 9e3), "EPSG:3995"),
        ((120_000, 0, 220_000, 100_000), "EPSG:32601", 500, (179.9, 0.2, -179.9, 0.4), "EPSG:4326"),
        ((179, 0, 181, 1), "EPSG:4326", 0.01, (179.9, 0.2, -179.9, 0.4), "EPSG:4326"),
        ((179, 0, 181, 1), "EPSG:4326", 0.01, (150_000, 20_000, 180_000, 50_000), "EPSG:32601"),
        ((-180, -90, 180, 90), "EPSG:4326", 1, (13, 53, 15, 55), "EPSG:4326"),
        ((0, -90, 360, 90), "EPSG:4326", 1, (-15, 53, -13, 55), "EPSG:4326"),
        ((-180, -90, 180, 90), "EPSG:4326", 1, (4_600_000, 3_430_000, 4_640_000, 3_460_000),
         "EPSG:3035"),
    ],
)  # fmt: skip
def test_rasters_over_poles_and_the_antimeridian(
    bounds: Any, crs: str, resolution: float, area: Any, area_crs: str
) -> None:
    """Every pixel whose centre lies in the area stays, and little around it."""
    grid = GeoBox.from_bbox(bounds, crs, resolution=resolution)
    tree = _grid(grid)
    result = filter_product(tree, aoi=area, aoi_crs=area_crs)["measurements"].to_dataset()

    def count(data: xr.Dataset) -> np.ndarray:
        x, y = np.meshgrid(data["x"], data["y"])
        x, y = Transformer.from_crs(crs, area_crs, always_xy=True).transform(x, y)
        west, south, east, north = area
        if area_crs == "EPSG:4326":
            x, east = west + (x - west) % 360, west + ((east - west) % 360 or 360)
        return np.asarray((x >= west) & (x <= east) & (y >= south) & (y <= north))

    full = count(tree["measurements"].to_dataset())
    pixel_count = count(result)
    assert pixel_count.sum() == full.sum()
    extent = [np.flatnonzero(full.any(axis=axis)) for axis in (1, 0)]
    for content, size in zip(extent, pixel_count.shape, strict=True):
        if len(content):
            assert 0 <= size - (content[-1] - content[0] + 1) <= 2
    assert pixel_count.size < full.size / 4


def test_radar_images_over_the_antimeridian_and_by_projected_areas() -> None:
    line, pixel = np.arange(0, 401, 100), np.arange(0, 601, 100)
    latitude = 1 - 0.001 * line[:, None] + 0 * pixel
    longitude = (179.7 + 0.001 * pixel + 0 * line[:, None] + 180) % 360 - 180
    tree = _image(longitude, latitude, line, pixel)
    x, y = Transformer.from_crs("EPSG:4326", "EPSG:32601", always_xy=True).transform(180, 0.8)
    for area, crs in (
        ((179.95, 0.75, -179.95, 0.85), "EPSG:4326"),
        ((x - 5_566, y - 5_530, x + 5_566, y + 5_530), "EPSG:32601"),
    ):
        actual = filter_product(tree, aoi=area, aoi_crs=crs)
        data = actual["VH/measurements"].to_dataset()
        for name, first, last in (("line", 150, 250), ("pixel", 250, 350)):
            assert first - 10 <= int(data[name][0]) <= first, name
            assert last <= int(data[name][-1]) <= last + 10, name
        for node in (actual, actual["VH"], actual["VV"]):
            item = _item(node)
            assert item["id"] == node.name
            assert item["geometry"]["type"] == "MultiPolygon"
            expected = [179.95, 0.75, -179.95, 0.85]
            assert item["bbox"] == pytest.approx(expected, abs=0.011)
    with pytest.raises(InvalidInputError, match="is outside"):
        filter_product(tree, aoi=(10, 0.7, 11, 0.8))
    tiny = filter_product(tree, aoi=(179.8111, 0.8111, 179.8112, 0.8112))
    assert 0 < tiny["VV/measurements/grd"].size < 100


def test_the_item_of_a_radar_image_without_control_points() -> None:
    line, pixel = np.arange(0, 401, 100), np.arange(0, 601, 100)
    longitude = 13 + 0.001 * (pixel + 0 * line[:, None])
    tree = _image(longitude, 54 - 0.001 * (line[:, None] + 0 * pixel), line, pixel)
    result = filter_product(tree, aoi=(13.1, 53.8, 13.2, 53.9), groups=["*/measurements"])
    assert _item(result)["bbox"] == pytest.approx([13.1, 53.8, 13.2, 53.9], abs=0.008)


def test_the_item_of_a_swath_across_the_antimeridian() -> None:
    result = filter_product(_even(179.7, 1, columns=60), aoi=(179.9, 0.8, -179.9, 0.9))
    item = _item(result)
    assert item["bbox"] == pytest.approx([179.9, 0.8, -179.9, 0.9], abs=0.011)
    assert item["geometry"]["type"] == "MultiPolygon"
    west, east = sorted(part["coordinates"] for part in (
        shapely.geometry.mapping(geom) for geom in shape(item["geometry"]).geoms))  # fmt: skip
    assert max(x for x, _ in west[0]) < 0 < min(x for x, _ in east[0])
    one_side = filter_product(_even(179.7, 1, columns=60), aoi=(179.8, 0.8, 179.9, 0.9))
    assert _item(one_side)["geometry"]["type"] == "Polygon"
    assert _item(one_side)["bbox"] == pytest.approx([179.8, 0.8, 179.9, 0.9], abs=0.011)


def test_the_outline_of_a_bent_swath_follows_its_edges() -> None:
    tree = _bent("EPSG:3413", 1_500_000, -200_000, size=120, step_m=4_000)
    result = filter_product(tree, aoi=(-180, 40, 180, 90))
    geometry = shape(_item(result)["geometry"])
    data = tree["measurements"].to_dataset().compute()
    places = shapely.points(data["longitude"].to_numpy(), data["latitude"].to_numpy())
    assert shapely.contains(geometry, places).all(), "the edges are the pixels', not their centres"
    assert 8 < shapely.get_num_coordinates(geometry) < 100
    outer = shapely.buffer(shapely.convex_hull(shapely.multipoints(places.ravel())), 0.2)
    assert shapely.contains(outer, geometry)


def test_the_shape_and_transform_of_the_item_are_those_of_the_rest() -> None:
    tree = _even(13, 54)
    properties = tree.attrs["stac_discovery"]["properties"]
    properties["proj:shape"] = [40, 60]
    result = filter_product(tree, aoi=(13.101, 53.801, 13.299, 53.899))
    assert _item(result)["properties"]["proj:shape"] == [10, 20]
    assert properties["proj:shape"] == [40, 60], "input unchanged"
    properties["proj:shape"] = [{"name": "1 km", "rows": 40, "columns": 60}]
    result = filter_product(tree, aoi=(13.101, 53.801, 13.299, 53.899))
    assert _item(result)["properties"] == properties
    grid = GeoBox.from_bbox((399_960, 5_990_000, 402_360, 5_992_400), "EPSG:32633", resolution=20)
    raster = _grid(grid)
    raster.attrs["stac_discovery"]["properties"] |= {
        "proj:shape": [120, 120],
        "proj:transform": [20.0, 0.0, 399_960.0, 0.0, -20.0, 5_992_400.0],
        "proj:bbox": [0.0, 0.0, 0.0, 0.0],
    }
    area = (400_000, 5_992_000, 400_100, 5_992_200)
    assert _item(filter_product(raster, aoi=area, aoi_crs=grid.crs))["properties"] == {
        "proj:shape": [10, 5],
        "proj:transform": [20.0, 0.0, 400_000.0, 0.0, -20.0, 5_992_200.0],
        "proj:bbox": list(area),
    }


def test_a_time_changes_the_outline_too() -> None:
    tree = _even(13, 54)
    data = tree["measurements"].to_dataset()
    start = np.datetime64("2026-05-01T10:00", "ns")
    data["time_stamp"] = ("rows", start + np.arange(40) * np.timedelta64(1, "s"))
    tree["measurements"] = xr.DataTree(data.set_coords("time_stamp"))
    result = filter_product(tree, time=("2026-05-01T10:00:10", "2026-05-01T10:00:19"))
    assert result["measurements"].sizes["rows"] == 10
    assert _item(result)["bbox"] == pytest.approx([13, 53.8, 13.6, 53.9], abs=1e-3)


def test_times_with_and_without_offset_are_the_same_moment() -> None:
    days = np.arange("2026-05-01", "2026-05-06", dtype="M8[D]").astype("M8[ns]")
    series = xr.DataTree.from_dict(
        {"/measurements": xr.Dataset({"t": ("time", np.arange(5.0))}, coords={"time": days})}
    )
    east = timezone(timedelta(hours=2))
    for first in (
        "2026-05-02", "2026-05-02T00:00:00Z", "2026-05-02T02:00:00+02:00", date(2026, 5, 2),
        datetime(2026, 5, 2, tzinfo=UTC).replace(tzinfo=None),
        datetime(2026, 5, 2, tzinfo=UTC), datetime(2026, 5, 2, 2, tzinfo=east),
    ):  # fmt: skip
        assert filter_product(series, time=(first, None))["measurements/t"].values[0] == 1


def test_reference_systems_that_are_none_and_areas_without_one() -> None:
    with pytest.raises(InvalidInputError, match="has no reference system"):
        filter_product(_even(13, 54), aoi=Geometry(box(13, 53, 14, 54), None))
    with pytest.raises(InvalidInputError, match="is empty"):
        filter_product(_even(13, 54), aoi=Geometry(Polygon(), "EPSG:4326"))


def test_footprints_of_safe_products_across_the_antimeridian_and_back() -> None:
    text = "1.5 179.0 1.0 -179.5 -0.5 -179.75 0.0 178.75 1.5 179.0"
    geometry, bbox = (parse_text(Entry(type=kind), text) for kind in ("polygon", "bbox"))
    assert bbox == [178.75, -0.5, -179.5, 1.5]
    assert geometry["type"] == "MultiPolygon"
    parts = shape(geometry)
    assert parts.is_valid
    assert parts.area == pytest.approx(
        Polygon([(179, 1.5), (180.5, 1), (180.25, -0.5), (178.75, 0)]).area
    )
    again = format_value(Entry(type="polygon"), geometry)
    ring = np.array(again.split(), float).reshape(-1, 2)
    corners = {(1.5, 179.0), (1.0, -179.5), (-0.5, -179.75), (0.0, 178.75)}
    assert corners <= {(float(y), float(x)) for y, x in ring}
    assert ring[0].tolist() == ring[-1].tolist()
    assert parse_text(Entry(type="bbox"), again) == bbox
    full = "54.0 13.0 54.0 14.0 53.0 14.0 53.0 13.0 54.0 13.0"
    geometry = parse_text(Entry(type="polygon"), full)
    assert join_outline(geometry) == geometry["coordinates"][0]
    assert format_value(Entry(type="polygon"), geometry) == full


def test_an_area_larger_than_the_product_reads_no_coordinates_but_for_the_thinned_ones() -> None:
    tree = _even(13, 54, rows=64, columns=64)
    read: list[str] = []

    def load(block: np.ndarray, name: str = "") -> np.ndarray:
        read.append(name)
        return block

    data = tree["measurements"].to_dataset()
    for name in ("latitude", "longitude"):
        lazy = da.from_array(data[name].to_numpy(), chunks=32)
        lazy = lazy.map_blocks(load, name=f"load-{name}", meta=np.empty((0, 0)))
        data = data.assign_coords({name: (ROWS, lazy)})
    tree["measurements"] = xr.DataTree(data)
    tree.attrs = {}
    filter_product(tree, aoi=(-180, -90, 180, 90))
    assert len(read) == 8, "each chunk of the two once"


@pytest.mark.parametrize(
    ("longitude", "latitude", "bbox", "kind"),
    [
        ([10, 20, 20, 10], [0, 0, 5, 5], [10, 0, 20, 5], "Polygon"),
        ([170, -170, -170, 170], [0, 0, 5, 5], [170, 0, -170, 5], "MultiPolygon"),
        ([-170, -170, 170, 170, -170], [0, 5, 5, 0, 0], [170, 0, -170, 5], "MultiPolygon"),
        ([170, 190, 190, 170], [0, 0, 5, 5], [170, 0, -170, 5], "MultiPolygon"),
        ([170, 180, 180, 170], [0, 0, 5, 5], [170, 0, 180, 5], "Polygon"),
        ([-180, -170, -170, -180], [0, 0, 5, 5], [-180, 0, -170, 5], "Polygon"),
        ([-180, -90, 0, 90, 180], [85, 86, 85, 86, 85], [-180, 85, 180, 90], "Polygon"),
        ([0, -90, -180, 90], [-85] * 4, [-180, -90, 180, -85], "Polygon"),
        ([10, np.nan, 20, 20, 10], [0, 0, 0, 5, 5], [10, 0, 20, 5], "Polygon"),
        ([10, 20, 10, 20], [0, 0, 5, 5], [10, 0, 20, 5], "MultiPolygon"),
    ],
)
def test_outlines_as_geojson_has_them(
    longitude: list[float], latitude: list[float], bbox: list[float], kind: str
) -> None:
    geometry, result = outline_ring(np.array(longitude, float), np.array(latitude, float))
    assert result == bbox
    assert geometry["type"] == kind
    outline = shape(geometry)
    assert outline.is_valid
    assert outline.bounds[0] >= -180
    assert outline.bounds[2] <= 180
