"""The layout of an array: chunks, shards, codec and fill, the same for every format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.products.coding.codecs import Codec, codec_of, parse_codec

Edge = int | Mapping[str, int] | None
"""An edge for the last two dimensions of rasters, or edges by dimension; None for the own."""
NO_SHARDS: Final = 0
UNPACKED: Final = Codec("none")


@dataclass(frozen=True)
class Layout:
    """The storage of the numbers of one array.

    Attributes
    ----------
    shape, dtype
        Of the array.
    chunks
        Lengths of the part that is encoded at once.
    shards
        Lengths of the part that is written as one object, multiples of `chunks`; None: no shards.
    codec
        Compression.
    fill
        The number that readers use for an absent chunk; None if the format has no such number.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None = None
    codec: Codec = UNPACKED
    fill: Any = None

    @property
    def unit(self) -> tuple[int, ...]:
        """Lengths of the part that is written as one object."""
        return self.shards or self.chunks


@dataclass(frozen=True)
class Wishes:
    """The caller's wishes for all arrays; they replace the variables' own layout.

    Attributes
    ----------
    chunk, shard
        Edges in pixels; `NO_SHARDS` for a shard takes the variables' own away.
    codec
        Compression; None for each variable's own.
    """

    chunk: Edge = None
    shard: Edge = None
    codec: Codec | None = None

    @classmethod
    def of(cls, chunk: Edge, shard: Edge, codec: Codec | str | None) -> "Wishes":
        """Check the arguments of a writer and return them as wishes.

        Raises
        ------
        InvalidInputError
            If an edge is not positive, the codec is unknown, or a shard does not hold whole chunks.
        """
        for name, edge in (("chunk", chunk), ("shard", shard)):
            for length in edge.values() if isinstance(edge, Mapping) else (edge,):
                if length is not None and length < (name == "chunk"):
                    raise InvalidInputError(
                        f"A {name} cannot have an edge of {length} pixels.",
                        remedy="Give a positive number.",
                    )
        if isinstance(chunk, int) and isinstance(shard, int) and shard % chunk:
            raise _no_whole_chunks(shard, chunk)
        return cls(chunk, shard, parse_codec(codec) if isinstance(codec, str) else codec)

    def choose_chunks(
        self, variable: xr.Variable, shape: tuple[int, ...], usual: Callable[[str, int], int]
    ) -> tuple[int, ...]:
        """Return the chunks of an array for a variable; `usual` if the variable has none."""
        own_chunks = variable.encoding.get("chunks")
        own = (
            own_chunks
            if own_chunks is not None and len(own_chunks) == len(shape)
            else (None,) * len(shape)
        )
        chunks = []
        for axis, (dim, size) in enumerate(zip(variable.dims, shape, strict=True)):
            edge = _edge_of(self.chunk, str(dim), len(shape) - axis, len(shape))
            length = own[axis] if edge is None else edge
            length = usual(str(dim), size) if length is None else length
            chunks.append(max(1, min(int(length), size)))
        return tuple(chunks)

    def choose_shards(
        self, variable: xr.Variable, shape: tuple[int, ...], chunks: tuple[int, ...]
    ) -> tuple[int, ...] | None:
        """Return the shards of an array for a variable; they may reach over its end.

        Raises
        ------
        InvalidInputError
            If a shard of the wishes does not hold whole chunks.
        """
        if not shape:
            return None  # GDAL reads no sharded number without dimensions
        dims = [str(dim) for dim in variable.dims]
        if self.shard is None:
            shards = variable.encoding.get("shards") or ()
            lengths = [int(length) for length in shards]
            fits = [length % chunk == 0 for length, chunk in zip(lengths, chunks, strict=False)]
            if len(lengths) != len(shape) or not all(fits):
                return None
        else:
            adjusted = [
                _edge_of(self.shard, dim, len(shape) - axis, len(shape))
                for axis, dim in enumerate(dims)
            ]
            if not any(adjusted) or (len(shape) == 1 and chunks[0] >= shape[0]):
                return None  # a coordinate in one piece
            lengths = [length or chunk for length, chunk in zip(adjusted, chunks, strict=True)]
        for length, size, chunk in zip(lengths, shape, chunks, strict=True):
            if length % chunk and length < size:
                raise _no_whole_chunks(length, chunk)
        sizes = zip(lengths, shape, chunks, strict=True)
        return tuple(
            chunk * max(1, min(-(-length // chunk), -(-size // chunk)))
            for length, size, chunk in sizes
        )

    def choose_codec(
        self, encoding: Mapping[str, Any], usual: Codec, spell: Callable[[Codec], object]
    ) -> Codec:
        """Return the wished codec, else the variable's own if the format has it, else the usual.

        Raises
        ------
        InvalidInputError
            If the format does not have the wished codec; `spell` knows its codecs.
        """
        if self.codec is not None:
            spell(self.codec)
            return self.codec
        own = codec_of(encoding)
        try:
            spell(own or usual)
        except InvalidInputError:
            return usual
        return own or usual


def _edge_of(edge: Edge, dim: str, place: int, ndim: int) -> int | None:
    """Return the wished edge along a dimension, the `place`-th from the end."""
    if isinstance(edge, Mapping):
        return edge.get(dim)
    return edge if ndim > 1 and place <= 2 else None  # noqa: PLR2004 -- rows and columns


def _no_whole_chunks(shard: int, chunk: int) -> InvalidInputError:
    return InvalidInputError(
        f"A shard of {shard} pixels does not hold whole chunks of {chunk}.",
        remedy=f"Give a multiple of {chunk}, or choose the chunks as well.",
    )
