"""Small product trees for tests of formats: drawn by hypothesis, or one of everything."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from skerry.products.coding.codecs import parse_codec

PACKINGS = (
    ("u1", 0.5, 0.0, 255), ("i1", 0.25, 1.0, -128), ("u2", 1e-4, -0.1, 0),
    ("i2", 0.01, 5.0, -32768),
    ("u4", 1e-3, 0.0, 2**32 - 1), ("i4", 1e-6, 0.0, -(2**31)), ("u2", 1.0, 0.0, 65535),
)  # fmt: skip
"""Type, scale_factor, add_offset and _FillValue."""
PLAIN = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")
CODECS = ("blosc-zstd:3", "zstd:5", "gzip:5", "zlib:5", "zlib:4:byte", "none")
CHUNKS = (None, (7, 13), (16, 16), (32, 32), (5, 64))
SHARDS = (None, 2)
"""Chunks a shard along each side."""
ATTRIBUTES: dict[str, Any] = {
    "text": "Übersicht °C", "empty": "", "true": True, "false": False, "whole": 3, "large": 2**40,
    "negative": -1, "real": 3.0, "tiny": 1e-12, "texts": ["a", "b"], "one_text": ["a"],
    "numbers": [1, 2], "reals": [1.0, 2.5], "one_number": [1], "truths": [True, False],
    "nothing_in_it": [], "mixed": [1, "a", 2.5, None], "nested": {"a": [{"b": None, "c": [1.5]}]},
}  # fmt: skip
"""One of every kind that an attribute can have."""


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


def make_flags(random: np.random.Generator, shape: tuple[int, ...]) -> dict[str, xr.Variable]:
    """Return classes, classes with a number for no data, and bits."""
    classes = {"flag_values": [0, 1, 4], "flag_meanings": "clear cloud water"}
    result = {
        "flags": xr.Variable(("y", "x"), random.choice(np.array([0, 1, 4], "u1"), shape), classes),
        "classes": xr.Variable(
            ("y", "x"), random.choice(np.array([0, 1, 4, 255], "u1"), shape), classes
        ),
        "bits": xr.Variable(
            ("y", "x"),
            random.integers(0, 2, shape, dtype="u2"),
            {"flag_masks": [1], "flag_meanings": "bad"},
        ),
        "high_bits": xr.Variable(
            ("y", "x"),
            random.choice(np.array([0, 1, 2**31, 2**31 + 1], "u4"), shape),
            {"flag_masks": [1, 2**31], "flag_meanings": "low high"},
        ),
    }
    result["classes"].encoding = {"_FillValue": 255}
    return result


def make_filled(
    random: np.random.Generator, shape: tuple[int, ...], fill: float, dtype: str
) -> xr.Variable:
    """Return floating-point numbers, some missing, that stand on disk with a number for these."""
    values = random.normal(size=shape).astype(dtype)
    values[random.random(shape) < 0.2] = np.nan
    return xr.Variable(("y", "x"), values, {}, {"_FillValue": fill, "dtype": np.dtype(dtype)})


def make_rasters(
    random: np.random.Generator, rows: int, columns: int, step: float, picks: dict[str, Any]
) -> xr.Dataset:
    """Return a dataset on a grid with the drawn kinds of variables, stored each in its way."""
    shape = (rows, columns)
    data: dict[str, xr.Variable] = {}
    for number in picks["packings"]:
        data[f"p{number}"] = pack(random, shape, number)
    for dtype in picks["plain"]:
        data[dtype] = plain(random, shape, dtype)
    data |= make_flags(random, shape)
    data["mask"] = xr.Variable(("y", "x"), random.random(shape) < 0.5, {"long_name": "ü°"})
    data["filled"] = make_filled(random, shape, -999.0, "f4")
    bands = random.integers(0, 255, (3, *shape), dtype="u1")
    data["tci"] = xr.Variable(("band", "y", "x"), bands, {"long_name": "picture"})
    storage = picks.get("storage") or [(picks["codec"], picks["chunks"], None)]
    for number, item in enumerate(data.values()):
        store(item, *storage[number % len(storage)])
    coordinates = place(rows, columns, step) | {"band": ("band", [1, 2, 3])}
    return xr.Dataset(data, coords=coordinates, attrs={"resolution": step}).chunk(
        y=max(1, rows // 2)
    )


def store(
    variable: xr.Variable, codec: str, chunks: tuple[int, int] | None, shards: int | None
) -> None:
    """Say in a raster's encoding how it is stored; chunks are not longer than the raster."""
    variable.encoding |= {"compressors": configure(codec), "grid_mapping": "spatial_ref"}
    if chunks is None:
        return
    lengths = (1, *chunks)[-variable.ndim :]
    lengths = tuple(min(a, b) for a, b in zip(lengths, variable.shape, strict=True))
    variable.encoding["chunks"] = lengths
    if shards is not None:
        variable.encoding["shards"] = tuple(
            item * max(1, min(shards, size // item))
            for item, size in zip(lengths, variable.shape, strict=True)
        )


def configure(text: str) -> tuple[dict[str, Any], ...]:
    return parse_codec(text).to_configs()


def make_tables(random: np.random.Generator) -> xr.Dataset:
    """Return what is not a raster: times, texts, single values, a table of angles."""
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


def make_swath(random: np.random.Generator) -> xr.Dataset:
    """Return rows and columns that lie on no grid."""
    places = {
        name: xr.Variable(("rows", "columns"), random.normal(50, 1, (6, 5)), {"units": units})
        for name, units in (("latitude", "degrees_north"), ("longitude", "degrees_east"))
    }
    radiance = xr.Variable(("rows", "columns"), random.normal(size=(6, 5)), {"units": "1"})
    return xr.Dataset({"oa01_radiance": radiance}, coords=places)


def assemble(seed: int, rows: int, columns: int, picks: dict[str, Any]) -> xr.DataTree:
    """Return a tree of two resolutions and tables; with `swath` among the picks a swath as well."""
    random = np.random.default_rng(seed)
    discovery = {
        "type": "Feature", "stac_version": "1.1.0", "id": "small", "geometry": None,
        "properties": {"datetime": "2026-05-01T10:06:01Z", "platform": "sentinel-2a"},
        "links": [], "assets": {},
    }  # fmt: skip
    coarse = picks | {"packings": [2], "plain": []}
    groups = {
        "/": xr.Dataset(
            attrs={
                "title": "small", "stac_discovery": discovery,
                "other_metadata": {"simulated": True, **ATTRIBUTES},
                "processing_history": {"processing": [{"level": 1, "name": "x"}]},
                "history": "made for tests", **ATTRIBUTES,
            }
        ),
        "/measurements": xr.Dataset(attrs={"title": "measured", **ATTRIBUTES}),
        "/measurements/r10m": make_rasters(random, rows, columns, 10.0, picks),
        "/measurements/r20m": make_rasters(
            random, -(-rows // 2), -(-columns // 2), 20.0, coarse
        ).assign_attrs(ATTRIBUTES),
        "/conditions/tables": make_tables(random),
    }  # fmt: skip
    if picks.get("swath"):
        groups["/conditions/swath"] = make_swath(random)
    return xr.DataTree.from_dict(groups, name="small")


EVERYTHING = {
    "packings": list(range(len(PACKINGS))), "plain": list(PLAIN), "codec": "blosc-zstd:3",
    "chunks": (16, 16),
}  # fmt: skip


def choose_storage(number: int) -> tuple[str, tuple[int, int] | None, int | None]:
    """Return a codec, chunks and shards; twelve in a row have each of them."""
    return (
        CODECS[number % len(CODECS)],
        CHUNKS[number % len(CHUNKS)],
        SHARDS[number // len(CODECS) % len(SHARDS)],
    )


RICH = EVERYTHING | {"storage": [choose_storage(number) for number in range(60)], "swath": True}
"""Variables each of which is stored otherwise."""


@dataclass(frozen=True)
class Stratum:
    """What one of many draws has for certain, so that all together have everything."""

    storage: tuple[str, tuple[int, int] | None, int | None]
    packing: int
    plain: str

    @classmethod
    def of(cls, number: int) -> "Stratum":
        """Return one by its number; any twelve in a row have everything."""
        return cls(choose_storage(number), number % len(PACKINGS), PLAIN[number % len(PLAIN)])


@st.composite
def trees(draw: st.DrawFn, stratum: Stratum) -> xr.DataTree:
    """Draw a tree that has a stratum's packing and type, stored in its way; the rest is free."""
    packings = draw(st.sets(st.integers(0, len(PACKINGS) - 1), max_size=2))
    plain = draw(st.sets(st.sampled_from(PLAIN), max_size=2))
    others = st.tuples(st.sampled_from(CODECS), st.sampled_from(CHUNKS), st.sampled_from(SHARDS))
    picks = {
        "packings": sorted(packings | {stratum.packing}),
        "plain": sorted(plain | {stratum.plain}),
        "storage": [
            stratum.storage,
            *draw(st.lists(others, max_size=3)),
        ],
    }
    rows, columns = draw(st.integers(4, 50)), draw(st.integers(4, 50))
    return assemble(draw(st.integers(0, 2**32)), rows, columns, picks)
