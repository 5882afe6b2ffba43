from pathlib import Path

import numpy as np
import pytest
import zarr
from tests.pyramids import open_pyramid

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.maps.levels import read_window
from skerry.storage.chunk_cache import ChunkCache


def test_levels_come_finest_first_with_their_own_shape_and_transform(write_pyramid):
    path = write_pyramid(np.zeros((701, 515), np.uint16), group="measurements/r10m")
    pyramid = open_pyramid(path, "measurements/r10m/v", "1")
    assert [(level.height, level.width) for level in pyramid.levels] == [
        (701, 515),
        (351, 258),
        (176, 129),
    ]
    assert [level.resolution for level in pyramid.levels] == [10, 20, 40]
    assert pyramid.bounds == (400_000, 5_100_000 - 7010, 400_000 + 5150, 5_100_000)
    west, south, east, north = pyramid.geographic_bounds
    assert 13 < west < east < 15
    assert 45 < south < north < 47


@pytest.mark.parametrize("where", ["", "0"])
def test_transforms_of_nodes_are_those_of_centres(write_pyramid, where):
    path = write_pyramid(np.zeros((9, 9), np.uint16))
    root = zarr.open_group(path, mode="a")
    (root[where] if where else root).attrs["spatial:registration"] = "node"
    assert open_pyramid(path, "v", "1").bounds == (399_995, 5_099_915, 400_085, 5_100_005)


def test_a_level_without_the_variable_is_passed_over(write_pyramid):
    path = write_pyramid(np.zeros((600, 600), np.uint8))
    root = zarr.open_group(path, mode="a")
    del root["0/v"]
    assert [level.path for level in open_pyramid(path, "v", "1").levels] == ["1/v", "2/v"]


@pytest.mark.parametrize(
    ("dtype", "attributes", "stored", "factors", "missing"),
    [
        ("u2", {"scale_factor": 0.0001, "add_offset": -0.1, "_FillValue": 0}, "u2",
         (0.0001, -0.1), (0,)),
        ("f4", {"_FillValue": "AAAAAAAA+H8="}, "f4", (1, 0), ()),
        ("f4", {"_FillValue": "AAAAAAA4j8A="}, "f4", (1, 0), (-999,)),
        ("i2", {"_Unsigned": "true", "_FillValue": -1, "scale_factor": "0.5"}, "u2",
         (0.5, 0), (65_535,)),
        ("u1", {"_Unsigned": "false", "missing_value": [255, 128]}, "i1", (1, 0), (-1, -128)),
        ("u1", {"flag_values": [0, 1], "_FillValue": 255}, "u1", (1, 0), (255,)),
        ("i8", {"_FillValue": -1, "missing_value": -2}, "i8", (1, 0), (-1, -2)),
        ("f4", {"scale_factor": 0.1, "eopf_is_scaled": True}, "f4", (1, 0), ()),
        ("?", {}, "?", (1, 0), ()),
    ],
)  # fmt: skip
def test_what_numbers_mean_is_read_as_everywhere(
    write_pyramid, dtype, attributes, stored, factors, missing
):
    path = write_pyramid(np.zeros((9, 9), dtype), attributes=attributes)
    packing = open_pyramid(path, "v", "1").packing
    assert packing.stored == np.dtype(stored)
    assert (packing.factors, packing.missing) == (factors, missing)


@pytest.mark.parametrize("attributes", [{"scale_factor": "big"}, {"_FillValue": "none of it"}])
def test_packing_that_is_not_a_number_is_refused(write_pyramid, attributes):
    path = write_pyramid(np.zeros((9, 9), np.float32), attributes=attributes)
    with pytest.raises(InvalidInputError):
        open_pyramid(path, "v", "1")


def test_what_is_not_there_is_named(tmp_path: Path, write_pyramid):
    path = write_pyramid(np.zeros((9, 9), np.uint8))
    for store, variable in (
        (path, "nothing"),
        (path, "no/group/v"),
        (tmp_path / "absent.zarr", "v"),
    ):
        with pytest.raises(NotFoundError, match=variable):
            open_pyramid(store, variable, "1")


@pytest.mark.parametrize("lacking", ["multiscales", "proj:code"])
def test_a_group_without_its_conventions_is_refused(write_pyramid, lacking):
    path = write_pyramid(np.zeros((9, 9), np.uint8))
    del zarr.open_group(path, mode="a").attrs[lacking]
    with pytest.raises(InvalidInputError, match=lacking):
        open_pyramid(path, "v", "1")


def test_a_rotated_raster_is_refused(write_pyramid):
    path = write_pyramid(np.zeros((9, 9), np.uint8), transform=(10, 1, 0, 1, -10, 0))
    with pytest.raises(InvalidInputError, match="no plain map raster"):
        open_pyramid(path, "v", "1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("multiscales", {"layout": [{"spatial:transform": [1, 0, 0, 0, -1, 0]}]}),
        ("multiscales", {"layout": [{"asset": "0", "spatial:transform": ["x", 0, 0, 0, -1, 0]}]}),
        ("multiscales", {"layout": [{"asset": "0", "spatial:transform": 5}]}),
        ("multiscales", {"layout": [{"asset": "../../0", "spatial:transform": [1, 0, 0]}]}),
        ("multiscales", ["0"]),
        ("proj:code", "EPSG:999999"),
    ],
)
def test_metadata_from_anywhere_are_checked(write_pyramid, name, value):
    path = write_pyramid(np.zeros((9, 9), np.uint8))
    zarr.open_group(path, mode="a").attrs[name] = value
    with pytest.raises((InvalidInputError, NotFoundError)):
        open_pyramid(path, "v", "1")


def test_a_window_equals_the_array_wherever_it_lies(write_pyramid):
    values = np.random.default_rng(3).integers(0, 9999, (301, 260)).astype(np.uint16)
    pyramid = open_pyramid(write_pyramid(values, chunk=64), "v", "1")
    cache, level = ChunkCache(50_000), pyramid.levels[0]
    for rows, cols in (
        ((0, 1), (0, 1)),
        ((0, 301), (0, 260)),
        ((63, 65), (10, 20)),
        ((128, 192), (64, 128)),
        ((290, 301), (250, 260)),
    ):
        window = read_window(cache, pyramid, level, rows, cols)
        np.testing.assert_array_equal(window, values[slice(*rows), slice(*cols)])
    assert 0 < cache.held_bytes <= 50_000
