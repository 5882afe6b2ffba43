"""JPEG 2000 files: a cheap check at opening, and windows read lazily through GDAL.

Source: ISO/IEC 15444-1, annex A (codestream markers) and annex I (boxes).
"""

import struct
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from skerry.core.errors import InvalidInputError
from skerry.products.safe.files import ProductFiles

READ_PIXELS = 2048
"""Edge of the windows computed at once, about; a multiple of what the file stores together."""

_SIGNATURE = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_SOC_SIZ = b"\xff\x4f\xff\x51"
_EOC = b"\xff\xd9"
_MAX_BOXES = 1000


@dataclass(frozen=True)
class Jp2Header:
    """What a JPEG 2000 file says about itself.

    Attributes
    ----------
    height, width
        Size in pixels.
    bands
        Number of components.
    bits
        Bits of the first component.
    tile_height, tile_width
        Size of the codestream's tiles in pixels: the unit that is decoded at once.
    """

    height: int
    width: int
    bands: int
    bits: int
    tile_height: int
    tile_width: int


def check_jp2(files: ProductFiles, name: str) -> Jp2Header:
    """Read a JPEG 2000 file's header and check that its end is there, without decoding.

    Raises
    ------
    InvalidInputError
        If it is no JPEG 2000 file or is shorter than it says.
    """
    size = files.sizes[name]
    with files.open(name) as stream:
        start, end = _find_codestream(stream, size, f"{name} in {files.path}")
        if end > size:
            raise _damaged(f"{name} in {files.path}", f"it should have {end} bytes and has {size}")
        stream.seek(start)
        header = _read_header(stream.read(64), f"{name} in {files.path}")
        if not files.archived:  # seeking to the end of a deflated member would inflate it all
            stream.seek(end - len(_EOC))
            if stream.read(len(_EOC)) != _EOC:
                raise _damaged(f"{name} in {files.path}", "its codestream has no end marker")
    return header


def _find_codestream(stream: IO[bytes], size: int, label: str) -> tuple[int, int]:
    """Return the first and the past-the-last byte of the contiguous codestream."""
    if stream.read(len(_SIGNATURE)) != _SIGNATURE:
        raise _damaged(label, "it does not begin as a JPEG 2000 file")
    position = len(_SIGNATURE)
    for _ in range(_MAX_BOXES):
        stream.seek(position)
        head = stream.read(16)
        if len(head) < 8:  # noqa: PLR2004 -- a box begins with its length and type, 4 bytes each
            break
        length, kind = struct.unpack(">I4s", head[:8])
        content = position + 8
        if length == 1 and len(head) == 16:  # noqa: PLR2004 -- extended length
            length, content = struct.unpack(">Q", head[8:])[0], position + 16
        end = size if length == 0 else position + length
        if kind == b"jp2c":
            return content, end
        if end <= position:
            break
        position = end
    raise _damaged(label, "its codestream is missing")


def _read_header(data: bytes, label: str) -> Jp2Header:
    if data[:4] != _SOC_SIZ or len(data) < 43:  # noqa: PLR2004 -- the SIZ marker of one component
        raise _damaged(label, "its codestream has no header")
    fields = struct.unpack(">HHIIIIIIIIHB", data[4:43])
    _, _, x_size, y_size, x_origin, y_origin, tile_x, tile_y, _, _, bands, depth = fields
    return Jp2Header(
        height=y_size - y_origin,
        width=x_size - x_origin,
        bands=bands,
        bits=(depth & 0x7F) + 1,
        tile_height=min(tile_y, y_size),
        tile_width=min(tile_x, x_size),
    )


def _damaged(label: str, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"{label} is damaged: {why}.", remedy="Fetch the product again from its provider."
    )


@dataclass(frozen=True)
class RasterWindows:
    """An array whose windows are read from a file when asked for.

    Opens the file anew for every window: safe in threads and processes, and small to send.

    Attributes
    ----------
    path
        Path for GDAL.
    label
        What to call the file in messages.
    shape
        ``(y, x)``, or ``(band, y, x)`` when `stacked`.
    dtype
        NumPy type name.
    bands
        Bands in the file.
    pack_bits
        Band i becomes bit i - 1 of one number.
    """

    path: str
    label: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    bands: int
    pack_bits: bool

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def __getitem__(self, key: tuple[slice, ...]) -> npt.NDArray[Any]:
        """Read the window of the last two slices.

        Raises
        ------
        InvalidInputError
            If the file cannot be decoded there.
        """
        import rasterio
        from rasterio.errors import RasterioError
        from rasterio.windows import Window

        rows, columns = (
            slice(*one.indices(length))
            for one, length in zip(key[-2:], self.shape[-2:], strict=True)
        )
        window = Window.from_slices(rows, columns)
        try:
            with rasterio.open(self.path, driver="JP2OpenJPEG") as source:
                if self.ndim == 2:  # noqa: PLR2004 -- y, x
                    return self._read_plane(source, window)
                return np.asarray(source.read(window=window))[key[0]]
        except (RasterioError, OSError) as error:
            raise InvalidInputError(
                f"{self.label} cannot be read: {error}.",
                remedy="Fetch the product again from its provider.",
            ) from error

    def _read_plane(self, source: Any, window: Any) -> npt.NDArray[Any]:
        if not self.pack_bits:
            return np.asarray(source.read(1, window=window))
        packed = np.zeros((window.height, window.width), self.dtype)
        for band in range(self.bands):
            packed |= (source.read(band + 1, window=window) > 0).astype(self.dtype) << band
        return packed
