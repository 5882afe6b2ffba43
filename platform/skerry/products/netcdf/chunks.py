"""Write numbers to a variable of an HDF5 file; several threads compress chunks at once.

HDF5 itself compresses behind one lock. A chunk is given to it as the bytes that its own filters,
shuffle and then deflate, would make.
"""

import zlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from skerry.products.filling.layout import Layout
from skerry.products.filling.regions import Region, choose_steps, cut_region, pad
from skerry.products.filling.sources import Source


class Hdf5Chunks:
    """A variable of an open NetCDF-4 file.

    Parameters
    ----------
    variable
        Of h5netcdf, empty.
    layout
        As the variable was made by.
    """

    held_bytes = 0

    def __init__(self, variable: Any, layout: Layout) -> None:
        self.variable, self.layout = variable, layout
        self.steps = choose_steps(layout.chunks, layout.shape)
        self._dataset = variable._h5ds  # noqa: SLF001 -- h5netcdf shows it under no other name
        dtype = layout.dtype
        self._known = dtype.kind in "iuf" and self._dataset.chunks is not None

    def put(self, region: Region, numbers: npt.NDArray[Any]) -> None:
        """Write a region of whole chunks."""
        if not self._known:
            self.variable[region or ...] = numbers
            return
        layout = self.layout
        numbers = np.asarray(numbers, layout.dtype)
        for place, block in cut_region(region, numbers, layout.chunks):
            content = self._compress(pad(block, layout.chunks, layout.fill))
            corner = tuple(at * size for at, size in zip(place, layout.chunks, strict=True))
            self._dataset.id.write_direct_chunk(corner, content)

    def list_copies(self, _source: Source) -> Iterable[Callable[[], None]] | None:
        """Return None, because no source is in HDF5."""
        return None

    def _compress(self, chunk: npt.NDArray[Any]) -> bytes:
        codec = self.layout.codec
        if codec.name == "none":
            return chunk.tobytes()
        if codec.shuffle == "byte" and chunk.itemsize > 1:
            chunk = chunk.reshape(-1).view(np.uint8).reshape(-1, chunk.itemsize).T
        return zlib.compress(np.ascontiguousarray(chunk), codec.level)
