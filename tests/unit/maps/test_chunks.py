import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skerry.maps.chunks import read_window
from skerry.maps.levels import open_pyramid
from skerry.maps.point import read_point
from skerry.storage.chunk_cache import ChunkCache


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 700)), max_size=60))
@settings(deadline=None)
def test_held_bytes_never_exceed_the_bound(requests):
    cache = ChunkCache(1000)
    for key, size in requests:
        chunk = cache.get((key, size), partial(np.zeros, size, np.uint8))
        assert chunk.nbytes == size
        assert cache.held_bytes <= 1000
    held = sum(chunk.nbytes for chunk in cache._chunks.values())
    assert held == cache.held_bytes


def test_the_least_recently_used_goes_first():
    cache, loaded = ChunkCache(300), []

    def ask(key: str) -> None:
        cache.get(key, lambda: loaded.append(key) or np.zeros(100, np.uint8))

    for key in "abcadab":  # d evicts b, the last b is loaded again
        ask(key)
    assert loaded == ["a", "b", "c", "d", "b"]


def test_a_chunk_larger_than_the_bound_is_handed_out_but_not_kept():
    cache = ChunkCache(10)
    assert cache.get("big", lambda: np.zeros(11, np.uint8)).nbytes == 11
    assert cache.held_bytes == 0


def test_threads_that_miss_together_load_once():
    cache, gate, loads = ChunkCache(1000), threading.Barrier(9), []
    release = threading.Event()

    def load() -> np.ndarray:
        loads.append(1)
        release.wait(10)
        return np.arange(10)

    def ask() -> np.ndarray:
        gate.wait(10)
        return cache.get("key", load)

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(ask) for _ in range(8)]
        gate.wait(10)
        release.set()
        chunks = [answer.result(10) for answer in answers]
    assert len(loads) == 1
    assert all(chunk is chunks[0] for chunk in chunks)


def test_a_failed_load_is_not_kept():
    cache = ChunkCache(1000)

    def fail() -> np.ndarray:
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        cache.get("key", fail)
    assert cache.get("key", lambda: np.ones(3)).sum() == 3


def test_chunks_are_read_only():
    chunk = ChunkCache(1000).get("key", lambda: np.zeros(3))
    with pytest.raises(ValueError, match="read-only"):
        chunk[0] = 1


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


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e308])
def test_what_no_answer_can_say_is_no_value_at_a_place(write_pyramid, number):
    values = np.array([[number, 2.0], [3.0, 4.0]])
    folder = write_pyramid(
        values, crs="OGC:CRS84", transform=(1.0, 0.0, 0.0, 0.0, -1.0, 2.0),
        attributes={"scale_factor": 10.0},
    )  # fmt: skip
    pyramid, chunks = open_pyramid(folder, "v", "version"), ChunkCache(1 << 20)
    assert read_point(pyramid, chunks, 0.5, 1.5) is None
    assert read_point(pyramid, chunks, 1.5, 1.5) == 20.0
