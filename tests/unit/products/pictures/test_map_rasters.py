"""What maps draw of swaths: right places everywhere on Earth, and outlines as GeoJSON has them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import xarray as xr
from pyproj import Geod, Transformer
from pyresample import geometry, kd_tree
from shapely.geometry import shape

from skerry.core.errors import InvalidInputError
from skerry.products import open_product
from skerry.products.grids import grid_of
from skerry.products.pictures.map_rasters import name_system, outline_swath, rasterize_swath
from skerry.products.sensors.mapping import load_mapping
from skerry.products.sensors.records import Catalogue, Mapping, MapRaster
from skerry.products.swath_blocks import REACH, _measure_diagonal

STEP_M = 1000.0
PLACES = {
    "Baltic": (14.0, 54.0),
    "antimeridian": (179.9, 10.0),
    "beyond the antimeridian": (-179.95, -40.0),
    "north pole": (30.0, 89.9),
    "south pole": (-120.0, -89.5),
}

FIRST = {
    "sentinel_1_iw_grd": ("vv", "hh"),
    "sentinel_3_olci_err": ("oa08_radiance", "oa06_radiance"),
    "sentinel_3_slstr_rbt": ("s3_radiance", "s2_radiance"),
}


def make_swath(longitude: float, latitude: float, size: int = 60) -> xr.DataTree:
    """Return a tilted swath of pixels a kilometre apart, whose numbers count them."""
    rows, columns = (item.ravel() for item in np.mgrid[:size, :size] - size // 2)
    azimuth = np.degrees(np.arctan2(columns, -rows)) - 12.0
    distance = np.hypot(rows, columns) * STEP_M
    start = np.full(rows.shape, 1.0)
    x, y, _ = Geod(ellps="WGS84").fwd(longitude * start, latitude * start, azimuth, distance)
    dims = ("rows", "columns")
    data = xr.Dataset(
        {"count": (dims, np.arange(size * size, dtype=np.float32).reshape(size, size))},
        coords={
            "longitude": (dims, np.asarray(x).reshape(size, size)),
            "latitude": (dims, np.asarray(y).reshape(size, size)),
        },
    )
    return xr.DataTree.from_dict({"/measurements": data})


def make_mapping(**catalogue: Any) -> Mapping:
    maps = [MapRaster(group="measurements", variables={"number": "count"}, resolution_m=STEP_M)]
    selected = Catalogue(**{"maps": maps, **catalogue})
    return load_mapping("sentinel_3_olci_efr").model_copy(update={"catalogue": selected})


@pytest.mark.parametrize("place", PLACES)
def test_each_pixel_of_the_map_is_the_nearest_of_the_swath(place: str) -> None:
    swath = make_swath(*PLACES[place])
    data = swath["measurements"].to_dataset()
    drawn = rasterize_swath(swath, make_mapping())["measurements"].to_dataset()
    grid = grid_of(drawn)
    assert grid is not None
    numbers = drawn["number"].to_numpy()
    rows, columns = np.nonzero(np.isfinite(numbers))
    assert len(rows) > 0.9 * data["count"].size
    to_degrees = Transformer.from_crs(str(grid.crs), "EPSG:4326", always_xy=True)
    x, y = to_degrees.transform(drawn["x"].to_numpy()[columns], drawn["y"].to_numpy()[rows])
    taken = numbers[rows, columns].astype(int)
    there = [data[name].to_numpy().ravel()[taken] for name in ("longitude", "latitude")]
    _, _, distance = Geod(ellps="WGS84").inv(x, y, *there)
    assert np.max(distance) < 0.76 * np.sqrt(2) * STEP_M  # the reach, on a sphere
    assert np.mean(distance) < 0.5 * STEP_M


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "name"),
    [("olci-err", "sentinel_3_olci_err"), ("slstr-rbt", "sentinel_3_slstr_rbt")],
)
def test_maps_of_swaths_are_those_of_pyresample(
    kind: str, name: str, simulated: Callable[..., Path]
) -> None:
    """Pixel for pixel, the whole swath at a time, each grid as pyresample lays it out."""
    product, mapping = open_product(simulated(kind, size=120)), load_mapping(name)
    drawn = rasterize_swath(product, mapping)
    compared = 0
    for item in mapping.catalogue.maps:
        actual = drawn[item.group.rpartition("/")[2]].to_dataset()
        swath = product[item.group].to_dataset()
        latitude, longitude = swath["latitude"].to_numpy(), swath["longitude"].to_numpy()
        finite = np.isfinite(latitude) & np.isfinite(longitude)
        grid = grid_of(actual)
        assert grid is not None
        area = geometry.AreaDefinition(
            "", "", "", str(grid.crs), grid.shape.x, grid.shape.y, grid.boundingbox.bbox
        )
        reach = REACH * _measure_diagonal(swath["latitude"], swath["longitude"])
        for shown, source in item.variables.items():
            expected = kd_tree.resample_nearest(
                geometry.SwathDefinition(longitude[finite], latitude[finite]),
                swath[source].to_numpy()[finite].astype(np.float64),
                area, radius_of_influence=reach, fill_value=np.nan,
            )  # fmt: skip
            np.testing.assert_array_equal(actual[shown].to_numpy().astype(np.float64), expected)
            compared += int(np.isfinite(expected).sum())
    assert compared > 10_000


def test_a_swath_whose_middle_has_no_places_is_drawn() -> None:
    swath = make_swath(*PLACES["Baltic"])
    data = swath["measurements"].to_dataset()
    gap = np.arange(60) // 2 == 14
    data = data.assign_coords(
        {name: data[name].where(~xr.DataArray(gap, dims="rows")) for name in data.coords}
    )
    swath = xr.DataTree.from_dict({"/measurements": data})
    drawn = rasterize_swath(swath, make_mapping())["measurements"]["number"].to_numpy()
    assert np.isfinite(drawn).sum() > 0.9 * 58 * 60


def test_a_type_may_say_which_values_are_drawn_darkest_and_brightest() -> None:
    raster = MapRaster(
        group="measurements", variables={"number": "count"}, resolution_m=STEP_M,
        shown={"number": (5, 50)},
    )  # fmt: skip
    swath = make_swath(*PLACES["Baltic"])
    drawn = rasterize_swath(swath, make_mapping(maps=[raster]))["measurements"]["number"]
    assert (drawn.attrs["display_min"], drawn.attrs["display_max"]) == (5, 50)
    assert "display_min" not in swath["measurements/count"].attrs


def test_the_first_drawn_are_named_or_the_order_of_the_maps() -> None:
    first = {name: load_mapping(name).catalogue.drawn_first[:2] for name in FIRST}
    assert first == FIRST


@pytest.mark.parametrize("place", PLACES)
def test_outlines_are_geojson_of_the_right_area(place: str) -> None:
    swath = make_swath(*PLACES[place])
    outline = outline_swath(swath, make_mapping())
    assert outline is not None
    area = shape(outline)
    assert shapely.is_valid(area)
    west, south, east, north = area.bounds
    assert -180 <= west <= east <= 180
    assert -90 <= south <= north <= 90
    for polygon in getattr(area, "geoms", [area]):
        assert polygon.exterior.is_ccw
    metres, _ = Geod(ellps="WGS84").geometry_area_perimeter(area)
    expected = (60 * STEP_M) ** 2
    if "pole" not in place:  # an edge along a parallel is not a geodesic, near a pole it is far off
        assert abs(metres) == pytest.approx(expected, rel=0.03)
    if "antimeridian" in place:
        assert outline["type"] == "MultiPolygon"
    if place == "north pole":
        assert north == 90
        assert east - west == 360
    inside = swath["measurements"].to_dataset().isel(rows=slice(4, -4), columns=slice(4, -4))
    points = shapely.points(inside["longitude"].to_numpy(), inside["latitude"].to_numpy())
    assert shapely.intersects(area, points).all()


def test_gaps_stay_gaps_and_packing_stays() -> None:
    swath = make_swath(14.0, 54.0)
    data = swath["measurements"].to_dataset()
    data["count"] = data["count"].where(data["count"] > 1800)
    data["count"].encoding = {"dtype": "uint16", "scale_factor": 0.5, "_FillValue": 65535}
    swath = xr.DataTree.from_dict({"/measurements": data})
    drawn = rasterize_swath(swath, make_mapping())["measurements"]["number"]
    assert float(drawn.min()) == 1801
    assert drawn.encoding["dtype"] == "uint16"


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ((14.0, 54.0), "EPSG:32633"),
        ((14.0, -54.0), "EPSG:32733"),
        ((180.0, 0.0), "EPSG:32660"),
        ((-180.0, 0.0), "EPSG:32601"),
        ((0.0, 85.0), "EPSG:5041"),
        ((0.0, -85.0), "EPSG:5042"),
    ],
)
def test_the_projection_is_that_of_the_middle(place: tuple[float, float], code: str) -> None:
    assert name_system(*place) == code


def test_a_product_without_its_variables_or_places_is_refused() -> None:
    swath = make_swath(14.0, 54.0)
    empty = xr.DataTree.from_dict({"/measurements": swath["measurements"].to_dataset()[[]]})
    with pytest.raises(InvalidInputError, match="measurements"):
        rasterize_swath(empty, make_mapping())
    data = swath["measurements"].to_dataset()
    data["latitude"] = data["latitude"] * np.nan
    with pytest.raises(InvalidInputError, match="latitude and longitude"):
        rasterize_swath(xr.DataTree.from_dict({"/measurements": data}), make_mapping())
