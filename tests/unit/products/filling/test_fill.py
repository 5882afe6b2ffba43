"""Any layout is filled with the numbers it is given: zarr, h5py and xarray read them back."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import dask.array as da
import h5netcdf
import h5py
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples

from skerry.core.errors import InvalidInputError
from skerry.products.coding.codecs import parse_codec
from skerry.products.coding.pyramid import Rule, halve
from skerry.products.filling import regions
from skerry.products.filling.layout import Layout
from skerry.products.filling.levels import Levels
from skerry.products.filling.loop import Filling, fill
from skerry.products.filling.sources import find_source
from skerry.products.filling.zarr_files import ZarrFiles
from skerry.products.netcdf.chunks import Hdf5Chunks
from skerry.products.stores.stored import StoredArray, make_lazy

DTYPES = ("u1", "i2", "u2", "i4", "u8", "f4", "f8", "?")
CODECS = ("none", "zstd:1", "gzip:1", "blosc-zstd:3", "blosc-lz4:1:byte")
SOURCES = ("numbers", "lazy", "stored")


@pytest.fixture(autouse=True, scope="module")
def _folders_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let each drawn case have a new folder below pytest's own, which clears them."""
    with patch.object(tempfile, "tempdir", str(tmp_path_factory.mktemp("cases"))):
        yield


class Case(NamedTuple):
    layout: Layout
    numbers: np.ndarray[Any, Any]
    edge: int
    source: str
    source_chunks: tuple[int, ...]


@st.composite
def cases(draw: st.DrawFn, *, least_dims: int = 1, shards: bool = True) -> Case:
    """Draw a layout, numbers (many of them the fill value), and where they come from."""
    shape = tuple(draw(st.lists(st.integers(1, 23), min_size=least_dims, max_size=3)))
    chunks = tuple(draw(st.integers(1, size)) for size in shape)
    factors = draw(st.none() | st.just(tuple(draw(st.integers(1, 3)) for _ in shape)))
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    noise = np.random.default_rng(draw(st.integers(0, 2**16)))
    numbers = noise.integers(0, draw(st.sampled_from([1, 2, 200])), shape).astype(dtype)
    if dtype.kind == "f":
        numbers[noise.random(shape) < 0.3] = np.nan
        fill_value = draw(st.sampled_from([np.nan, 0.0, -0.0]))
    else:
        fill_value = dtype.type(draw(st.integers(0, 1))).item()
    layout = Layout(
        shape, dtype, chunks,
        tuple(chunk * factor for chunk, factor in zip(chunks, factors, strict=True))
        if shards and factors else None,
        parse_codec(draw(st.sampled_from(CODECS))), fill_value,
    )  # fmt: skip
    return Case(
        layout, numbers, draw(st.integers(1, 16)), draw(st.sampled_from(SOURCES)),
        tuple(draw(st.integers(1, size)) for size in shape),
    )  # fmt: skip


def make_array(layout: Layout, name: str = "") -> tuple[Any, Path]:
    """Return an empty Zarr 3 array in a new folder."""
    folder = Path(tempfile.mkdtemp())
    array = zarr.create_array(
        folder / name, shape=layout.shape, chunks=layout.chunks, shards=layout.shards,
        dtype=layout.dtype, compressors=layout.codec.to_zarr3(), fill_value=layout.fill,
    )  # fmt: skip
    return array, folder


def make_filling(case: Case, sink: Any) -> Filling:
    dims = [f"d{axis}" for axis in range(case.numbers.ndim)]
    if case.source == "numbers":
        return Filling("v", xr.Variable(dims, case.numbers), sink)
    if case.source == "lazy":
        lazy = da.from_array(case.numbers, chunks=case.source_chunks)
        return Filling("v", xr.Variable(dims, lazy), sink)
    plain = Layout(case.layout.shape, case.layout.dtype, case.source_chunks, None,
                   parse_codec("blosc-zstd:1"), case.layout.fill)  # fmt: skip
    stored, _ = make_array(plain)
    stored[...] = case.numbers
    variable = xr.Variable(dims, make_lazy(StoredArray(stored, None, stored.dtype)))
    source = find_source(variable, None, case.layout.dtype)
    assert source is not None
    return Filling("v", variable, sink, source)


def fill_small(case: Case, sink: Any, **options: Any) -> None:
    """Fill with regions of a few numbers, so that small arrays have several."""
    fill([make_filling(case, sink)], **options)


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases())
def test_any_layout_is_read_back_by_zarr_and_stores_what_zarr_would(case: Case) -> None:
    array, folder = make_array(case.layout)
    expected, other = make_array(case.layout)
    expected[...] = case.numbers
    with small_regions(case.edge):
        fill_small(case, ZarrFiles(array, case.layout))
    np.testing.assert_array_equal(zarr.open_array(folder, mode="r")[...], case.numbers)
    assert list_files(folder) == list_files(other)


@pytest.mark.slow
@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases(least_dims=2), rule=st.sampled_from(Rule), missing=st.booleans())
def test_every_level_is_the_one_before_halved(case: Case, rule: Rule, missing: bool) -> None:
    layout = case.layout
    if layout.dtype.kind == "b":
        rule = Rule.MODE
    gap = layout.fill if missing and layout.dtype.kind in "iu" else None
    with small_regions(case.edge):
        arrays = []
        shape = layout.shape
        for _ in range(4):
            level = Layout(shape, layout.dtype, layout.chunks, layout.shards, layout.codec,
                           layout.fill)  # fmt: skip
            arrays.append(ZarrFiles(make_array(level)[0], level, even=True))
            shape = (*shape[:-2], *((size + 1) // 2 for size in shape[-2:]))
        fill_small(case, Levels(arrays, rule, gap))
    expected = case.numbers
    for sink in arrays:
        np.testing.assert_array_equal(sink.array[...], expected)
        expected = halve(expected, rule, gap)


@pytest.mark.slow
@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases(shards=False), codec=st.sampled_from(["none", "zlib:1", "zlib:4:byte"]))
def test_any_layout_is_read_back_from_hdf5(case: Case, codec: str) -> None:
    if case.layout.dtype.kind == "b":
        return
    path = Path(tempfile.mkdtemp()) / "a.nc"
    layout = Layout(case.layout.shape, case.layout.dtype, case.layout.chunks, None,
                    parse_codec(codec), case.layout.fill)  # fmt: skip
    with h5netcdf.File(path, "w") as file, small_regions(case.edge):
        dims = [f"d{axis}" for axis in range(len(layout.shape))]
        file.dimensions = dict(zip(dims, layout.shape, strict=True))
        variable = file.create_variable(
            "v", dims, layout.dtype, chunks=layout.chunks, **layout.codec.to_hdf5()
        )
        fill_small(case, Hdf5Chunks(variable, layout))
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["v"][...], case.numbers)


def test_a_worker_that_fails_stops_the_writer(tmp_path: Path) -> None:
    layout = Layout((64, 64), np.dtype("u2"), (8, 8))

    class Broken(ZarrFiles):
        def put(self, region: regions.Region, numbers: Any) -> None:
            if region[0].start:
                raise InvalidInputError("no room", remedy="make some")
            super().put(region, numbers)

    array, _ = make_array(layout)
    numbers = np.arange(64 * 64, dtype="u2").reshape(64, 64)
    with small_regions(8), pytest.raises(InvalidInputError, match="no room"):
        fill([Filling("v", xr.Variable(("y", "x"), numbers), Broken(array, layout))])


def test_progress_is_told_in_the_thread_that_writes_and_comes_to_one(tmp_path: Path) -> None:
    import threading

    layout = Layout((64, 48), np.dtype("f4"), (16, 16))
    seen: list[tuple[float, str, int]] = []
    numbers = da.ones((64, 48), dtype="f4", chunks=(24, 24))
    array, _ = make_array(layout)
    with small_regions(16):
        fill(
            [Filling("group/v", xr.Variable(("y", "x"), numbers), ZarrFiles(array, layout))],
            progress=lambda done, what: seen.append((done, what, threading.get_ident())),
        )
    shares = [done for done, _, _ in seen]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(seen) == 12
    assert {item[1:] for item in seen} == {("group/v", threading.get_ident())}


def test_a_stored_chunk_is_decoded_once_whatever_is_made_of_it(tmp_path: Path) -> None:
    case = Case(
        Layout((60, 60), np.dtype("u2"), (7, 7), None, parse_codec("zstd:1"), 0),
        np.arange(3600, dtype="u2").reshape(60, 60) + 1, 7, "stored", (20, 30),
    )  # fmt: skip
    array, folder = make_array(case.layout)
    with (
        small_regions(7),
        patch("skerry.products.stores.stored.decode_chunk", wraps=_decode_chunk()) as decoding,
    ):
        fill_small(case, ZarrFiles(array, case.layout))
    assert decoding.call_count == 6
    np.testing.assert_array_equal(zarr.open_array(folder, mode="r")[...], case.numbers)


def test_a_chunk_is_used_up_before_the_next_is_decoded(tmp_path: Path) -> None:
    """Where memory holds fewer chunks than a row of them, none is decoded twice."""
    numbers = np.arange(160 * 160, dtype="u2").reshape(160, 160) + 1
    layout = Layout((160, 160), np.dtype("u2"), (10, 10), None, parse_codec("zstd:1"), 0)
    case = Case(layout, numbers, 10, "stored", (40, 40))
    array, folder = make_array(layout)
    with (
        small_regions(10),
        patch("skerry.products.stores.stored.decode_chunk", wraps=_decode_chunk()) as decoding,
    ):
        fill_small(case, ZarrFiles(array, layout), memory_bytes=5 * 40 * 40 * 2)
    assert decoding.call_count == 16
    np.testing.assert_array_equal(zarr.open_array(folder, mode="r")[...], numbers)


def _decode_chunk() -> Any:
    from skerry.products.stores import chunk_bytes

    return chunk_bytes.decode_chunk


def small_regions(edge: int) -> Any:
    """Work on regions of about so many numbers along an edge."""
    return patch.multiple(regions, EDGE_PIXELS=edge, LINE_NUMBERS=edge)


def list_files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@settings(max_examples=examples(200), deadline=None)
@given(
    case=cases(),
    parts=st.tuples(*(st.integers(-30, 30) | st.slices(23) for _ in range(3))),
)
def test_any_window_of_a_stored_array_is_what_numpy_gives(case: Case, parts: tuple[Any]) -> None:
    stored, _ = make_array(case.layout)
    stored[...] = case.numbers
    key = tuple(
        part if isinstance(part, slice) else part % size
        for part, size in zip(parts, case.layout.shape, strict=False)
    )
    window = StoredArray(stored, None, stored.dtype)[key]
    np.testing.assert_array_equal(window, case.numbers[key])
