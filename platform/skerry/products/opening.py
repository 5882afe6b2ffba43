"""Open a product in any container, at any place, as a lazy tree in EOPF structure."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from skerry.core.errors import InvalidInputError, NotFoundError, SkerryError
from skerry.products.recognition import (
    COG_MARK,
    NETCDF_SUFFIXES,
    ZARR_MARKS,
    ProductPlace,
    choose_product,
    find_mapping,
    list_names,
)
from skerry.products.sensors.mapping import check_type
from skerry.products.stores.archives import ArchivedPath, read_archive
from skerry.products.stores.zarr_stores import Place
from skerry.storage.blocks import BlockReader
from skerry.storage.outside import check_inside
from skerry.storage.remote import RemotePath, is_remote, parse_address

HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK"
_OTHERS = {
    b"II*\0": "a single GeoTIFF", b"MM\0*": "a single GeoTIFF", b"II+\0": "a single GeoTIFF",
    b"CDF": "a NetCDF-3 file", b"GRIB": "a GRIB file", b"\0\0\0\x0cjP": "a JPEG 2000 picture",
    b"\x0e\x03\x13\x01": "an HDF4 file",
}  # fmt: skip
"""First bytes of file types that Skerry does not read, to the type in words."""
FOLDER_SUFFIXES = (".safe", ".sen3")


@dataclass(frozen=True)
class _How:
    """What the caller of `open_product` says: see there."""

    level: int
    product_type: str | None


def open_product(
    path: Path | RemotePath | str, *, level: int = 0, product_type: str | None = None
) -> xr.DataTree:
    """Open a product lazily.

    Parameters
    ----------
    path
        A SAFE folder of any type that the files in ``sensors/`` describe, a GeoZarr written by
        `write_geozarr`, an EOPF Zarr, a NetCDF-4 file, or a folder of COGs written by
        `write_cog_set`; or a zip archive or a folder that holds exactly one of these. It may
        be on this machine, or at an ``http(s)://`` or ``s3://`` address, which is read by ranges.
    level
        Overview level of a GeoZarr: 0 is full resolution, each further level has half of it; a
        group with fewer levels gives its coarsest level. Only 0 for other containers.
    product_type
        The product's EOPF type, such as ``S02MSIL2A``, if the product does not say it itself.

    Returns
    -------
    xarray.DataTree
        Every resolution present, such as ``/measurements/reflectance/r10m``; variables ``(y, x)``
        are read window by window when computed, reflectances float32 with NaN for missing
        measurements. Root attributes: ``stac_discovery`` (a STAC item) and ``other_metadata``,
        whose ``missing`` lists the parts that this product lacks, ``healed`` the wounds that
        opening healed and ``unhealed`` the wounds that it could not heal.

    Raises
    ------
    NotFoundError
        If nothing is at `path`.
    InvalidInputError
        If the place holds no product or several, or a damaged product, or an archive that is not
        safe to read; or if `product_type` is unknown, or is not the type that the product names.
    ForbiddenError, UnavailableError
        If a server refuses or does not answer.
    """
    if product_type is not None:
        check_type(product_type)
    how = _How(level, product_type)
    if isinstance(path, RemotePath):
        return _open_remote(path, how)
    if isinstance(path, str) and is_remote(path):
        return _open_remote(parse_address(path), how)
    if not str(path).strip():
        raise InvalidInputError("The path '' is empty.", remedy="Give the path of a product.")
    return _open_local(Path(path), how)


def _open_local(place: Path, how: _How) -> xr.DataTree:
    if not place.exists():
        raise NotFoundError(f"There is no {place}.", remedy="Check the path.")
    if place.is_file():
        return _open_file(place, how)
    return _open_recognised(place, choose_product(place, list_names(place)), how)


def _open_file(place: Path, how: _How) -> xr.DataTree:
    """Open a file by its first bytes, or else by its suffix."""
    with place.open("rb") as stream:
        start = stream.read(len(HDF5))
    suffix = place.suffix.lower()
    if start == HDF5 or suffix in NETCDF_SUFFIXES:
        return _open_netcdf(place, how)
    if suffix == ".zip" or start.startswith(ZIP):
        return _open_archive(place.absolute(), how)
    raise _unknown(place, start)


def _open_remote(place: RemotePath, how: _How) -> xr.DataTree:
    """Open a file by its first bytes, a folder by its content; the name tells what to try first.

    HTTP has no listing: Skerry recognises a folder by the documents that it must have. Some
    servers answer for a folder with a page, so a file that is not NetCDF and not an archive may be
    a folder.
    """
    suffix = place.suffix.lower()
    if suffix == ".zarr":
        return _open_zarr(place, how)
    if suffix in FOLDER_SUFFIXES:
        return _open_safe(place, how)
    reader, problem = _sniff(place)
    start = reader.read(len(HDF5)) if reader else b""
    if start == HDF5:
        return _open_netcdf(place, how)
    if start.startswith(ZIP):
        return _open_archive(place, how, reader)
    product = None if suffix in (".zip", *NETCDF_SUFFIXES) else _find_remote(place)
    if product is None:
        raise problem
    return _open_recognised(place, product, how)


def _sniff(place: RemotePath) -> tuple[BlockReader | None, SkerryError]:
    """Try to open a file; also return the error to raise if the file is not a product."""
    try:
        return place.open(), _unknown(place)
    except (NotFoundError, InvalidInputError) as error:
        return None, error


def _find_remote(place: RemotePath) -> ProductPlace | None:
    """Find the product in a folder, by the documents that tell its kind, or by listing it."""
    from skerry.products.safe.remote_listing import MANIFESTS

    marks = (*ZARR_MARKS, COG_MARK, *MANIFESTS)
    with ThreadPoolExecutor(len(marks)) as pool:
        there = list(pool.map(lambda mark: (place / mark).exists(), marks))
    product = choose_product(place, [mark for mark, item in zip(marks, there, strict=True) if item])
    if product is None and place.lists:
        product = choose_product(place, place.list_sizes())
    return product


def _open_archive(
    place: Path | RemotePath, how: _How, reader: BlockReader | None = None
) -> xr.DataTree:
    """Open the product in a zip archive: at its root, or in a folder there."""
    archive = read_archive(place, reader)
    product = choose_product(place, archive.sizes)
    return _open_recognised(ArchivedPath(place), product, how)


def _open_recognised(place: Place, product: ProductPlace | None, how: _How) -> xr.DataTree:
    """Open the product at a place after `recognition` found it."""
    if product is None:
        raise _unknown(place)
    at = place / product.inside if product.inside else place
    if isinstance(place, Path) and isinstance(at, Path) and product.inside:
        check_inside(place, at)
    if product.container == "zarr":
        return _open_zarr(at, how)
    if product.container == "cogs":
        return _open_cogs(at, how)
    if product.container == "netcdf":
        return _open_netcdf(at, how)
    if product.container == "archive" and not isinstance(at, ArchivedPath):
        return _open_archive(at, how)
    return _open_safe(at, how)


def _open_zarr(place: Place, how: _How) -> xr.DataTree:
    from skerry.products.zarr_opening import open_zarr_product

    return open_zarr_product(place, level=how.level, product_type=how.product_type)


def _open_netcdf(place: Place, how: _How) -> xr.DataTree:
    from skerry.products.netcdf.opening import open_netcdf_product

    return open_netcdf_product(place, product_type=how.product_type)


def _open_cogs(place: Place, how: _How) -> xr.DataTree:
    from skerry.products.cogs.opening import open_cog_set

    return open_cog_set(place, product_type=how.product_type)


def _open_safe(place: Place, how: _How) -> xr.DataTree:
    from skerry.products.safe.files import list_archived, list_folder
    from skerry.products.safe.reading import assemble
    from skerry.products.safe.remote_listing import list_remote

    if isinstance(place, RemotePath):
        files = list_remote(place)
    else:
        files = list_folder(place) if isinstance(place, Path) else list_archived(place)
    return assemble(files, find_mapping(files, how.product_type))


def _unknown(place: Place, start: bytes = b"") -> InvalidInputError:
    form = next((words for mark, words in _OTHERS.items() if start.startswith(mark)), None)
    kind = "" if form is None else f": it is {form}"
    return InvalidInputError(
        f"{place} is not a product that Skerry knows{kind}.",
        remedy="Give a Sentinel product (SAFE, folder or zip), a GeoZarr, an EOPF Zarr, a NetCDF-4 "
        "file or a folder of COGs; of an archive or a folder its root, or one folder below, holds "
        "the product.",
    )
