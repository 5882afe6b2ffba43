"""Write a product in a format chosen by name."""

from pathlib import Path
from typing import Any

import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.core.memory import MEMORY_BYTES
from skerry.core.progress import Progress
from skerry.products.coding.codecs import Codec
from skerry.products.filling.layout import Wishes
from skerry.storage.writing import check_free

FORMATS = {
    "eopf-zarr": "EOPF Zarr, Zarr version 3",
    "eopf-zarr-v2": "EOPF Zarr, Zarr version 2",
    "geozarr": "GeoZarr with overviews, Zarr version 3",
    "netcdf": "NetCDF-4 after CF-1.11, one file",
    "cog": "a folder of cloud optimized GeoTIFFs with a STAC item",
}
"""Format names and their meanings."""
PROFILES = ("2025", "cpm-2.8")
"""Profiles of EOPF Zarr; the first one is the usual one."""


def write_product(
    product: xr.DataTree | xr.Dataset,
    path: Path | str,
    *,
    form: str,
    profile: str | None = None,
    chunk: int | None = None,
    shard: int | None = None,
    codec: Codec | str | None = None,
    progress: Progress | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> list[str]:
    """Write a product in one of `FORMATS`.

    Parameters
    ----------
    product
        A tree such as `open_product` returns, or one dataset; lazy or computed.
    path
        The file or folder to write; it appears under its name only when complete.
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
        Called with the completed fraction and the name of the written part.
    memory_bytes
        Approximate limit of memory for writing, in addition to what the process already uses.

    Returns
    -------
    list of str
        Paths of variables that the format cannot hold and that were left out.

    Raises
    ------
    ConflictError
        If `path` exists.
    InvalidInputError
        If the format is unknown, it lacks profiles, chunks, shards or codecs of that kind, or
        it cannot hold the product.
    """
    _check_form(form, profile, shard)
    wishes = Wishes.of(chunk, shard, codec)
    target = Path(path)
    check_free(target)
    options: dict[str, Any] = {"progress": progress, "memory_bytes": memory_bytes}
    options |= {"chunk": wishes.chunk, "codec": wishes.codec}
    if form == "cog":
        from skerry.products.cogs.writing import write_cog_set

        return write_cog_set(product, target, **options)
    if form == "netcdf":
        from skerry.products.netcdf.writing import write_netcdf

        write_netcdf(product, target, **options)
    elif form == "geozarr":
        from skerry.products.geozarr.writing import write_geozarr

        write_geozarr(product, target, shard=wishes.shard, **options)
    else:
        from skerry.products.eopf.writing import write_eopf_zarr

        version = 2 if form == "eopf-zarr-v2" else 3
        chosen = profile or PROFILES[0]
        write_eopf_zarr(
            product, target, shard=wishes.shard, zarr_format=version, profile=chosen, **options
        )
    return []


def _check_form(form: str, profile: str | None, shard: int | None) -> None:
    if form not in FORMATS:
        raise InvalidInputError(
            f"There is no format {form!r}.", remedy=f"Use one of {', '.join(FORMATS)}."
        )
    if shard is not None and form not in ("eopf-zarr", "geozarr"):
        raise InvalidInputError(
            f"{form} has no shards.", remedy="Write eopf-zarr or geozarr (Zarr version 3)."
        )
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
