"""What is computed together: shared work once, as much as memory allows, each number once."""

from pathlib import Path
from threading import Lock

import dask.array as da
import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr
import zarr
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.examples import examples

from skerry.products.coding.codecs import parse_codec
from skerry.products.filling.layout import Layout
from skerry.products.filling.loop import Filling, fill
from skerry.products.filling.parts import Lazy, batch_variables, iterate_parts
from skerry.products.filling.zarr_files import ZarrFiles

EDGE, CHUNK, COUNT = 1536, 256, 6
MB = 10**6


class Counter:
    """Makes lazy variables that come from the same numbers, and counts how often those are made."""

    def __init__(self) -> None:
        self.made = 0
        self._lock = Lock()

    def make(self) -> dict[str, xr.Variable]:
        """Return variables ``0`` to ``5``; each number names its pixel and its variable."""
        rows = da.arange(EDGE, chunks=CHUNK)[:, None]
        columns = da.arange(EDGE, chunks=CHUNK)[None]
        pixels = da.map_blocks(self._count, rows * EDGE + columns, dtype=np.int64)
        return {
            str(number): xr.Variable(("y", "x"), (pixels * COUNT + number).astype("f8"))
            for number in range(COUNT)
        }

    def _count(self, block: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        with self._lock:
            self.made += bool(block.size)  # Dask tries the function on nothing first
        return block


@pytest.mark.slow
@pytest.mark.parametrize(
    ("memory_mb", "times"),
    [(1000, 1), (120, 1), (20, COUNT)],
    ids=["in strips", "in cells", "not even in cells"],
)
def test_shared_work_is_done_once_where_memory_allows(
    tmp_path: Path, memory_mb: int, times: int
) -> None:
    """All six need 151 MB in strips of 512 rows, and 25 MB in cells of 512 x 512."""
    counter = Counter()
    layout = Layout((EDGE, EDGE), np.dtype("f8"), (512, 512), None, parse_codec("none"), np.nan)
    arrays = {
        name: zarr.create_array(
            tmp_path / name, shape=layout.shape, chunks=layout.chunks, dtype="f8",
            compressors=None, fill_value=np.nan,
        )
        for name in map(str, range(COUNT))
    }  # fmt: skip
    variables = counter.make()
    fillings = [
        Filling(name, variables[name], _whole_chunks(ZarrFiles(array, layout)))
        for name, array in arrays.items()
    ]
    fill(fillings, memory_mb * MB)
    assert counter.made == times * (EDGE // CHUNK) ** 2
    pixels = np.arange(EDGE * EDGE, dtype="f8").reshape(EDGE, EDGE)
    for number, array in enumerate(arrays.values()):
        np.testing.assert_array_equal(array[...], pixels * COUNT + number)


def _whole_chunks(sink: ZarrFiles) -> ZarrFiles:
    sink.steps = sink.layout.chunks
    return sink


def test_variables_without_shared_work_may_be_computed_apart() -> None:
    variables = {
        name: xr.Variable(("y", "x"), da.full((EDGE, EDGE), seed, dtype="f8", chunks=CHUNK))
        for seed, name in enumerate("abc")
    }
    lazy = {name: Lazy(item, (512, 512), 0, 0) for name, item in variables.items()}
    batches = list(batch_variables(lazy, 20 * MB))
    assert [list(batch.variables) for batch in batches] == [["a"], ["b"], ["c"]]
    assert [list(batch.variables) for batch in batch_variables(lazy, 1000 * MB)] == [
        ["a", "b", "c"]
    ]


sizes = st.lists(st.integers(100, 700), min_size=1, max_size=4)


@settings(max_examples=examples(40), deadline=None)
@example(rows=[100], columns=[100, 100], step=(1, 1), memory_mb=1, extra=False)
@given(
    rows=sizes, columns=sizes, step=st.sampled_from([(1, 1), (256, 512), (300, 100)]),
    memory_mb=st.integers(1, 60), extra=st.booleans(),
)  # fmt: skip
def test_parts_hold_each_number_once(
    rows: list[int], columns: list[int], step: tuple[int, int], memory_mb: int, extra: bool
) -> None:
    shape = (*([1] if extra else []), sum(rows), sum(columns))
    chunks = (*([(1,)] if extra else []), tuple(rows), tuple(columns))
    shared = da.ones(shape, chunks=chunks, dtype="f8")
    dims = ("time", "y", "x")[-len(shape) :]
    steps = (*([1] if extra else []), *step)
    lazy = {
        name: Lazy(xr.Variable(dims, shared + number), steps, 0, 0)
        for number, name in enumerate("abc")
    }
    filled = {name: np.zeros(shape) for name in lazy}
    for batch in batch_variables(lazy, memory_mb * MB):
        for path, region, block in iterate_parts(batch):
            assert filled[path][region].shape == block.shape
            filled[path][region] += block
    for number, name in enumerate("abc"):
        assert (filled[name] == number + 1).all()
