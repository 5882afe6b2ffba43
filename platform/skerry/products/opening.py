"""Open a product, whatever its container and wherever it is, as a lazy tree in EOPF structure."""

from pathlib import Path

import xarray as xr

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.storage.remote import RemotePath, is_remote, parse_address

ZARR_MARKS = ("zarr.json", ".zgroup", ".zmetadata")
HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK"


def open_product(path: Path | str, *, level: int = 0) -> xr.DataTree:
    """Open a product lazily.

    Parameters
    ----------
    path
        A SAFE folder or a zip archive of one (or a folder that holds one), of any type that the
        files in ``sensors/`` describe, a GeoZarr written by `write_geozarr`, an EOPF Zarr, a
        NetCDF-4 file, or a folder of COGs written by `write_cog_set`. On this machine, or behind
        an ``http(s)://`` or ``s3://`` address, read by ranges.
    level
        Overview level of a GeoZarr: 0 is full resolution, each further one has half of it; where
        a group has fewer levels its coarsest. Only 0 for other containers.

    Returns
    -------
    xarray.DataTree
        Every resolution present, such as ``/measurements/reflectance/r10m``; variables ``(y, x)``
        are read window by window when computed, reflectances float32 with NaN where there is no
        measurement. Root attributes: ``stac_discovery`` (a STAC item) and ``other_metadata``,
        whose ``missing`` lists what a complete product has and this one lacks.

    Raises
    ------
    NotFoundError
        If nothing is at `path`.
    InvalidInputError
        If what is there is no product, is damaged, or is an archive that is not safe to read.
    ForbiddenError, UnavailableError
        If a server refuses or does not answer.
    """
    if isinstance(path, str) and is_remote(path):
        return _open_remote(parse_address(path), level)
    place = Path(path)
    if not place.exists():
        raise NotFoundError(f"There is no {place}.", remedy="Check the path.")
    if place.is_file():
        with place.open("rb") as stream:
            start = stream.read(len(HDF5))
        if start == HDF5 or place.suffix.lower() in (".nc", ".nc4"):
            return _open_netcdf(place)
        if place.suffix.lower() != ".zip" and not start.startswith(ZIP):
            raise _unknown(place)
    elif any((place / name).is_file() for name in ZARR_MARKS):
        return _open_zarr(place, level)
    elif (place / "item.json").is_file():
        return _open_cogs(place)
    return _open_files(place)


def _open_remote(place: RemotePath, level: int) -> xr.DataTree:
    """Open a file by its first bytes, a folder by what stands in it; its name says what to try.

    HTTP has no listing: a folder is known by the documents it must have.
    """
    suffix = place.suffix.lower()
    if suffix == ".zarr":
        return _open_zarr(place, level)
    if suffix not in (".safe", ".sen3"):
        try:
            reader = place.open()
        except NotFoundError:
            reader = None
        if reader is not None and reader.size:
            start = reader.read(len(HDF5))
            if start == HDF5:
                return _open_netcdf(place)
            if start.startswith(ZIP):
                return _open_files(place)
            raise _unknown(place)
        if suffix in (".zip", ".nc", ".nc4"):
            raise NotFoundError(f"There is no {place}.", remedy="Check the address.")
        if any((place / name).exists() for name in ZARR_MARKS):
            return _open_zarr(place, level)
        if (place / "item.json").exists():
            return _open_cogs(place)
    return _open_files(place)


def _open_zarr(place: Path | RemotePath, level: int) -> xr.DataTree:
    from skerry.products.zarr_opening import open_zarr_product

    return open_zarr_product(place, level=level)


def _open_netcdf(place: Path | RemotePath) -> xr.DataTree:
    from skerry.products.netcdf import open_netcdf_product

    return open_netcdf_product(place)


def _open_cogs(place: Path | RemotePath) -> xr.DataTree:
    from skerry.products.cogs.opening import open_cog_set

    return open_cog_set(place)


def _open_files(place: Path | RemotePath) -> xr.DataTree:
    from skerry.products.safe.engine import assemble
    from skerry.products.safe.recognition import find_product

    found = find_product(place)
    if found is None:
        raise _unknown(place)
    return assemble(*found)


def _unknown(place: Path | RemotePath) -> InvalidInputError:
    return InvalidInputError(
        f"{place} is no product that Skerry knows.",
        remedy="Give a Sentinel product (SAFE, folder or zip), a GeoZarr, an EOPF Zarr, a NetCDF-4 "
        "file or a folder of COGs.",
    )
