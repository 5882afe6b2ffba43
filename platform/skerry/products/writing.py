"""Write a product in a format chosen by name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.core.progress import Progress
from skerry.products.coding.codecs import Codec, parse_codec
from skerry.storage.writing import check_free

FORMATS = {
    "eopf-zarr": "EOPF Zarr, Zarr version 3",
    "eopf-zarr-v2": "EOPF Zarr, Zarr version 2",
    "geozarr": "GeoZarr with overviews, Zarr version 3",
    "netcdf": "NetCDF-4 after CF-1.11, one file",
    "cog": "a folder of cloud optimized GeoTIFFs with a STAC item",
}
"""Format names to what they are."""
PROFILES = ("2025", "cpm-2.8")
"""Profiles of EOPF Zarr; the first one is the usual one."""


@dataclass(frozen=True)
class _Wishes:
    """How numbers are to be stored, where that is not as they were; edges in pixels."""

    chunk: int | None
    shard: int | None
    codec: Codec | None


def write_product(
    tree: xr.DataTree,
    path: Path | str,
    *,
    form: str,
    profile: str | None = None,
    chunk: int | None = None,
    shard: int | None = None,
    codec: Codec | str | None = None,
    progress: Progress | None = None,
) -> list[str]:
    """Write a product in one of `FORMATS`.

    Parameters
    ----------
    tree
        As `open_product` gives it, or computed.
    path
        The file or folder to make; it appears under its name only when complete.
    form
        A name in `FORMATS`.
    profile
        A name in `PROFILES`, for EOPF Zarr; ``2025`` if None.
    chunk, shard
        Edge of chunks and shards in pixels; by default each variable's own. Shards exist in Zarr
        version 3.
    codec
        Compression, such as ``zstd:3``; by default each variable's own.
    progress
        Told the fraction done and what was written.

    Returns
    -------
    list of str
        Paths of variables that the format cannot hold and that were left out.

    Raises
    ------
    ConflictError
        If `path` exists.
    InvalidInputError
        If there is no such format, it has no profiles, chunks, shards or codecs of that kind, or
        it cannot hold the product.
    """
    if form not in FORMATS:
        raise InvalidInputError(
            f"There is no format {form!r}.", remedy=f"Use one of {', '.join(FORMATS)}."
        )
    wishes = _Wishes(chunk, shard, parse_codec(codec) if isinstance(codec, str) else codec)
    _check_profile(form, profile)
    _check_storage(form, wishes)
    target = Path(path)
    check_free(target)
    if form.startswith("eopf-zarr"):
        version = 2 if form == "eopf-zarr-v2" else 3
        chosen = profile or PROFILES[0]
        _write_eopf(tree, target, wishes, zarr_format=version, profile=chosen, progress=progress)
        return []
    if form == "geozarr":
        from skerry.products.geozarr.writing import write_geozarr

        write_geozarr(tree, target, chunk=chunk, shard=shard, codec=wishes.codec, progress=progress)
        return []
    if form == "netcdf":
        from skerry.products.netcdf.writing import write_netcdf

        lengths = _by_axis(tree, chunk)
        write_netcdf(tree, target, chunks=lengths, codec=wishes.codec, progress=progress)
        return []
    from skerry.products.cogs.writing import write_cog_set

    return write_cog_set(tree, target, chunk=chunk, codec=wishes.codec, progress=progress)


def _check_profile(form: str, profile: str | None) -> None:
    if profile is None:
        return
    if profile not in PROFILES:
        raise InvalidInputError(
            f"There is no profile {profile!r}.", remedy=f"Use one of {', '.join(PROFILES)}."
        )
    if not form.startswith("eopf-zarr"):
        raise InvalidInputError(
            f"{form} has no profiles.", remedy="Give --profile with an EOPF Zarr only."
        )


def _check_storage(form: str, wishes: _Wishes) -> None:
    if wishes.shard is not None and form not in ("eopf-zarr", "geozarr"):
        raise InvalidInputError(
            f"{form} has no shards.", remedy="Write eopf-zarr or geozarr (Zarr version 3)."
        )
    for name, edge in (("chunk", wishes.chunk), ("shard", wishes.shard)):
        if edge is not None and edge < 1:
            raise InvalidInputError(
                f"A {name} has no edge of {edge} pixels.", remedy="Give a positive number."
            )
    if wishes.shard is not None and wishes.chunk and wishes.shard % wishes.chunk:
        raise InvalidInputError(
            f"A shard of {wishes.shard} pixels does not hold whole chunks of {wishes.chunk}.",
            remedy="Use a multiple.",
        )


def _write_eopf(tree: xr.DataTree, target: Path, wishes: _Wishes, **options: Any) -> None:
    from skerry.products.eopf.writing import write_eopf_zarr

    write_eopf_zarr(
        tree,
        target,
        chunks=_by_axis(tree, wishes.chunk),
        shards=_by_axis(tree, wishes.shard),
        codec=wishes.codec,
        **options,
    )


def _by_axis(tree: xr.DataTree, edge: int | None) -> dict[str, int] | None:
    """Return an edge as dimension to length, for the last two dimensions of every raster."""
    if edge is None:
        return None
    rasters = (
        variable
        for node in tree.subtree
        for variable in node.data_vars.values()
        if variable.ndim > 1
    )
    return {str(dim): edge for raster in rasters for dim in raster.dims[-2:]}
