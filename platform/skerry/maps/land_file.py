"""The file of the world's land: polygons cut into cells, read one cell at a time.

Layout, little endian: eight bytes that name the format; the number of cells; for each cell its
key, offset and size, in the order of the keys; the cells. A cell that is all land has size 0, a
cell that is all sea is absent. Every other cell is deflated: the number of rings, the points of
each ring, whether each ring is a hole, then the steps from point to point along x, then along y:
small numbers without sign (0, -1, 1, -2, ...), all of their lower bytes before the higher ones.
"""

import os
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skerry.core.errors import UnavailableError

CELL_UNITS = 16_384
"""Steps of the grid of coordinates along a cell's side."""

_FORMAT = b"SKLAND1\n"
_INDEX = np.dtype([("key", "<u4"), ("offset", "<u4"), ("size", "<u4")])
_KEPT_CELLS = 64
_REMEDY = "Install Skerry again: the file comes with it. CONTRIBUTING says how to make it anew."


@dataclass(frozen=True)
class Detail:
    """A level of detail of the land.

    Attributes
    ----------
    cells
        The zoom whose tiles are the cells.
    deepest
        The deepest zoom that is drawn from these cells; deeper zooms use the next detail.
    """

    cells: int
    deepest: int


DETAILS = (Detail(2, 4), Detail(5, 7), Detail(7, 10))
"""Levels of detail, from coarse to fine."""

MAX_ZOOM = DETAILS[-1].deepest
"""Deeper than this the coast would be wrong by several pixels, so no land is drawn."""


@dataclass(frozen=True, eq=False)
class Ring:
    """A closed outline inside a cell.

    Attributes
    ----------
    points
        Shape (n, 2): columns and rows in units from the cell's upper left corner. Points just
        outside of the cell let a polygon run over its edge.
    is_hole
        Whether the ring is a hole in the ring before it.
    """

    points: NDArray[np.int16]
    is_hole: bool

    @cached_property
    def bounds(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom."""
        (left, top), (right, bottom) = self.points.min(axis=0), self.points.max(axis=0)
        return int(left), int(top), int(right), int(bottom)


ALL_LAND = (
    Ring(np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.int16) * np.int16(CELL_UNITS), False),
)


def pack_cell(rings: tuple[Ring, ...]) -> bytes:
    """Return the bytes of a cell; none when the cell is all land."""
    if rings is ALL_LAND:
        return b""
    points = np.concatenate([ring.points for ring in rings]).astype("<i2")
    steps = np.diff(points, axis=0, prepend=np.zeros((1, 2), "<i2"))
    content = b"".join(
        (
            struct.pack("<I", len(rings)),
            np.array([len(ring.points) for ring in rings], "<u4").tobytes(),
            np.array([ring.is_hole for ring in rings], "u1").tobytes(),
            _split_bytes(steps.T.ravel()),
        )
    )
    return zlib.compress(content, 9)


def unpack_cell(content: bytes) -> tuple[Ring, ...]:
    """Return the rings of a cell."""
    if not content:
        return ALL_LAND
    raw = zlib.decompress(content)
    (count,) = struct.unpack_from("<I", raw)
    sizes = np.frombuffer(raw, "<u4", count, 4)
    holes = np.frombuffer(raw, "u1", count, 4 + 4 * count)
    steps = _join_bytes(np.frombuffer(raw, "u1", offset=4 + 5 * count)).reshape(2, -1)
    points = np.cumsum(steps, axis=1, dtype=np.int16).T
    parts = np.split(points, np.cumsum(sizes)[:-1])
    return tuple(Ring(part, bool(hole)) for part, hole in zip(parts, holes, strict=True))


def _split_bytes(steps: NDArray[np.int16]) -> bytes:
    numbers = (steps << 1 ^ steps >> 15).astype("<u2")
    return numbers.view("u1").reshape(-1, 2).T.tobytes()


def _join_bytes(planes: NDArray[np.uint8]) -> NDArray[np.int16]:
    numbers = np.ascontiguousarray(planes.reshape(2, -1).T).view("<u2").ravel()
    return (numbers >> 1).astype(np.int16) ^ -(numbers & 1).astype(np.int16)


def make_key(detail: int, column: int, row: int) -> int:
    """Return the number of a cell of ``DETAILS[detail]``."""
    return detail << 28 | row << 14 | column


def write_land(path: Path, cells: Mapping[int, bytes]) -> None:
    """Write the file from the bytes of cells by their key."""
    index = np.zeros(len(cells), _INDEX)
    start = len(_FORMAT) + 4 + index.nbytes
    for at, key in enumerate(sorted(cells)):
        index[at] = (key, start, len(cells[key]))
        start += len(cells[key])
    content = b"".join(cells[key] for key in sorted(cells))
    path.write_bytes(_FORMAT + struct.pack("<I", len(cells)) + index.tobytes() + content)


class LandFile:
    """The land; memory holds only its index and the most recently drawn cells.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    UnavailableError
        When the file is first needed, if it is missing or is not of this format.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.read_cell = lru_cache(_KEPT_CELLS)(self._read_cell)

    @cached_property
    def _file(self) -> tuple[int, NDArray[np.void]]:
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            head = os.pread(handle, len(_FORMAT) + 4, 0)
            if head[: len(_FORMAT)] != _FORMAT:
                raise ValueError("it begins with other bytes")  # noqa: TRY301
            (count,) = struct.unpack("<I", head[len(_FORMAT) :])
            index = os.pread(handle, count * _INDEX.itemsize, len(head))
            return handle, np.frombuffer(index, _INDEX, count)
        except (OSError, ValueError, struct.error) as error:
            raise UnavailableError(
                f"The base map's land cannot be read from {self._path}: {error}.", remedy=_REMEDY
            ) from error

    def _read_cell(self, detail: int, column: int, row: int) -> tuple[Ring, ...]:
        """Return the land of a cell: no ring where all is sea."""
        handle, index = self._file
        key = make_key(detail, column, row)
        at = int(np.searchsorted(index["key"], key))
        if at == len(index) or index["key"][at] != key:
            return ()
        size = int(index["size"][at])
        content = os.pread(handle, size, int(index["offset"][at]))
        if len(content) < size:
            raise UnavailableError(f"The file {self._path} is cut short.", remedy=_REMEDY)
        return unpack_cell(content)
