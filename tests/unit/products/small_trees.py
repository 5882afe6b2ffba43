"""Small product trees for tests of formats: drawn by hypothesis, or one of everything."""

from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from skerry.products.codecs import parse_codec

PACKINGS = (
    ("u1", 0.5, 0.0, 255), ("i1", 0.25, 1.0, -128), ("u2", 1e-4, -0.1, 0),
    ("i2", 0.01, 5.0, -32768),
    ("u4", 1e-3, 0.0, 2**32 - 1), ("i4", 1e-6, 0.0, -(2**31)), ("u2", 1.0, 0.0, 65535),
)  # fmt: skip
"""Type, scale_factor, add_offset and _FillValue."""
PLAIN = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")
CODECS = ("blosc-zstd:3", "zstd:5", "gzip:5", "zlib:5", "none")


def place(rows: int, columns: int, step: float) -> dict[Any, Any]:
    """Return the coordinates of a grid."""
    grid = GeoBox((rows, columns), Affine(step, 0, 399_960, 0, -step, 6_000_000), "EPSG:32633")
    return dict(xr_coords(grid, crs_coord_name="spatial_ref"))


def pack(random: np.random.Generator, shape: tuple[int, ...], number: int) -> xr.Variable:
    """Return values that are exactly what some packed numbers mean, some of them missing."""
    dtype, scale, offset, fill = PACKINGS[number]
    limits = np.iinfo(dtype)
    numbers = random.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)
    numbers[random.random(shape) < 0.1] = fill
    wide = np.float32 if np.dtype(dtype).itemsize < 4 else np.float64
    values = (numbers * np.float64(scale) + np.float64(offset)).astype(wide)
    values[numbers == fill] = np.nan
    attrs = {"units": "1", "long_name": "packed", "valid_min": int(limits.min) + 1}
    variable = xr.Variable(("y", "x"), values, attrs)
    variable.encoding = {
        "dtype": np.dtype(dtype), "scale_factor": scale, "add_offset": offset, "_FillValue": fill,
    }  # fmt: skip
    return variable


def plain(random: np.random.Generator, shape: tuple[int, ...], dtype: str) -> xr.Variable:
    """Return unpacked numbers over the type's whole range; NaN among floats."""
    if np.dtype(dtype).kind == "f":
        values = random.normal(0, 1e3, shape).astype(dtype)
        values[random.random(shape) < 0.1] = np.nan
    else:
        limits = np.iinfo(dtype)
        values = random.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)
    return xr.Variable(("y", "x"), values, {"units": "m", "scale": [1.5, 2.5], "n": 3})


def make_rasters(
    random: np.random.Generator, rows: int, columns: int, step: float, picks: dict[str, Any]
) -> xr.Dataset:
    """Return a dataset on a grid with the drawn kinds of variables."""
    shape = (rows, columns)
    data: dict[str, xr.Variable] = {}
    for number in picks["packings"]:
        data[f"p{number}"] = pack(random, shape, number)
    for dtype in picks["plain"]:
        data[dtype] = plain(random, shape, dtype)
    flags = {"flag_values": [0, 1, 4], "flag_meanings": "clear cloud water"}
    data["flags"] = xr.Variable(("y", "x"), random.choice(np.array([0, 1, 4], "u1"), shape), flags)
    bits = {"flag_masks": [1], "flag_meanings": "bad"}
    data["bits"] = xr.Variable(("y", "x"), random.integers(0, 2, shape, dtype="u2"), bits)
    data["mask"] = xr.Variable(("y", "x"), random.random(shape) < 0.5, {"long_name": "ü°"})
    filled = random.normal(size=shape).astype("f4")
    filled[random.random(shape) < 0.2] = np.nan
    data["filled"] = xr.Variable(
        ("y", "x"), filled, {}, {"_FillValue": -999.0, "dtype": np.dtype("f4")}
    )
    bands = random.integers(0, 255, (3, *shape), dtype="u1")
    data["tci"] = xr.Variable(("band", "y", "x"), bands, {"long_name": "picture"})
    for one in data.values():
        one.encoding |= {"compressors": configure(picks["codec"]), "grid_mapping": "spatial_ref"}
        if picks["chunks"] is not None:
            lengths = (1, *picks["chunks"])[-one.ndim :]
            one.encoding["chunks"] = tuple(
                min(a, b) for a, b in zip(lengths, one.shape, strict=True)
            )
    coordinates = place(rows, columns, step) | {"band": ("band", [1, 2, 3])}
    return xr.Dataset(data, coords=coordinates, attrs={"resolution": step}).chunk(
        y=max(1, rows // 2)
    )


def configure(text: str) -> tuple[dict[str, Any], ...]:
    return parse_codec(text).to_configs()


def make_tables(random: np.random.Generator) -> xr.Dataset:
    """Return what is no raster: times, texts, single values, a table of angles."""
    times = np.array(["2026-05-01T10:06:01.024", "NaT", "2026-05-01T10:06:02"], "datetime64[ns]")
    times[0] += np.timedelta64(int(random.integers(0, 10**6)), "ns")
    return xr.Dataset(
        {
            "time_stamp": ("rows", times, {"long_name": "time"}),
            "quality": ("rows", np.array(["PASSED", "", "Ü"]), {"long_name": "checks"}),
            "single": ((), np.float64(random.normal())),
            "count": ((), np.int16(7), {"units": "1"}),
            "sun_angles": (("angle", "a", "b"), random.normal(size=(2, 4, 3)), {"units": "degree"}),
        },
        coords={"angle": ("angle", np.array(["zenith", "azimuth"]))},
    )


def assemble(seed: int, rows: int, columns: int, picks: dict[str, Any]) -> xr.DataTree:
    """Return a tree of two resolutions and tables."""
    random = np.random.default_rng(seed)
    discovery = {
        "type": "Feature", "stac_version": "1.1.0", "id": "small", "geometry": None,
        "properties": {"datetime": "2026-05-01T10:06:01Z", "platform": "sentinel-2a"},
        "links": [], "assets": {},
    }  # fmt: skip
    groups = {
        "/": xr.Dataset(attrs={"title": "small", "stac_discovery": discovery}),
        "/measurements/r10m": make_rasters(random, rows, columns, 10.0, picks),
        "/measurements/r20m": make_rasters(
            random, -(-rows // 2), -(-columns // 2), 20.0, picks | {"packings": [2], "plain": []}
        ),
        "/conditions/tables": make_tables(random),
    }
    return xr.DataTree.from_dict(groups, name="small")


@st.composite
def trees(draw: st.DrawFn) -> xr.DataTree:
    """Draw a tree."""
    picks = {
        "packings": draw(st.lists(st.integers(0, len(PACKINGS) - 1), max_size=3, unique=True)),
        "plain": draw(st.lists(st.sampled_from(PLAIN), max_size=3, unique=True)),
        "codec": draw(st.sampled_from(CODECS)),
        "chunks": draw(st.sampled_from([None, (7, 13), (16, 16), (32, 32), (5, 64)])),
    }
    rows, columns = draw(st.integers(4, 50)), draw(st.integers(4, 50))
    return assemble(draw(st.integers(0, 2**32)), rows, columns, picks)


EVERYTHING = {
    "packings": list(range(len(PACKINGS))), "plain": list(PLAIN), "codec": "blosc-zstd:3",
    "chunks": (16, 16),
}  # fmt: skip
