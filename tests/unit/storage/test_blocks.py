"""Reading by ranges: what is fetched, how often, and what is kept."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier, Lock

import numpy as np
import pytest

from skerry.storage.blocks import BLOCK_BYTES, BlockReader

CONTENT = np.random.default_rng(1).bytes(300 * BLOCK_BYTES + 17)


@dataclass
class Slow:
    """A source that notes its ranges."""

    name: str = "slow"
    size: int = len(CONTENT)
    fetched: list[tuple[int, int]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)
    failing: bool = False

    def fetch(self, start: int, stop: int) -> bytes:
        with self.lock:
            self.fetched.append((start, stop))
        if self.failing:
            raise OSError("broken")
        return CONTENT[start:stop]

    def close(self) -> None:
        """Do nothing."""

    def __reduce__(self) -> tuple[object, ...]:
        return Slow, ()


def test_it_reads_what_is_there() -> None:
    reader = BlockReader(Slow(), ahead=3 * BLOCK_BYTES, cache_bytes=20 * BLOCK_BYTES)
    places = np.random.default_rng(2).integers(0, len(CONTENT), (200, 2))
    for start, length in places:
        reader.seek(int(start))
        assert reader.read(int(length) % 50_000) == CONTENT[start : start + length % 50_000]
    reader.seek(-5, 2)
    assert reader.read() == CONTENT[-5:]
    assert reader.read() == b""
    assert pickle.loads(pickle.dumps(reader)).read(9) == CONTENT[:9]  # noqa: S301 -- our own bytes


def test_small_reads_beside_each_other_cost_one_fetch() -> None:
    source = Slow()
    reader = BlockReader(source, ahead=8 * BLOCK_BYTES)
    for start in range(0, 8 * BLOCK_BYTES, 100):
        reader.seek(start)
        reader.read(100)
    reader.seek(-22, 2)
    reader.read()
    reader.seek(-3 * BLOCK_BYTES, 2)
    reader.read()
    assert source.fetched[0] == (0, 8 * BLOCK_BYTES)
    assert source.fetched[-1] == (293 * BLOCK_BYTES, len(CONTENT))
    assert len(source.fetched) == 3


def test_no_byte_is_fetched_twice_however_many_ask() -> None:
    source = Slow()
    reader = BlockReader(source, ahead=4 * BLOCK_BYTES)
    gate = Barrier(16)

    def read(_: int) -> bytes:
        own = reader.fork()
        gate.wait()
        return own.read(100 * BLOCK_BYTES)

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(read, range(16))) == {CONTENT[: 100 * BLOCK_BYTES]}
    assert sum(stop - start for start, stop in source.fetched) == 100 * BLOCK_BYTES


def test_little_is_kept() -> None:
    source = Slow()
    reader = BlockReader(source, ahead=BLOCK_BYTES, cache_bytes=2 * BLOCK_BYTES)
    for start in (0, 1, 2, 0):
        reader.seek(start * BLOCK_BYTES)
        reader.read(10)
    assert len(source.fetched) == 4
    assert reader.hold() == len(CONTENT)
    source.failing = True
    reader.seek(0)
    assert reader.read() == CONTENT


def test_what_failed_is_tried_again() -> None:
    source = Slow(failing=True)
    reader = BlockReader(source)
    with pytest.raises(OSError, match="broken"):
        reader.read(10)
    source.failing = False
    reader.seek(0)
    assert reader.read(10) == CONTENT[:10]
