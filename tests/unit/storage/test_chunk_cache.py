"""Decoded chunks in memory: bounded, loaded once, read-only."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skerry.storage.chunk_cache import ChunkCache


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 700)), max_size=60))
@settings(deadline=None)
def test_held_bytes_never_exceed_the_bound(requests):
    cache = ChunkCache(1000)
    for key, size in requests:
        chunk = cache.get((key, size), partial(np.zeros, size, np.uint8))
        assert chunk.nbytes == size
        assert cache.held_bytes <= 1000
    total_bytes = sum(chunk.nbytes for chunk in cache._chunks.values())
    assert total_bytes == cache.held_bytes


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
