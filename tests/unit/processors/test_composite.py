from datetime import UTC, date, datetime, timedelta, timezone

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skerry.core.errors import InvalidInputError
from skerry.processors.composite import composite_scenes, merge_blocks
from skerry.processors.registry import get_processor

NAN = np.nan
LAST = date(2026, 5, 3)
MOMENTS = [datetime(2026, 5, day, 10, tzinfo=UTC) for day in (1, 2, 3)]


def _scene(values: list[float], other: list[float] | None = None) -> xr.Dataset:
    """One row of pixels of two variables."""
    grid = {"y": [50.0], "x": 10.0 * np.arange(len(values)), "spatial_ref": 0}
    first = xr.DataArray(np.array([values], np.float32), dims=("y", "x"), attrs={"units": "FNU"})
    second = xr.DataArray(np.array([other or values], np.float32), dims=("y", "x"))
    return xr.Dataset({"turbidity": first, "ndci": second}).assign_coords(grid)


SCENES = [
    _scene([1, 1, 1, NAN, NAN]),
    _scene([2, 2, NAN, NAN, NAN]),
    _scene([3, NAN, NAN, NAN, 3], [3, 3, 3, 3, NAN]),
]


@pytest.mark.parametrize(
    ("method", "values", "source"),
    [
        ("most-recent", [3, 2, 1, NAN, NAN], [2, 1, 0, -1, -1]),
        ("best-quality", [3, 2, 1, NAN, NAN], [2, 1, 0, -1, -1]),
        ("median", [2, 1.5, 1, NAN, 3], [-1] * 5),
    ],
)
@pytest.mark.parametrize("lazy", [False, True])
def test_methods(method: str, values: list[float], source: list[int], lazy: bool) -> None:
    scenes = [item.chunk({"x": 2}) for item in SCENES] if lazy else SCENES
    result = composite_scenes(scenes, MOMENTS, last=LAST, days=3, method=method)
    assert result["turbidity"].dims == ("time", "y", "x")
    assert (result["turbidity"].chunks is not None) == lazy
    assert result["time"].values.tolist() == [np.datetime64("2026-05-03", "ns").item()]
    assert "spatial_ref" in result.coords
    np.testing.assert_array_equal(result["turbidity"].values[0, 0], values)
    np.testing.assert_array_equal(result["source"].values[0, 0], source)
    np.testing.assert_array_equal(result["count"].values[0, 0], [3, 2, 1, 0, 0])
    assert result["turbidity"].attrs["units"] == "FNU"
    assert result["source"].dtype == result["count"].dtype == np.int16


def test_the_best_quality_wins_and_the_more_recent_of_equals() -> None:
    qualities = [
        xr.DataArray(np.array([item], np.float32), dims=("y", "x"))
        for item in ([9, 5, 1, 1, 1], [9, 6, 1, 1, 1], [9, 9, 9, 9, NAN])
    ]
    result = composite_scenes(SCENES, MOMENTS, last=LAST, days=3, qualities=qualities)
    assert result["source"].values[0, 0].tolist() == [2, 1, 0, -1, -1]
    qualities[0] = qualities[0] + 1
    result = composite_scenes(SCENES, MOMENTS, last=LAST, days=3, qualities=qualities)
    assert result["turbidity"].values[0, 0, :2].tolist() == [1, 2]


def test_the_window_is_days_up_to_the_last() -> None:
    result = composite_scenes(SCENES, MOMENTS, last=date(2026, 5, 2), days=1)
    np.testing.assert_array_equal(result["turbidity"].values[0, 0], [2, 2, NAN, NAN, NAN])
    assert result["source"].attrs["flag_meanings"] == "none scene_1"


@pytest.mark.parametrize("method", ["best-quality", "median", "most-recent"])
@pytest.mark.parametrize("lazy", [False, True])
def test_nothing_valid_is_a_valid_empty_composite(method: str, lazy: bool) -> None:
    cloudy = _scene([NAN] * 4)
    cloudy = cloudy.chunk({"x": 2}) if lazy else cloudy
    for last in (LAST, date(2020, 1, 1)):  # all cloud; no scene in the window
        result = composite_scenes([cloudy] * 3, MOMENTS, last=last, days=3, method=method)
        assert np.isnan(result["turbidity"]).all()
        assert (result["count"] == 0).all()
        assert (result["source"] == -1).all()


def test_scenes_on_other_grids_are_refused() -> None:
    moved = SCENES[1].assign_coords(x=SCENES[1]["x"] + 5)
    with pytest.raises(InvalidInputError, match="another grid"):
        composite_scenes([SCENES[0], moved], MOMENTS[:2], last=LAST)
    with pytest.raises(InvalidInputError, match="lacks ndci"):
        composite_scenes([SCENES[0], SCENES[1][["turbidity"]]], MOMENTS[:2], last=LAST)
    with pytest.raises(InvalidInputError, match="0 scenes"):
        composite_scenes([], [], last=LAST)


def test_the_same_coordinates_in_another_zone_are_another_grid() -> None:
    from pyproj import CRS

    def place(scene: xr.Dataset, number: int, version: str = "WKT2_2019") -> xr.Dataset:
        wkt = CRS.from_epsg(number).to_wkt(version)
        return scene.assign_coords(spatial_ref=((), 0, {"crs_wkt": wkt}))

    north = [place(SCENES[0], 32633), place(SCENES[1], 32633, "WKT2_2015")]
    assert (composite_scenes(north, MOMENTS[:2], last=LAST, days=3)["count"][0, 0, 0]) == 2
    with pytest.raises(InvalidInputError, match=r"another grid.*zone 32N and .*zone 33N"):
        composite_scenes([north[0], place(SCENES[1], 32632)], MOMENTS[:2], last=LAST)


def test_variables_on_two_grids_are_refused() -> None:
    scene = SCENES[0].assign(time_stamp=("y", [5.0]))
    with pytest.raises(InvalidInputError, match="another grid"):
        composite_scenes([scene], MOMENTS[:1], last=LAST)


def _swath(west: float, read: list[str] | None = None) -> xr.Dataset:
    """A swath whose coordinates tell when they are read."""
    rows, columns = np.mgrid[:4.0, :4.0]
    places = {"latitude": 54 - rows / 100, "longitude": west + columns / 100}

    def load(name: str, block_info: dict | None = None) -> np.ndarray:
        if read is not None:
            read.append(f"{name} {block_info[None]['chunk-location']}")
        (top, _), (left, _) = block_info[None]["array-location"]
        return places[name][top : top + 2, left : left + 2]

    coords = {
        name: (
            ("rows", "columns"),
            da.map_blocks(load, name, chunks=((2, 2), (2, 2)), dtype="f8", meta=np.empty((0, 0)),
                          name=f"{name} {west} {id(places)}"),
        )
        for name in places
    }  # fmt: skip
    data = da.full((4, 4), west, dtype="f4", chunks=2)
    return xr.Dataset({"radiance": (("rows", "columns"), data)}, coords=coords)


def test_swaths_of_one_place_are_composited() -> None:
    read: list[str] = []
    scenes = [_swath(14, read) for _ in MOMENTS]
    result = composite_scenes(scenes, MOMENTS, last=LAST, days=3)
    assert (result["count"] == 3).all()
    assert len(read) == 3 * 2 * 4, "each chunk of each scene's coordinates is read once"
    read.clear()
    composite_scenes([scenes[0]] * 3, MOMENTS, last=LAST, days=3)
    assert not read, "the same arrays need no look"
    gap = scenes[0].assign_coords(latitude=scenes[0]["latitude"].where(scenes[0]["latitude"] < 54))
    assert composite_scenes([gap, gap.load()], MOMENTS[:2], last=LAST, days=3)["count"].max() == 2


@pytest.mark.parametrize("other", [_swath(100), _swath(14).drop_vars(["latitude", "longitude"])])
def test_swaths_of_different_places_are_refused(other: xr.Dataset) -> None:
    for scenes in ([_swath(14), other], [other, _swath(14)]):
        with pytest.raises(
            InvalidInputError, match=r"Scene 1 is a swath of another place"
        ) as raised:
            composite_scenes(scenes, MOMENTS[:2], last=LAST, days=3)
        assert "regrid_swath" in str(raised.value.remedy)


def test_times_are_of_utc_whatever_their_zone() -> None:
    east, west = timezone(timedelta(hours=10)), timezone(timedelta(hours=-10))
    moments = [
        datetime(2026, 5, 3, 5, tzinfo=east),  # the 2nd, 19:00 UTC
        datetime(2026, 5, 2, 20, tzinfo=west),  # the 3rd, 06:00 UTC
        datetime(2026, 5, 3, 5),  # noqa: DTZ001 -- without a zone it is UTC
    ]
    result = composite_scenes(SCENES, moments, last=LAST, days=1, method="most-recent")
    np.testing.assert_array_equal(result["source"].values[0, 0], [1, 1, -1, -1, -1])
    assert result["count"].values[0, 0].tolist() == [2, 1, 0, 0, 0]
    assert result.attrs["sources"] == [
        "scene 1 2026-05-03T06:00:00+00:00",
        "scene 2 2026-05-03T05:00:00+00:00",
    ]


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 6), st.just(2), st.just(3)),
        elements=st.one_of(st.just(np.float32(np.nan)), st.floats(-9, 9, width=32)),
    )
)
def test_the_median_is_numpys(layers: np.ndarray) -> None:
    blocks = [np.zeros((2, 3), "i1")]
    for layer in layers:
        blocks += [layer, np.zeros((2, 3), "f4")]
    merged = merge_blocks(blocks, list(range(len(layers))), 1, "median")
    for place in np.ndindex(2, 3):
        valid = layers[(slice(None), *place)]
        valid = valid[np.isfinite(valid)]
        expected = np.median(valid) if len(valid) else np.nan
        np.testing.assert_allclose(merged[(0, *place)], expected, rtol=1e-6)
    np.testing.assert_array_equal(merged[1], np.isfinite(layers).sum(axis=0))


def test_a_chunk_reads_only_its_own_chunk_of_each_scene() -> None:
    read: list[tuple[int, int]] = []

    def load(block_info: dict | None = None) -> np.ndarray:
        read.append(block_info[None]["chunk-location"])
        return np.ones((4, 4), np.float32)

    band = da.map_blocks(load, chunks=((4,) * 8, (4,) * 8), dtype="f4", meta=np.empty((0, 0), "f4"))
    scenes = [xr.Dataset({"turbidity": (("y", "x"), band + day)}) for day in range(3)]
    result = composite_scenes(scenes, MOMENTS, last=LAST, days=3)
    block = result["turbidity"].isel(y=slice(4, 8), x=slice(8, 12)).compute(scheduler="synchronous")
    assert float(block.mean()) == 3
    assert set(read) == {(1, 2)}


def _product(day: int, values: list[float], scl: list[int]) -> xr.DataTree:
    scene = _scene(values)
    flags = xr.DataArray(
        np.array([scl], np.uint8),
        dims=("y", "x"),
        coords=scene.coords,
        attrs={"flag_values": [6, 9], "flag_meanings": "water cloud_high"},
    )
    tree = xr.DataTree.from_dict(
        {"/measurements": scene, "/conditions/mask": xr.Dataset({"scl": flags})}, name=f"day{day}"
    )
    tree.attrs["stac_discovery"] = {"properties": {"datetime": f"2026-05-0{day}T10:00:00Z"}}
    return tree


def test_products_by_flags() -> None:
    products = [_product(1, [1, 1], [6, 6]), _product(2, [2, 2], [6, 9])]
    result = get_processor("composite").apply(
        *products,
        group="measurements",
        variables=["turbidity"],
        flag_group="conditions/mask",
        valid_flags="~cloud_high",
        day=date(2026, 5, 2),
        days=2,
        method="most-recent",
    )
    assert result["turbidity"].values[0, 0].tolist() == [2, 1]
    assert result["source"].attrs["flag_meanings"] == "none day1 day2"
    assert result["turbidity"].encoding["grid_mapping"] == "spatial_ref"
    with pytest.raises(InvalidInputError, match="no group 'nowhere'"):
        get_processor("composite").apply(*products, group="nowhere")
    with pytest.raises(InvalidInputError, match=r"'days'.*at least 1 and at most 366"):
        get_processor("composite").apply(*products, group="measurements", days=0)
    for product in products:
        product.attrs["stac_discovery"]["id"] = "S2A_1"
    with pytest.raises(InvalidInputError, match="The product S2A_1 is given 2 times"):
        get_processor("composite").apply(*products, group="measurements")


def _raster(
    resolution: int, values: np.ndarray, *, west: float = 0.0, lazy: bool = False, **attrs: object
) -> xr.DataArray:
    coords = {
        "y": -resolution * (np.arange(values.shape[0]) + 0.5),
        "x": west + resolution * (np.arange(values.shape[1]) + 0.5),
    }
    array = xr.DataArray(values, dims=("y", "x"), coords=coords, attrs=attrs)
    return array.chunk(4) if lazy else array


def _level_1c(day: int, flags: np.ndarray, *, west: float = 0.0, lazy: bool = False) -> xr.DataTree:
    """Bands of 20 m, flags and a quality of 60 m."""
    band = _raster(20, np.full((9, 9), day, np.float32), lazy=lazy)
    meaning = {"flag_masks": [1, 2, 4], "flag_meanings": "opaque cirrus snow"}
    mask = _raster(60, flags.astype(np.uint8), west=west, lazy=lazy, **meaning)
    quality = _raster(60, 9 - flags.astype(np.float32), west=west, lazy=lazy)
    groups = {
        "/measurements/reflectance/r20m": xr.Dataset({"b05": band}),
        "/conditions/mask/l1c_classification/r60m": xr.Dataset({"b00": mask}),
        "/quality/r60m": xr.Dataset({"clear": quality.transpose("x", "y")}),
    }
    tree = xr.DataTree.from_dict(groups, name=f"day{day}")
    tree.attrs["stac_discovery"] = {"properties": {"datetime": f"2026-05-0{day}T10:00:00Z"}}
    return tree


FLAGS = np.array([[1, 0, 0], [0, 2, 0], [0, 0, 4]])


@pytest.mark.parametrize("lazy", [False, True])
def test_flags_of_60_m_mask_their_nine_pixels_of_20_m(lazy: bool) -> None:
    products = [_level_1c(1, 0 * FLAGS, lazy=lazy), _level_1c(2, FLAGS, lazy=lazy)]
    actual = get_processor("composite").apply(
        *products,
        group="measurements/reflectance/r20m",
        flag_group="conditions/mask/l1c_classification/r60m",
        valid_flags="~(opaque | cirrus)",
        method="most-recent",
    )
    expected = np.where(np.isin(FLAGS, [1, 2]), 1, 2).repeat(3, axis=0).repeat(3, axis=1)
    np.testing.assert_array_equal(actual["b05"].values[0], expected)
    assert (actual["b05"].chunks is not None) == lazy
    if lazy:
        assert actual["b05"].chunks == ((1,), (4, 4, 1), (4, 4, 1))


@pytest.mark.parametrize("lazy", [False, True])
def test_a_quality_of_60_m_decides_over_its_nine_pixels(lazy: bool) -> None:
    products = [_level_1c(1, 0 * FLAGS + 1, lazy=lazy), _level_1c(2, FLAGS, lazy=lazy)]
    actual = get_processor("composite").apply(
        *products, group="measurements/reflectance/r20m", quality="quality/r60m/clear"
    )
    expected = np.where(FLAGS > 1, 1, 2).repeat(3, axis=0).repeat(3, axis=1)
    np.testing.assert_array_equal(actual["b05"].values[0], expected)


@pytest.mark.parametrize(
    ("parameters", "what"),
    [
        ({"flag_group": "conditions/mask/l1c_classification/r60m", "valid_flags": "~snow"},
         "The flags of conditions/mask"),
        ({"quality": "quality/r60m/clear"}, "The numbers of the quality of scene 0"),
    ],
)  # fmt: skip
def test_flags_and_qualities_of_another_place_are_refused(
    parameters: dict[str, str], what: str
) -> None:
    product = _level_1c(1, FLAGS, west=90.0)
    with pytest.raises(
        InvalidInputError, match=rf"{what}.* 3.*x 120 to 240.* do not fit .* 9.*x 10 to 170"
    ):
        get_processor("composite").apply(
            product, group="measurements/reflectance/r20m", **parameters
        )


@pytest.mark.parametrize("shape", [(1, 2), (1, 1, 5), (5,), (1, 1)])
def test_qualities_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    dims = ("z", "y", "x")[-len(shape) :]
    qualities = [xr.DataArray(np.ones(shape, np.float32), dims=dims)] * 3
    with pytest.raises(InvalidInputError, match=r"quality of scene 2 .* do not fit turbidity"):
        composite_scenes(SCENES, MOMENTS, last=LAST, days=3, qualities=qualities)
